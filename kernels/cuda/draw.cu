// The draw of samples (sample.hpp), block of voxels by block of voxels: sums of slopes, then how many are drawn, then which. A block of threads works
// through a block of voxels in the order k, j, i.
#include "reduce.hpp"
#include "sample.hpp"

namespace igrt {

constexpr i32 draw_threads = 256;
constexpr i32 draw_warps = draw_threads / warp_width;

struct Spacing {
    f32 i, j, k;
};

// The voxels of one block, clipped to the volume.
struct Brick {
    Voxel first;
    Size size;
};

KERNEL Brick brick_at(i32 index, Size size, Size block) {
    const i32 across = (size.i + block.i - 1) / block.i, down = (size.j + block.j - 1) / block.j;
    const Voxel b = voxel_at(index, {across, down, 1});
    const Voxel first = {b.i * block.i, b.j * block.j, b.k * block.k};
    return {first, {minimum(block.i, size.i - first.i), minimum(block.j, size.j - first.j), minimum(block.k, size.k - first.k)}};
}

KERNEL Voxel voxel_of(const Brick& brick, i32 n) {
    const Voxel within = voxel_at(n, brick.size);
    return {brick.first.i + within.i, brick.first.j + within.j, brick.first.k + within.k};
}

KERNEL i32 index_of(Voxel v, Size size) { return (v.k * size.j + v.j) * size.i + v.i; }

KERNEL f32 slope_at(const global<const i16>& scores, Size size, Spacing spacing, Voxel v) {
    const i32 here = index_of(v, size);
    const Neighbours n = {scores[here],
                          scores[here - (v.i > 0 ? 1 : 0)],
                          scores[here + (v.i + 1 < size.i ? 1 : 0)],
                          scores[here - (v.j > 0 ? size.row() : 0)],
                          scores[here + (v.j + 1 < size.j ? size.row() : 0)],
                          scores[here - (v.k > 0 ? size.slice() : 0)],
                          scores[here + (v.k + 1 < size.k ? size.slice() : 0)]};
    return slope(n, per_unit(spacing.i, v.i, size.i), per_unit(spacing.j, v.j, size.j), per_unit(spacing.k, v.k, size.k));
}

KERNEL bool is_drawn(const global<const i16>& scores, Size size, Spacing spacing, Voxel v, f32 per_slope, u32 seed) {
    return uniform(static_cast<u32>(index_of(v, size)), seed) < slope_at(scores, size, spacing, v) * per_slope;
}

ENTRY(draw_slopes, draw_threads)
(global<const i16> scores, Size size, Spacing spacing, Size block, global<f64> out) {
    SHARED shared<f64, draw_warps> of_warps;
    const Brick brick = brick_at(block_index(), size, block);
    f64 sum = 0.0;
    for (i32 n = thread_index(); n < brick.size.voxels(); n += draw_threads) sum += static_cast<f64>(slope_at(scores, size, spacing, voxel_of(brick, n)));
    sum = sum_of_warp(sum);
    if (lane() == 0) of_warps[warp()] = sum;
    barrier();
    if (thread_index() == 0) {
        f64 total = 0.0;
        for (i32 w = 0; w < draw_warps; ++w) total += of_warps[w];
        out[block_index()] = total;
    }
}

ENTRY(draw_count, draw_threads)
(global<const i16> scores, Size size, Spacing spacing, Size block, f32 per_slope, u32 seed, global<i32> out) {
    SHARED shared<i32, draw_warps> of_warps;
    const Brick brick = brick_at(block_index(), size, block);
    i32 count = 0;
    for (i32 n = thread_index(); n < brick.size.voxels(); n += draw_threads)
        if (is_drawn(scores, size, spacing, voxel_of(brick, n), per_slope, seed)) ++count;
    count = sum_of_warp(count);
    if (lane() == 0) of_warps[warp()] = count;
    barrier();
    if (thread_index() == 0) {
        i32 total = 0;
        for (i32 w = 0; w < draw_warps; ++w) total += of_warps[w];
        out[block_index()] = total;
    }
}

// `places` holds where each block's first voxel goes; out is (n, 3) in the order k, j, i.
ENTRY(draw_write, draw_threads)
(global<const i16> scores, Size size, Spacing spacing, Size block, f32 per_slope, u32 seed, global<const i32> places, global<i32> out) {
    SHARED shared<i32, draw_warps> of_warps;
    const Brick brick = brick_at(block_index(), size, block);
    i32 place = places[block_index()];
    for (i32 tile = 0; tile < brick.size.voxels(); tile += draw_threads) {
        const i32 n = tile + thread_index();
        const bool within = n < brick.size.voxels();
        const Voxel v = voxel_of(brick, within ? n : 0);
        const bool drawn = within && is_drawn(scores, size, spacing, v, per_slope, seed);
        const u32 votes = ballot(drawn);
        if (lane() == 0) of_warps[warp()] = count_ones(votes);
        barrier();
        i32 before = 0, all = 0;
        for (i32 w = 0; w < draw_warps; ++w) {
            const i32 some = of_warps[w];
            before += w < warp() ? some : 0;
            all += some;
        }
        if (drawn) {
            const i64 to = 3 * static_cast<i64>(place + before + count_ones(votes & ((1u << lane()) - 1u)));
            out[to] = v.k;
            out[to + 1] = v.j;
            out[to + 2] = v.i;
        }
        place += all;
        barrier();  // all have read the counts before the next tile's are written
    }
}

}  // namespace igrt
