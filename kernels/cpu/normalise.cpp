#include "box.hpp"
#include "kernels.hpp"
#include "score.hpp"

namespace igrt::cpu {
namespace {

enum Channel : int { count, sum, squares, channels };

}  // namespace

void normalise(const i16* hu, const u8* valid, Size size, Size half, i32 least, f32 floor_hu, i16* out) {
    const f32 floor_steps = floor_hu / static_cast<f32>(step_hu), floor_squared = floor_steps * floor_steps;
    const auto read = [=](std::size_t first, std::size_t n, const Rows<channels>& rows) {
        for (std::size_t p = 0; p < n; ++p) {
            const i32 counted = valid[first + p] != 0, value = counted * steps(hu[first + p]);
            rows[count][p] = static_cast<u32>(counted);
            rows[sum][p] = static_cast<u32>(value);
            rows[squares][p] = static_cast<u32>(value * value);
        }
    };
    const auto write = [=](std::size_t first, std::size_t n, const ConstRows<channels>& rows) {
        for (std::size_t p = 0; p < n; ++p) {
            const Window window = {static_cast<i32>(rows[count][p]), static_cast<i32>(rows[sum][p]), rows[squares][p]};
            out[first + p] = score(hu[first + p], valid[first + p] != 0, window, least, floor_squared);
        }
    };
    box_sums<channels>(size, half, read, write);
}

}  // namespace igrt::cpu
