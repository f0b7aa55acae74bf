// Ray sums by Joseph's method (project.hpp) and how they change when the volume's pose does, from one march along the ray.
//
// A ray is four numbers: where it passes the middle plane along its axis and its slopes, (b, db, c, dc). The march sums the field
// and its slope within the plane along b and c, each also times the plane's distance from the middle one. The six derivatives by the pose
// follow from these five sums by the chain rule, once a ray: they are those of the discrete sum itself, not of an interpolated gradient.
#pragma once

#include "portable.hpp"
#include "project.hpp"

namespace igrt {

// Sums along one ray, in voxel indices.
struct RaySums {
    f32 value, slope_b, moment_b, slope_c, moment_c;
};

// What a ray is made of, in voxel indices: the source, and the way from it to the pixel.
struct Ray {
    f64 source[3], direction[3];
};

// Change of a ray when the pose changes by one of the six motions, in voxel indices.
using RayChange = Ray;

// Value (units of the field times mm) and its derivative by one motion.
KERNEL f64 ray_derivative(const Ray& ray, const RayChange& change, const RaySums& sums, i32 axis, f64 middle, f64 step_mm) {
    const i32 b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2;
    const f64 per_plane = 1.0 / ray.direction[axis];
    const f64 db = ray.direction[b] * per_plane, dc = ray.direction[c] * per_plane;
    const f64 change_db = (change.direction[b] - db * change.direction[axis]) * per_plane;
    const f64 change_dc = (change.direction[c] - dc * change.direction[axis]) * per_plane;
    const f64 change_b = change.source[b] - change.source[axis] * db + (middle - ray.source[axis]) * change_db;
    const f64 change_c = change.source[c] - change.source[axis] * dc + (middle - ray.source[axis]) * change_dc;
    const f64 moved = sums.slope_b * change_b + sums.moment_b * change_db + sums.slope_c * change_c + sums.moment_c * change_dc;
    return step_mm * (moved - sums.value * change.direction[axis] * per_plane);
}

}  // namespace igrt
