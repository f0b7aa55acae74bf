// Trilinear interpolation at points: a thread a point, in float64 as on the CPU.
#include "launch.hpp"
#include "trilinear.hpp"

namespace igrt {

constexpr i32 interpolate_threads = 128;
constexpr f64 edge_voxels = 1e-6;  // points on the outer voxel centres count as inside

ENTRY(interpolate, interpolate_threads)
(global<const i16> hu, Size size, Affine<f64> index_from_mm, global<const f64> points_mm, i32 count, global<f32> out) {
    const i64 here = place_in_launch(interpolate_threads);
    if (here >= count) return;
    const f64 p[3] = {points_mm[3 * here], points_mm[3 * here + 1], points_mm[3 * here + 2]};
    const i32 counts[3] = {size.i, size.j, size.k};
    Place<f64> at[3];
    bool inside = true;
    for (i32 axis = 0; axis < 3; ++axis) {
        const f64* const m = index_from_mm.m + 4 * axis;
        const f64 index = m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + m[3], last = counts[axis] - 1;
        inside = inside && index >= -edge_voxels && index <= last + edge_voxels;
        at[axis] = place(clamp(inside ? index : 0.0, 0.0, last), counts[axis]);
    }
    const i32 x = size.i > 1 ? 1 : 0, y = size.j > 1 ? size.row() : 0, z = size.k > 1 ? size.slice() : 0;
    const i32 offset = at[0].base + at[1].base * size.row() + at[2].base * size.slice();
    f64 corners[8];
    for (i32 n = 0; n < 8; ++n) corners[n] = static_cast<f64>(hu[offset + (n & 1) * x + (n >> 1 & 1) * y + (n >> 2) * z]);
    out[here] = inside ? static_cast<f32>(trilinear(corners, at[0].fraction, at[1].fraction, at[2].fraction)) : not_a_number();
}

}  // namespace igrt
