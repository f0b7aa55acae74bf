// Trilinear interpolation in one cell of a voxel grid.
#pragma once

#include "portable.hpp"

namespace igrt {

// Where a continuous index falls along one axis of n voxels.
template <class T> struct Place {
    i32 base;    // lower corner of the cell
    T fraction;  // [0, 1] within it
};

// Cell of index x along an axis of n >= 1 voxels; x must lie in [0, n - 1]. With one voxel the cell has no extent.
template <class T> KERNEL Place<T> place(T x, i32 n) {
    const i32 base = maximum(minimum(floor_index(x), n - 2), 0);
    return {base, x - static_cast<T>(base)};
}

// Value at fractions (x, y, z) of the cell whose corners are c[4 z + 2 y + x].
template <class T> KERNEL T trilinear(const T (&c)[8], T x, T y, T z) {
    const T c00 = c[0] + x * (c[1] - c[0]), c01 = c[2] + x * (c[3] - c[2]);
    const T c10 = c[4] + x * (c[5] - c[4]), c11 = c[6] + x * (c[7] - c[6]);
    const T c0 = c00 + y * (c01 - c00), c1 = c10 + y * (c11 - c10);
    return c0 + z * (c1 - c0);
}

}  // namespace igrt
