// Local normalisation (score.hpp): a thread a voxel; channels count, sum and sum of squares.
#include "box.hpp"
#include "score.hpp"

namespace igrt {

ENTRY(normalise_along_k, box_threads)
(global<const i16> hu, global<const u8> valid, Size size, i32 half, global<u32> out) {
    const i64 here = place_in_launch(box_threads);
    if (here >= size.voxels()) return;
    const Reach window = reach(voxel_at(static_cast<i32>(here), size).k, half, size.k);
    u32 count = 0, sum = 0, squares = 0;
    for (i32 r = window.first; r <= window.last; ++r) {
        const i64 at = here + static_cast<i64>(r) * size.slice();
        const i32 counted = valid[at] != 0, value = counted * steps(hu[at]);
        count += static_cast<u32>(counted), sum += static_cast<u32>(value), squares += static_cast<u32>(value * value);
    }
    const i64 voxels = size.voxels();
    out[here] = count;
    out[here + voxels] = sum;
    out[here + 2 * voxels] = squares;
}

ENTRY(normalise_along_i, box_threads)
(global<const i16> hu, global<const u8> valid, global<const u32> sums, Size size, i32 half, i32 least, f32 floor_steps_squared, global<i16> out) {
    const i64 here = place_in_launch(box_threads);
    if (here >= size.voxels()) return;
    const Reach along = reach(static_cast<i32>(here % size.i), half, size.i);
    const i64 voxels = size.voxels();
    const Window window = {static_cast<i32>(sum_over(sums, here, along, 1)), static_cast<i32>(sum_over(sums, here + voxels, along, 1)),
                           sum_over(sums, here + 2 * voxels, along, 1)};
    out[here] = score(hu[here], valid[here] != 0, window, least, floor_steps_squared);
}

}  // namespace igrt
