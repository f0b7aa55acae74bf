// Ray sums through a voxel grid by Joseph's method: one sample in every voxel plane across the axis that the ray runs
// along most, bilinear within the plane, times the length of ray between two planes. Outside the outer voxel centres the
// field falls linearly to zero within one voxel.
#pragma once

#include "portable.hpp"

namespace igrt {

// A ray as the loop over planes needs it. In plane n it passes through (b + n db, c + n dc), counted in voxels from one
// before the first, along the two other axes in their order; it lies within the field for first <= n < stop.
struct RaySteps {
    i32 axis, first, stop;
    f32 b, db, c, dc, step_mm;
};

// Narrows [low, high] to where 0 <= start + n slope <= top.
KERNEL void narrow(f64 start, f64 slope, f64 top, f64& low, f64& high) {
    if (slope == 0.0) {
        if (!(start >= 0.0 && start <= top)) high = low - 1.0;
        return;
    }
    const f64 p = -start / slope, q = (top - start) / slope;
    low = maximum(low, minimum(p, q));
    high = minimum(high, maximum(p, q));
}

// Steps of the ray from `source` along `direction` (to the pixel), both in voxel indices i, j, k.
KERNEL RaySteps ray_steps(const f64 (&source)[3], const f64 (&direction)[3], const i32 (&counts)[3], const f64 (&spacing_mm)[3]) {
    i32 axis = 0;
    f64 squared_mm = 0.0;
    for (i32 m = 0; m < 3; ++m) {
        const f64 run = absolute(direction[m]), most = absolute(direction[axis]);
        if (run > most) axis = m;
        squared_mm += direction[m] * spacing_mm[m] * direction[m] * spacing_mm[m];
    }
    const i32 b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2;
    const f64 per_plane = 1.0 / direction[axis];
    const f64 db = direction[b] * per_plane, dc = direction[c] * per_plane;
    const f64 b0 = source[b] - source[axis] * db + 1.0, c0 = source[c] - source[axis] * dc + 1.0;
    f64 low = 0.0, high = counts[axis] - 1;
    narrow(-source[axis] * per_plane, per_plane, 1.0, low, high);  // between source and pixel
    narrow(b0, db, counts[b] + 1, low, high);
    narrow(c0, dc, counts[c] + 1, low, high);
    RaySteps steps = {axis, 0, 0, static_cast<f32>(b0), static_cast<f32>(db), static_cast<f32>(c0), static_cast<f32>(dc), 0.0f};
    if (low <= high) {
        steps.first = -floor_index(-low);
        steps.stop = floor_index(high) + 1;
    }
    steps.step_mm = static_cast<f32>(square_root(squared_mm) * absolute(per_plane));
    return steps;
}

// Value at fractions (x, y) of the square whose corners are q[2 y + x].
KERNEL constexpr f32 bilinear(f32 q0, f32 q1, f32 q2, f32 q3, f32 x, f32 y) {
    const f32 low = q0 + x * (q1 - q0), high = q2 + x * (q3 - q2);
    return low + y * (high - low);
}

}  // namespace igrt
