// What entry points share: parameters passed by value, and where a thread stands in a grid.
#pragma once

#include "portable.hpp"

namespace igrt {

// Voxels along i, j, k.
struct Size {
    i32 i, j, k;
    KERNEL i32 row() const { return i; }
    KERNEL i32 slice() const { return i * j; }
    KERNEL i32 voxels() const { return i * j * k; }  // below 2^31: whoever launches has checked
};

struct Voxel {
    i32 i, j, k;
};

KERNEL Voxel voxel_at(i32 index, Size size) {
    const i32 line = index / size.i;
    return {index - line * size.i, line % size.j, line / size.j};
}

// Row-major (3, 4).
template <class T> struct Affine {
    T m[12];
};

// The number of this thread among all threads of a launch; 64 bits, as the last block may reach beyond 2^31.
KERNEL i64 place_in_launch(i32 threads) { return static_cast<i64>(block_index()) * threads + thread_index(); }

}  // namespace igrt
