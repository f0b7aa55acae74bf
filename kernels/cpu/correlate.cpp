#include "box.hpp"
#include "correlation.hpp"
#include "kernels.hpp"

namespace igrt::cpu {
namespace {

enum Channel : int { count, first_sum, second_sum, first_squares, second_squares, products, channels };

}  // namespace

void correlate(const i16* first, const i16* second, const u8* valid, Size size, Size half, f32 floor_hu, f32* values, f32* weights) {
    const f64 floor_steps = f64(floor_hu) / step_hu, floor_squared = floor_steps * floor_steps;
    const auto read = [=](std::size_t from, std::size_t n, const Rows<channels>& rows) {
        for (std::size_t p = 0; p < n; ++p) {
            const i32 counted = valid[from + p] != 0, a = counted * steps(first[from + p]), b = counted * steps(second[from + p]);
            rows[count][p] = static_cast<u32>(counted);
            rows[first_sum][p] = static_cast<u32>(a);
            rows[second_sum][p] = static_cast<u32>(b);
            rows[first_squares][p] = static_cast<u32>(a * a);
            rows[second_squares][p] = static_cast<u32>(b * b);
            rows[products][p] = static_cast<u32>(a * b);
        }
    };
    const auto write = [=](std::size_t from, std::size_t n, const ConstRows<channels>& rows) {
        for (std::size_t p = 0; p < n; ++p) {
            const PairWindow window = {static_cast<i32>(rows[count][p]), static_cast<i32>(rows[first_sum][p]), static_cast<i32>(rows[second_sum][p]),
                                       rows[first_squares][p], rows[second_squares][p], static_cast<i32>(rows[products][p])};
            const Correlation here = correlation(valid[from + p] != 0, window, floor_squared);
            values[from + p] = here.value;
            weights[from + p] = here.weight;
        }
    };
    box_sums<channels>(size, half, read, write);
}

}  // namespace igrt::cpu
