// Weighted backprojection of a cone-beam image into a voxel: the image where the ray through the voxel meets it, over
// the square of the voxel's depth.
#pragma once

#include "project.hpp"

namespace igrt {

// Where a voxel falls in an image of `rows` x `columns` pixels, and the weight it gets there; outside the outer pixel
// centres the weight is zero and the pixel the first.
struct Footprint {
    i32 column, row;
    f32 x, y, weight;
};

// h = (column depth, row depth, depth): the voxel in homogeneous pixel coordinates, depth in mm.
KERNEL Footprint footprint(f32 h0, f32 h1, f32 depth, i32 rows, i32 columns) {
    const f32 inverse = 1.0f / depth;
    const f32 column = h0 * inverse, row = h1 * inverse;
    const bool inside = (depth > 0.0f) & (column >= 0.0f) & (column <= static_cast<f32>(columns - 1)) & (row >= 0.0f) & (row <= static_cast<f32>(rows - 1));
    const f32 u = inside ? column : 0.0f, v = inside ? row : 0.0f;
    const i32 base_u = minimum(static_cast<i32>(u), columns - 2), base_v = minimum(static_cast<i32>(v), rows - 2);
    return {base_u, base_v, u - static_cast<f32>(base_u), v - static_cast<f32>(base_v), inside ? inverse * inverse : 0.0f};
}

}  // namespace igrt
