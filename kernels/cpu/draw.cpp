#include <algorithm>
#include <vector>

#include "kernels.hpp"
#include "pool.hpp"
#include "sample.hpp"

namespace igrt::cpu {
namespace {

// Slopes of a score volume, by pieces of rows.
class Slopes {
  public:
    Slopes(const i16* scores, Size size, const f32* spacing) : scores_(scores), size_(size), spacing_(spacing) {}

    // to[i - begin] for i in [begin, end) of row (j, k).
    void row(i32 j, i32 k, i32 begin, i32 end, f32* to) const {
        const i16* const here = at(j, k);
        const i16 *const low_j = at(std::max(j - 1, 0), k), *const high_j = at(std::min(j + 1, size_.j - 1), k);
        const i16 *const low_k = at(j, std::max(k - 1, 0)), *const high_k = at(j, std::min(k + 1, size_.k - 1));
        const f32 by_j = per_unit(spacing_[1], j, size_.j), by_k = per_unit(spacing_[2], k, size_.k), by_i = per_unit(spacing_[0], 1, 3);
        const auto one = [&](i32 i, i32 low, i32 high, f32 by) {
            to[i - begin] = slope({here[i], here[low], here[high], low_j[i], high_j[i], low_k[i], high_k[i]}, by, by_j, by_k);
        };
        const i32 first = std::max(begin, 1), last = std::min(end, size_.i - 1);
        if (begin == 0) one(0, 0, std::min(1, size_.i - 1), per_unit(spacing_[0], 0, size_.i));
        for (i32 i = first; i < last; ++i) one(i, i - 1, i + 1, by_i);
        if (end == size_.i && size_.i > 1) one(size_.i - 1, size_.i - 2, size_.i - 1, per_unit(spacing_[0], size_.i - 1, size_.i));
    }

  private:
    const i16* at(i32 j, i32 k) const { return scores_ + (std::size_t(k) * size_.j + j) * size_.i; }

    const i16* scores_;
    Size size_;
    const f32* spacing_;
};

}  // namespace

std::vector<i32> draw(const i16* scores, Size size, const f32* spacing_ijk_mm, Size block, f64 wanted, u32 seed) {
    const Slopes slopes(scores, size, spacing_ijk_mm);
    const i32 across = (size.i + block.i - 1) / block.i, down = (size.j + block.j - 1) / block.j, deep = (size.k + block.k - 1) / block.k;
    const std::size_t blocks = std::size_t(across) * down * deep;
    // visit(first i, j, k, slopes, how many) for each row of block b.
    const auto each_row = [&](std::size_t b, auto&& visit) {
        const i32 bi = static_cast<i32>(b % across), bj = static_cast<i32>(b / across % down), bk = static_cast<i32>(b / across / down);
        const i32 begin = bi * block.i, end = std::min(begin + block.i, size.i);
        std::vector<f32> row(end - begin);
        for (i32 k = bk * block.k; k < std::min((bk + 1) * block.k, size.k); ++k)
            for (i32 j = bj * block.j; j < std::min((bj + 1) * block.j, size.j); ++j) {
                slopes.row(j, k, begin, end, row.data());
                visit(begin, j, k, row);
            }
    };
    std::vector<f64> sums(blocks);
    parallel(blocks, [&](std::size_t b) {
        f64 sum = 0.0;
        each_row(b, [&](i32, i32, i32, const std::vector<f32>& row) {
            for (const f32 value : row) sum += value;
        });
        sums[b] = sum;
    });
    f64 total = 0.0;
    for (const f64 sum : sums) total += sum;
    if (!(total > 0.0)) return {};
    const f32 per_slope = static_cast<f32>(wanted / total);

    std::vector<std::vector<i32>> chosen(blocks);
    parallel(blocks, [&](std::size_t b) {
        if (sums[b] == 0.0) return;
        each_row(b, [&](i32 begin, i32 j, i32 k, const std::vector<f32>& row) {
            const u32 first = (static_cast<u32>(k) * size.j + j) * size.i + begin;
            for (std::size_t i = 0; i < row.size(); ++i)
                if (uniform(first + static_cast<u32>(i), seed) < row[i] * per_slope) chosen[b].insert(chosen[b].end(), {k, j, begin + static_cast<i32>(i)});
        });
    });
    std::vector<i32> all;
    for (const std::vector<i32>& some : chosen) all.insert(all.end(), some.begin(), some.end());
    return all;
}

}  // namespace igrt::cpu
