// One sample's part in the normal equations of the rigid match.
//
// A sample lies at s (mm, about the daily centre) and carries the daily score v. At pose (R, t) it falls at y = R s + t (mm, about
// the plan centre), where the plan's score is f(y). The residual f(y) - v has the derivative (g, y x g) by a small motion
// y -> y + dt + dw x y, g the gradient of f by mm. Geman-McClure weights (c^2 / (c^2 + r^2))^2 make large residuals harmless.
#pragma once

#include "portable.hpp"
#include "score.hpp"
#include "trilinear.hpp"

namespace igrt {

constexpr int matrix_terms = 21;  // upper triangle of the 6x6 matrix, row by row
enum Term : int {
    normal_matrix = 0,
    normal_vector = matrix_terms,
    robust_cost = normal_vector + 6,  // sum of r^2 / (c^2 + r^2)
    inside_count,                     // samples that fall on valid plan voxels
    inlier_count,                     // of these, the ones with |r| < c
    weight_sum,
    weighted_squares,  // sum of w r^2
    terms = 32,
};

// Geman-McClure weight for squared residual r2 and squared scale c2.
KERNEL f32 robust_weight(f32 r2, f32 c2) {
    const f32 ratio = c2 / (c2 + r2);
    return ratio * ratio;
}

// Interpolated value and gradient by index along i, j, k.
struct Taylor {
    f32 value, i, j, k;
};

// From the corners c[4 z + 2 y + x] of a cell at fractions (x, y, z).
KERNEL Taylor trilinear_gradient(const f32 (&c)[8], f32 x, f32 y, f32 z) {
    const f32 d00 = c[1] - c[0], d01 = c[3] - c[2], d10 = c[5] - c[4], d11 = c[7] - c[6];
    const f32 c00 = c[0] + x * d00, c01 = c[2] + x * d01, c10 = c[4] + x * d10, c11 = c[6] + x * d11;
    const f32 d0 = d00 + y * (d01 - d00), d1 = d10 + y * (d11 - d10);
    const f32 e0 = c01 - c00, e1 = c11 - c10;
    const f32 c0 = c00 + y * e0, c1 = c10 + y * e1;
    return {c0 + z * (c1 - c0), d0 + z * (d1 - d0), e0 + z * (e1 - e0), c1 - c0};
}

// The derivative (g, y x g) of the value at y by a small motion of the plan.
struct Jacobian {
    f32 by[6];
};

KERNEL Jacobian jacobian_of(const Taylor& f, const f32* index_from_mm, const f32 (&y)[3]) {
    const f32* const m = index_from_mm;
    const f32 gx = m[0] * f.i + m[4] * f.j + m[8] * f.k, gy = m[1] * f.i + m[5] * f.j + m[9] * f.k, gz = m[2] * f.i + m[6] * f.j + m[10] * f.k;
    return {{gx, gy, gz, y[1] * gz - y[2] * gy, y[2] * gx - y[0] * gz, y[0] * gy - y[1] * gx}};
}

// Adds one valid sample to the sums.
KERNEL void add_terms(const Jacobian& jacobian, f32 residual, f32 scale_squared, f32 (&sums)[terms]) {
    const f32 r2 = residual * residual, weight = robust_weight(r2, scale_squared);
    i32 term = normal_matrix;
    for (i32 a = 0; a < 6; ++a) {
        const f32 weighted = weight * jacobian.by[a];
        for (i32 b = a; b < 6; ++b) sums[term++] += weighted * jacobian.by[b];
        sums[normal_vector + a] += weighted * residual;
    }
    sums[robust_cost] += r2 / (scale_squared + r2);
    sums[inside_count] += 1.0f;
    sums[inlier_count] += r2 < scale_squared ? 1.0f : 0.0f;
    sums[weight_sum] += weight;
    sums[weighted_squares] += weight * r2;
}

}  // namespace igrt
