// Local correlation (correlation.hpp): a thread a voxel; channels as PairWindow names them.
#include "box.hpp"
#include "correlation.hpp"

namespace igrt {

ENTRY(correlate_along_k, box_threads)
(global<const i16> first, global<const i16> second, global<const u8> valid, Size size, i32 half, global<u32> out) {
    const i64 here = place_in_launch(box_threads);
    if (here >= size.voxels()) return;
    const Reach window = reach(voxel_at(static_cast<i32>(here), size).k, half, size.k);
    u32 sums[6] = {};
    for (i32 r = window.first; r <= window.last; ++r) {
        const i64 at = here + static_cast<i64>(r) * size.slice();
        const i32 counted = valid[at] != 0, a = counted * steps(first[at]), b = counted * steps(second[at]);
        sums[0] += static_cast<u32>(counted), sums[1] += static_cast<u32>(a), sums[2] += static_cast<u32>(b);
        sums[3] += static_cast<u32>(a * a), sums[4] += static_cast<u32>(b * b), sums[5] += static_cast<u32>(a * b);
    }
    for (i32 channel = 0; channel < 6; ++channel) out[here + static_cast<i64>(channel) * size.voxels()] = sums[channel];
}

ENTRY(correlate_along_i, box_threads)
(global<const u8> valid, global<const u32> sums, Size size, i32 half, f64 floor_steps_squared, global<f32> values, global<f32> weights) {
    const i64 here = place_in_launch(box_threads);
    if (here >= size.voxels()) return;
    const Reach along = reach(static_cast<i32>(here % size.i), half, size.i);
    u32 s[6];
    for (i32 channel = 0; channel < 6; ++channel) s[channel] = sum_over(sums, here + static_cast<i64>(channel) * size.voxels(), along, 1);
    const PairWindow window = {static_cast<i32>(s[0]), static_cast<i32>(s[1]), static_cast<i32>(s[2]), s[3], s[4], static_cast<i32>(s[5])};
    const Correlation found = correlation(valid[here] != 0, window, floor_steps_squared);
    values[here] = found.value;
    weights[here] = found.weight;
}

}  // namespace igrt
