// Block means: a thread an output voxel. Whole numbers throughout, so the same bits as on the CPU.
#include "launch.hpp"

namespace igrt {

constexpr i32 shrink_threads = 256;

// factor.i factor.j factor.k <= 65536: the sum of so many stays below 2^32.
ENTRY(shrink, shrink_threads)
(global<const i16> hu, Size size, Size factor, Size small, global<i16> out) {
    const i64 here = place_in_launch(shrink_threads);
    if (here >= small.voxels()) return;
    const Voxel to = voxel_at(static_cast<i32>(here), small);
    const u32 count = static_cast<u32>(factor.voxels());
    u32 sum = count / 2;  // rounds half upward
    for (i32 dk = 0; dk < factor.k; ++dk)
        for (i32 dj = 0; dj < factor.j; ++dj) {
            const i32 row = ((to.k * factor.k + dk) * size.j + to.j * factor.j + dj) * size.i + to.i * factor.i;
            for (i32 di = 0; di < factor.i; ++di) sum += static_cast<u32>(hu[row + di] + 32768);
        }
    out[static_cast<i32>(here)] = static_cast<i16>(static_cast<i32>(sum / count) - 32768);
}

}  // namespace igrt
