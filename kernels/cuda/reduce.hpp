// Sums over the threads of a block in an order that the source fixes: the same bits every run.
#pragma once

#include "launch.hpp"

namespace igrt {

// Sums 32 numbers of every lane over the warp: on return sums[0] of lane n is the sum of number n. Each step hands half of what is left to the lane
// across, 31 exchanges in all, where a tree for every number would take 160. Call with 16.
template <i32 across> KERNEL void fold(f32 (&sums)[warp_width]) {
    const bool upper = (lane() & across) != 0;
    for (i32 n = 0; n < across; ++n) {
        const f32 kept = upper ? sums[n + across] : sums[n], given = upper ? sums[n] : sums[n + across];
        sums[n] = kept + shuffle_xor(given, across);
    }
    if constexpr (across > 1) fold<across / 2>(sums);
}

// The sum over the lanes of a warp, in every lane.
template <class T> KERNEL T sum_of_warp(T value) {
    for (i32 across = warp_width / 2; across > 0; across /= 2) value += shuffle_xor(value, across);
    return value;
}

}  // namespace igrt
