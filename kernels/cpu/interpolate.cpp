#include "kernels.hpp"
#include "pool.hpp"
#include "trilinear.hpp"

namespace igrt::cpu {
namespace {

constexpr f64 edge = 1e-6;  // of a voxel: points on the outer voxel centres count as inside

f32 at(const i16* hu, Size size, const f64 (&index)[3]) {
    const i32 counts[3] = {size.i, size.j, size.k};
    Place<f64> where[3];
    for (int axis = 0; axis < 3; ++axis) {
        const f64 last = counts[axis] - 1;
        if (!(index[axis] >= -edge && index[axis] <= last + edge)) return not_a_number();
        where[axis] = place(clamp(index[axis], 0.0, last), counts[axis]);
    }
    const std::size_t row = size.i, slice = row * size.j;
    const std::size_t x = size.i > 1, y = size.j > 1 ? row : 0, z = size.k > 1 ? slice : 0;
    const i16* const c = hu + where[2].base * slice + where[1].base * row + where[0].base;
    const f64 corners[8] = {f64(c[0]), f64(c[x]), f64(c[y]), f64(c[y + x]), f64(c[z]), f64(c[z + x]), f64(c[z + y]), f64(c[z + y + x])};
    return static_cast<f32>(trilinear(corners, where[0].fraction, where[1].fraction, where[2].fraction));
}

}  // namespace

void interpolate(const i16* hu, Size size, const f64* m, const f64* points_mm, std::size_t count, f32* out) {
    parallel_ranges(count, 4096, [&](std::size_t begin, std::size_t end) {
        for (std::size_t n = begin; n < end; ++n) {
            const f64* const p = points_mm + 3 * n;
            f64 index[3];
            for (int axis = 0; axis < 3; ++axis) {
                const f64* const row = m + 4 * axis;
                index[axis] = row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3];
            }
            out[n] = at(hu, size, index);
        }
    });
}

}  // namespace igrt::cpu
