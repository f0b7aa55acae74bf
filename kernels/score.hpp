// Local normalisation: how many local standard deviations a voxel lies above the mean of its window.
//
// Hounsfield units enter the window sums in whole steps of 4 HU, so that the sums are exact integers and do not depend on
// the order of addition; the centre voxel enters in full. Scores are int16, 1/2048 each.
#pragma once

#include "portable.hpp"

namespace igrt {

constexpr i16 no_score = -32768;
constexpr f32 score_unit = 2048.0f;
constexpr i32 largest_score = 32767;
constexpr i32 lowest_hu = -1024, highest_hu = 3071;
constexpr i32 step_hu = 4;
constexpr i32 largest_window = 7000;  // voxels: the sum of squares of so many stays below 2^32

KERNEL constexpr i32 bounded(i16 hu) { return clamp<i32>(hu, lowest_hu, highest_hu); }

// Nearest step of 4 HU: -256 .. 768.
KERNEL constexpr i32 steps(i16 hu) { return (bounded(hu) + step_hu / 2) >> 2; }

// Window sums over the valid voxels, in steps of 4 HU: their number, sum, and sum of squares.
struct Window {
    i32 count;
    i32 sum;
    u32 squares;
};

// Score of a voxel; no_score where it is invalid or fewer than `least` voxels of its window are valid (least >= 1).
KERNEL i16 score(i16 hu, bool valid, Window window, i32 least, f32 floor_steps_squared) {
    const f32 n = static_cast<f32>(maximum(window.count, 1));
    const f32 mean = static_cast<f32>(window.sum) / n;
    // u32 to f32 in two exact halves: a direct conversion does not vectorise below AVX-512.
    const f32 squares = static_cast<f32>(static_cast<i32>(window.squares >> 16)) * 65536.0f + static_cast<f32>(static_cast<i32>(window.squares & 0xffff));
    const f32 variance = maximum(squares / n - mean * mean, 0.0f);
    const f32 centre = static_cast<f32>(bounded(hu)) * 0.25f;
    const f32 value = (centre - mean) / square_root(variance + floor_steps_squared) * score_unit;
    const i32 rounded = round_index(clamp(value, -32767.0f, 32767.0f));
    return static_cast<i16>(valid && window.count >= least ? rounded : no_score);
}

}  // namespace igrt
