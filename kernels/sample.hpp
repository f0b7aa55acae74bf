// Choice of samples: voxels drawn with a probability in proportion to the gradient of their score, by a hash of their
// index, so that the draw is the same in any order.
#pragma once

#include "portable.hpp"
#include "score.hpp"

namespace igrt {

// Uniform 32-bit hash of an index (the finaliser of MurmurHash3).
KERNEL constexpr u32 hash(u32 x) {
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ (x >> 16);
}

// Uniform in [0, 1) with 24 bits.
KERNEL constexpr f32 uniform(u32 index, u32 seed) { return static_cast<f32>(static_cast<i32>(hash(index ^ seed) >> 8)) * 0x1p-24f; }

// One over the distance of the two neighbours at `index` of n voxels `spacing` mm apart, over the unit of scores.
KERNEL f32 per_unit(f32 spacing, i32 index, i32 n) {
    const f32 one_step = 1.0f / (score_unit * spacing);
    return index > 0 && index + 1 < n ? 0.5f * one_step : one_step;
}

// Squared slope along one axis: `low` and `high` are the neighbours' scores, `per_unit` one over their distance in mm times the unit.
KERNEL f32 squared_slope(i16 low, i16 high, f32 per_unit) {
    const f32 slope = static_cast<f32>(static_cast<i32>(high) - static_cast<i32>(low)) * per_unit;
    return slope * slope;
}

// A voxel's score and those of its neighbours; at the border of the volume the voxel stands in for the neighbour it lacks.
struct Neighbours {
    i16 here, low_i, high_i, low_j, high_j, low_k, high_k;
};

// Length of the gradient by mm; 0 where the voxel or a neighbour has no score.
KERNEL f32 slope(const Neighbours& n, f32 per_unit_i, f32 per_unit_j, f32 per_unit_k) {
    const i16 least_ij = minimum(minimum(n.low_i, n.high_i), minimum(n.low_j, n.high_j));
    const i16 least = minimum(minimum(n.here, least_ij), minimum(n.low_k, n.high_k));
    const f32 squared = squared_slope(n.low_i, n.high_i, per_unit_i) + squared_slope(n.low_j, n.high_j, per_unit_j) +
                        squared_slope(n.low_k, n.high_k, per_unit_k);
    return least == no_score ? 0.0f : square_root(squared);
}

}  // namespace igrt
