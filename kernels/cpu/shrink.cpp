#include <vector>

#include "kernels.hpp"
#include "pool.hpp"

namespace igrt::cpu {

void shrink(const i16* hu, Size size, Size factor, i16* out) {
    const Size small = {size.i / factor.i, size.j / factor.j, size.k / factor.k};
    const std::size_t row = size.i, slice = row * size.j;
    const i32 count = factor.i * factor.j * factor.k;
    parallel(small.k, [&](std::size_t k) {
        std::vector<i32> sums(row);
        for (i32 j = 0; j < small.j; ++j) {
            sums.assign(row, count / 2);  // half of the divisor rounds half upward below
            for (i32 dk = 0; dk < factor.k; ++dk)
                for (i32 dj = 0; dj < factor.j; ++dj) {
                    const i16* const from = hu + (k * factor.k + dk) * slice + (std::size_t(j) * factor.j + dj) * row;
                    for (std::size_t i = 0; i < row; ++i) sums[i] += from[i];
                }
            i16* const to = out + (k * small.j + j) * small.i;
            for (i32 i = 0; i < small.i; ++i) {
                i32 sum = 32768 * count - (factor.i - 1) * (count / 2);  // positive, so that division rounds down
                for (i32 di = 0; di < factor.i; ++di) sum += sums[i * factor.i + di];
                to[i] = static_cast<i16>(sum / count - 32768);
            }
        }
    });
}

}  // namespace igrt::cpu
