#include <algorithm>

#include "kernels.hpp"
#include "pool.hpp"
#include "residual.hpp"

namespace igrt::cpu {
namespace {

constexpr int LANES = 16;  // partial sums in float32, the same number for every instruction set
using Lanes = f32[LANES];

// Samples of one group, one a lane.
struct Group {
    Lanes s[3], value, present;
};

// The plan's scores around each lane's point.
struct Cells {
    alignas(64) f32 corner[8][LANES];
    alignas(64) Lanes fraction[3], valid;
};

struct Plan {
    const i16* scores;
    Size size;
    f32 index_from_mm[12];
};

void move(const Group& group, const Pose& pose, Lanes (&y)[3]) {
    for (int axis = 0; axis < 3; ++axis) {
        const f32 a = pose.rotation[3 * axis], b = pose.rotation[3 * axis + 1], c = pose.rotation[3 * axis + 2], t = pose.translation[axis];
        for (int lane = 0; lane < LANES; ++lane) y[axis][lane] = a * group.s[0][lane] + b * group.s[1][lane] + c * group.s[2][lane] + t;
    }
}

// Cell and fractions of each lane; a lane outside the outer voxel centres takes the nearest cell and is not valid.
void locate(const Plan& plan, const Group& group, const Lanes (&y)[3], i32 (&offset)[LANES], Cells& cells) {
    const i32 counts[3] = {plan.size.i, plan.size.j, plan.size.k};
    const i32 strides[3] = {1, plan.size.i, plan.size.i * plan.size.j};
    for (int lane = 0; lane < LANES; ++lane) cells.valid[lane] = group.present[lane], offset[lane] = 0;
    for (int axis = 0; axis < 3; ++axis) {
        const f32* const m = plan.index_from_mm + 4 * axis;
        const f32 last = static_cast<f32>(counts[axis] - 1);
        for (int lane = 0; lane < LANES; ++lane) {
            const f32 index = m[0] * y[0][lane] + m[1] * y[1][lane] + m[2] * y[2][lane] + m[3];
            const f32 bounded = clamp(index, 0.0f, last);  // 0 where the index is not a number
            const Place<f32> where = place(bounded, counts[axis]);
            cells.valid[lane] = index == bounded ? cells.valid[lane] : 0.0f;
            cells.fraction[axis][lane] = where.fraction;
            offset[lane] += where.base * strides[axis];
        }
    }
}

void gather(const Plan& plan, const i32 (&offset)[LANES], Cells& cells) {
    const std::ptrdiff_t row = plan.size.i, slice = row * plan.size.j;
    const std::ptrdiff_t x = plan.size.i > 1, y = plan.size.j > 1 ? row : 0, z = plan.size.k > 1 ? slice : 0;
    alignas(64) i32 corner[8][LANES];
    for (int lane = 0; lane < LANES; ++lane) {
        const i16* const c = plan.scores + offset[lane];
        corner[0][lane] = c[0], corner[1][lane] = c[x], corner[2][lane] = c[y], corner[3][lane] = c[y + x];
        corner[4][lane] = c[z], corner[5][lane] = c[z + x], corner[6][lane] = c[z + y], corner[7][lane] = c[z + y + x];
    }
    for (int n = 0; n < 8; ++n)
        for (int lane = 0; lane < LANES; ++lane) {
            cells.valid[lane] = corner[n][lane] == no_score ? 0.0f : cells.valid[lane];
            cells.corner[n][lane] = static_cast<f32>(corner[n][lane]) * (1.0f / score_unit);
        }
}

void add(const Plan& plan, const Group& group, const Lanes (&y)[3], const Cells& cells, f32 scale2, Lanes (&sums)[terms]) {
    alignas(64) Lanes jacobian[6], residual, weight;
    for (int lane = 0; lane < LANES; ++lane) {
        f32 c[8];
        for (int n = 0; n < 8; ++n) c[n] = cells.corner[n][lane];
        const Taylor f = trilinear_gradient(c, cells.fraction[0][lane], cells.fraction[1][lane], cells.fraction[2][lane]);
        const f32 at[3] = {y[0][lane], y[1][lane], y[2][lane]};
        const Jacobian by = jacobian_of(f, plan.index_from_mm, at);
        for (int a = 0; a < 6; ++a) jacobian[a][lane] = by.by[a];
        const f32 r = f.value - group.value[lane], r2 = r * r, valid = cells.valid[lane];
        residual[lane] = r;
        weight[lane] = robust_weight(r2, scale2) * valid;
        sums[robust_cost][lane] += r2 / (scale2 + r2) * valid;
        sums[inside_count][lane] += valid;
        sums[inlier_count][lane] += r2 < scale2 ? valid : 0.0f;
        sums[weight_sum][lane] += weight[lane];
        sums[weighted_squares][lane] += weight[lane] * r2;
    }
    int term = 0;
    for (int a = 0; a < 6; ++a) {
        alignas(64) Lanes weighted;
        for (int lane = 0; lane < LANES; ++lane) weighted[lane] = weight[lane] * jacobian[a][lane];
        for (int b = a; b < 6; ++b, ++term)
            for (int lane = 0; lane < LANES; ++lane) sums[term][lane] += weighted[lane] * jacobian[b][lane];
        for (int lane = 0; lane < LANES; ++lane) sums[normal_vector + a][lane] += weighted[lane] * residual[lane];
    }
}

}  // namespace

void accumulate(const i16* scores, Size size, const f32* index_from_mm, const f32* positions_mm, const f32* values,
                std::size_t count, const Pose& pose, f32 scale, f64* out) {
    Plan plan{scores, size, {}};
    std::copy_n(index_from_mm, 12, plan.index_from_mm);
    parallel(accumulate_chunks(count), [&](std::size_t chunk) {
        alignas(64) Lanes sums[terms] = {};
        const std::size_t end = std::min((chunk + 1) * samples_per_chunk, count);
        for (std::size_t first = chunk * samples_per_chunk; first < end; first += LANES) {
            alignas(64) Group group = {};
            const std::size_t n = std::min<std::size_t>(LANES, end - first);
            for (int axis = 0; axis < 3; ++axis) std::copy_n(positions_mm + axis * count + first, n, group.s[axis]);
            std::copy_n(values + first, n, group.value);
            std::fill_n(group.present, n, 1.0f);
            alignas(64) Lanes y[3];
            i32 offset[LANES];
            Cells cells;
            move(group, pose, y);
            locate(plan, group, y, offset, cells);
            gather(plan, offset, cells);
            add(plan, group, y, cells, scale * scale, sums);
        }
        for (int term = 0; term < terms; ++term) {
            f64 sum = 0.0;
            for (int lane = 0; lane < LANES; ++lane) sum += sums[term][lane];
            out[chunk * terms + term] = sum;
        }
    });
}

}  // namespace igrt::cpu
