// Local correlation of two images on one grid, and how much contrast there is to judge it by.
#pragma once

#include "portable.hpp"
#include "score.hpp"

namespace igrt {

// Window sums over the valid voxels, in steps of 4 HU.
struct PairWindow {
    i32 count, first, second;
    u32 first_squares, second_squares;
    i32 products;
};

struct Correlation {
    f32 value;   // [-1, 1]; 0 where one image is flat
    f32 weight;  // v / (v + floor^2), v the product of the standard deviations; 0 where the voxel is not valid
};

// The differences of large sums are taken in float64: they cancel.
KERNEL Correlation correlation(bool valid, const PairWindow& window, f64 floor_steps_squared) {
    const f64 n = maximum(window.count, 1);
    const f64 mean_first = window.first / n, mean_second = window.second / n;
    const f64 variance_first = maximum(window.first_squares / n - mean_first * mean_first, 0.0);
    const f64 variance_second = maximum(window.second_squares / n - mean_second * mean_second, 0.0);
    const f64 covariance = window.products / n - mean_first * mean_second;
    const f64 contrast = square_root(variance_first * variance_second);
    const f64 value = contrast > 1e-6 ? clamp(covariance / contrast, -1.0, 1.0) : 0.0;
    const f64 weight = contrast / (contrast + floor_steps_squared);
    return {static_cast<f32>(value), valid && contrast > 1e-6 ? static_cast<f32>(weight) : 0.0f};
}

}  // namespace igrt
