// The fused kernel of the rigid match: sample, gradient, metric and normal equations; a block a chunk of samples, one row of sums out.
#include "reduce.hpp"
#include "residual.hpp"

namespace igrt {

constexpr i32 accumulate_threads = 256;
constexpr i32 accumulate_warps = accumulate_threads / warp_width;
constexpr i32 samples_per_block = 1024;  // the chunk of the verb
static_assert(terms == warp_width, "fold leaves one term to a lane");

struct Pose {
    f32 rotation[9], translation[3];
};

KERNEL void rotate(const Pose& pose, f32 a, f32 b, f32 c, f32 (&y)[3]) {
    for (i32 axis = 0; axis < 3; ++axis)
        y[axis] = pose.rotation[3 * axis] * a + pose.rotation[3 * axis + 1] * b + pose.rotation[3 * axis + 2] * c + pose.translation[axis];
}

// Places along i, j, k of a point; false beyond the outer voxel centres and where the point is not a number.
KERNEL bool locate(const Affine<f32>& index_from_mm, Size size, const f32 (&y)[3], Place<f32> (&at)[3]) {
    const i32 counts[3] = {size.i, size.j, size.k};
    bool inside = true;
    for (i32 axis = 0; axis < 3; ++axis) {
        const f32* const m = index_from_mm.m + 4 * axis;
        const f32 index = m[0] * y[0] + m[1] * y[1] + m[2] * y[2] + m[3];
        const f32 bounded = clamp(index, 0.0f, static_cast<f32>(counts[axis] - 1));
        inside = inside && index == bounded;
        at[axis] = place(bounded, counts[axis]);
    }
    return inside;
}

// The scores at the corners of a cell; false where one of them has none.
KERNEL bool gather(const global<const i16>& scores, Size size, const Place<f32> (&at)[3], f32 (&corners)[8]) {
    const i32 x = size.i > 1 ? 1 : 0, y = size.j > 1 ? size.row() : 0, z = size.k > 1 ? size.slice() : 0;
    const i32 offset = at[0].base + at[1].base * size.row() + at[2].base * size.slice();
    bool scored = true;
    for (i32 n = 0; n < 8; ++n) {
        const i16 corner = scores[offset + (n & 1) * x + (n >> 1 & 1) * y + (n >> 2) * z];
        scored = scored && corner != no_score;
        corners[n] = static_cast<f32>(corner) * (1.0f / score_unit);
    }
    return scored;
}

ENTRY(accumulate, accumulate_threads)
(global<const i16> scores, Size size, Affine<f32> index_from_mm, global<const f32> positions_mm, global<const f32> values, i32 count, Pose pose, f32 scale_squared,
 global<f64> out) {
    SHARED shared<f32, accumulate_warps * terms> of_warps;
    f32 sums[terms] = {};
    const i64 first = static_cast<i64>(block_index()) * samples_per_block;
    for (i32 n = thread_index(); n < samples_per_block && first + n < count; n += accumulate_threads) {
        const i64 sample = first + n;
        f32 y[3], corners[8];
        Place<f32> at[3];
        rotate(pose, positions_mm[sample], positions_mm[sample + count], positions_mm[sample + 2 * static_cast<i64>(count)], y);
        if (!locate(index_from_mm, size, y, at) || !gather(scores, size, at, corners)) continue;
        const Taylor f = trilinear_gradient(corners, at[0].fraction, at[1].fraction, at[2].fraction);
        add_terms(jacobian_of(f, index_from_mm.m, y), f.value - values[sample], scale_squared, sums);
    }
    fold<warp_width / 2>(sums);
    of_warps[warp() * terms + lane()] = sums[0];
    barrier();
    if (thread_index() < terms) {
        f64 sum = 0.0;
        for (i32 w = 0; w < accumulate_warps; ++w) sum += static_cast<f64>(of_warps[w * terms + thread_index()]);
        out[static_cast<i64>(block_index()) * terms + thread_index()] = sum;
    }
}

}  // namespace igrt
