// Sums over windows of 2 half + 1 voxels, one axis after the other: along k while the images are read, along j, and along i while the result is
// written. Several whole numbers a voxel (channels, one array after the other); exact modulo 2^32 in any order.
#pragma once

#include "launch.hpp"

namespace igrt {

constexpr i32 box_threads = 256;

// The part of a window about `at` of n voxels that lies in the image, relative to `at`.
struct Reach {
    i32 first, last;
};

KERNEL Reach reach(i32 at, i32 half, i32 n) { return {maximum(-half, -at), minimum(half, n - 1 - at)}; }

// The sum of sums[index + offset + r stride] over a reach.
KERNEL u32 sum_over(const global<const u32>& sums, i64 index, Reach window, i32 stride) {
    u32 sum = 0;
    for (i32 r = window.first; r <= window.last; ++r) sum += sums[index + static_cast<i64>(r) * stride];
    return sum;
}

}  // namespace igrt
