// The middle of the three steps of box.hpp, the same for any number of channels: a thread a voxel and channel.
#include "box.hpp"

namespace igrt {

ENTRY(box_along_j, box_threads)
(global<const u32> sums, Size size, i32 half, i32 channels, global<u32> out) {
    const i64 here = place_in_launch(box_threads);
    if (here >= static_cast<i64>(channels) * size.voxels()) return;
    const i32 j = static_cast<i32>(here / size.i % size.j);
    out[here] = sum_over(sums, here, reach(j, half, size.j), size.row());
}

}  // namespace igrt
