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

}  // namespace igrt
