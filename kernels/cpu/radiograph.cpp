#include <algorithm>
#include <cstring>

#include "kernels.hpp"
#include "lanes.hpp"
#include "pool.hpp"
#include "project_pose.hpp"

namespace igrt::cpu {
namespace {

constexpr i32 TILE_ROWS = 8;  // rows that share what they read of the field
using Lane = f32[LANES];

// A field with one layer of zeros all around, so that the loop over planes needs no tests.
struct Field {
    const f32* cells;
    i32 counts[3];              // without the layer
    std::ptrdiff_t strides[3];  // of the cells

    Field(const f32* padded, Size size)
        : cells(padded), counts{size.i, size.j, size.k}, strides{1, size.i + 2, std::ptrdiff_t(size.i + 2) * (size.j + 2)} {}

    // The plane n along an axis, from the corner of its layer.
    const f32* plane(i32 axis, i32 n) const { return cells + (n + 1) * strides[axis]; }
};

// Rays of one group, one a lane, and their sums.
struct Bundle {
    alignas(64) Lane b, db, c, dc, step_mm;
    alignas(64) Lane value, slope_b, moment_b, slope_c, moment_c;
    alignas(64) i32 axis[LANES], first[LANES], stop[LANES];
};

template <class Vector> LANES_INLINE void load(Vector& to, const void* from) { std::memcpy(&to, from, sizeof to); }
template <class Vector> LANES_INLINE void keep(void* to, const Vector& from) { std::memcpy(to, &from, sizeof from); }

// Adds planes [n, stop) to every ray, or (`Masked`) to those that run along the axis and are within the field there.
template <bool Slopes, bool Masked, bool Neighbours> void add_planes(const Field& field, i32 axis, i32 n, i32 stop, f32 middle, Bundle& rays) {
    const i32 b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2;
    const i32 over_b = Neighbours ? 1 : static_cast<i32>(field.strides[b]), over_c = static_cast<i32>(field.strides[c]);
    const i32 last_b = field.counts[b], last_c = field.counts[c];
    Floats at_first_b, per_b, at_first_c, per_c, value, slope_b, moment_b, slope_c, moment_c;
    load(at_first_b, rays.b), load(per_b, rays.db), load(at_first_c, rays.c), load(per_c, rays.dc), load(value, rays.value);
    load(slope_b, rays.slope_b), load(moment_b, rays.moment_b), load(slope_c, rays.slope_c), load(moment_c, rays.moment_c);
    Whole axes, firsts, stops;
    load(axes, rays.axis), load(firsts, rays.first), load(stops, rays.stop);
    for (; n < stop; ++n) {
        const f32 at = static_cast<f32>(n), from_middle = at - middle;
        const Floats at_b = at_first_b + at * per_b, at_c = at_first_c + at * per_c;
        Whole base_b = __builtin_convertvector(at_b, Whole), base_c = __builtin_convertvector(at_c, Whole);
        base_b = base_b < 0 ? Whole{} : base_b, base_b = base_b > last_b ? Whole{} + last_b : base_b;
        base_c = base_c < 0 ? Whole{} : base_c, base_c = base_c > last_c ? Whole{} + last_c : base_c;
        const Floats x = at_b - __builtin_convertvector(base_b, Floats), y = at_c - __builtin_convertvector(base_c, Floats);
        const Whole offsets = base_b * over_b + base_c * over_c;
        alignas(64) i32 offset[LANES];
        keep(offset, offsets);
        const f32* const plane = field.plane(axis, n);
        Floats q0, q1, q2, q3;
        look_up(plane, offset, over_b, q0, q1);
        look_up(plane + over_c, offset, over_b, q2, q3);
        const Floats near_b = q1 - q0, far_b = q3 - q2;
        const Floats low = q0 + x * near_b, high = q2 + x * far_b;
        const Floats by_c = high - low, here = low + y * by_c;
        const Whole within = Masked ? Whole((axes == axis) & (firsts <= n) & (stops > n)) : ~Whole{};
        const Floats none = {};
        value += Masked ? (within ? here : none) : here;
        if constexpr (Slopes) {
            const Floats by_b = near_b + y * (far_b - near_b);
            slope_b += Masked ? (within ? by_b : none) : by_b;
            moment_b += from_middle * (Masked ? (within ? by_b : none) : by_b);
            slope_c += Masked ? (within ? by_c : none) : by_c;
            moment_c += from_middle * (Masked ? (within ? by_c : none) : by_c);
        }
    }
    keep(rays.value, value), keep(rays.slope_b, slope_b), keep(rays.moment_b, moment_b), keep(rays.slope_c, slope_c), keep(rays.moment_c, moment_c);
}

template <bool Slopes, bool Masked> void add_planes(const Field& field, i32 axis, i32& n, i32 stop, f32 middle, Bundle& rays) {
    if (n >= stop) return;
    if (axis == 0)
        add_planes<Slopes, Masked, false>(field, axis, n, stop, middle, rays);
    else
        add_planes<Slopes, Masked, true>(field, axis, n, stop, middle, rays);
    n = stop;
}

f64 middle_of(const Field& field, i32 axis) { return (field.counts[axis] - 1) / 2; }

template <bool Slopes> void trace(const Field& field, Bundle& rays) {
    for (i32 axis = 0; axis < 3; ++axis) {
        i32 first = field.counts[axis], stop = 0, all_first = 0, all_stop = field.counts[axis];
        for (int lane = 0; lane < LANES; ++lane) {
            const bool mine = rays.axis[lane] == axis && rays.first[lane] < rays.stop[lane];
            if (mine) first = std::min(first, rays.first[lane]), stop = std::max(stop, rays.stop[lane]);
            all_first = std::max(all_first, mine ? rays.first[lane] : field.counts[axis]), all_stop = std::min(all_stop, mine ? rays.stop[lane] : 0);
        }
        const f32 middle = static_cast<f32>(middle_of(field, axis));
        i32 n = first;
        add_planes<Slopes, true>(field, axis, n, std::min(stop, all_first), middle, rays);
        add_planes<Slopes, false>(field, axis, n, std::min(stop, all_stop), middle, rays);
        add_planes<Slopes, true>(field, axis, n, stop, middle, rays);
    }
}

// The camera of one image, in voxel indices: source, first pixel, steps to the next row and column.
Ray ray_of(const f64* camera, i32 row, i32 column) {
    Ray ray;
    for (int m = 0; m < 3; ++m) {
        ray.source[m] = camera[m];
        ray.direction[m] = camera[3 + m] + row * camera[6 + m] + column * camera[9 + m] - camera[m];
    }
    return ray;
}

void set_up(const f64* camera, i32 row, i32 column, i32 count, const Field& field, const f64 (&spacing_mm)[3], Bundle& rays) {
    for (int lane = 0; lane < LANES; ++lane) {
        const Ray ray = ray_of(camera, row, column + std::min(lane, count - 1));
        const RaySteps s = ray_steps(ray.source, ray.direction, field.counts, spacing_mm);
        rays.axis[lane] = s.axis, rays.first[lane] = s.first, rays.stop[lane] = s.stop;
        rays.b[lane] = s.b, rays.db[lane] = s.db, rays.c[lane] = s.c, rays.dc[lane] = s.dc, rays.step_mm[lane] = s.step_mm;
        rays.value[lane] = rays.slope_b[lane] = rays.moment_b[lane] = rays.slope_c[lane] = rays.moment_c[lane] = 0.0f;
    }
}

// Changes of the camera by each of the six motions are linear in row and column, as the camera is.
void write_derivatives(const f64* camera, const f64* changes, const Field& field, i32 row, i32 column, i32 count, const Bundle& rays, std::ptrdiff_t plane,
                       f32* out) {
    for (int lane = 0; lane < count; ++lane) {
        const Ray ray = ray_of(camera, row, column + lane);
        const RaySums sums = {rays.value[lane], rays.slope_b[lane], rays.moment_b[lane], rays.slope_c[lane], rays.moment_c[lane]};
        const i32 axis = rays.axis[lane];
        for (int motion = 0; motion < 6; ++motion) {
            const RayChange change = ray_of(changes + 12 * motion, row, column + lane);
            out[(motion + 1) * plane + lane] =
                static_cast<f32>(ray_derivative(ray, change, sums, axis, middle_of(field, axis), static_cast<f64>(rays.step_mm[lane])));
        }
    }
}

}  // namespace

void radiograph(const f32* padded, Size size, const f64* spacing_mm, const f64* camera, const f64* changes, i32 rows, i32 columns, f32* out) {
    const Field field(padded, size);
    const f64 spacing[3] = {spacing_mm[0], spacing_mm[1], spacing_mm[2]};
    parallel((rows + TILE_ROWS - 1) / TILE_ROWS, [&](std::size_t tile) {
        const i32 first = static_cast<i32>(tile) * TILE_ROWS, stop = std::min(first + TILE_ROWS, rows);
        for (i32 column = 0; column < columns; column += LANES)
            for (i32 row = first; row < stop; ++row) {
                Bundle rays;
                const i32 count = std::min(LANES, columns - column);
                f32* const to = out + std::ptrdiff_t(row) * columns + column;
                set_up(camera, row, column, count, field, spacing, rays);
                changes ? trace<true>(field, rays) : trace<false>(field, rays);
                for (int lane = 0; lane < count; ++lane) to[lane] = rays.value[lane] * rays.step_mm[lane];
                if (changes) write_derivatives(camera, changes, field, row, column, count, rays, std::ptrdiff_t(rows) * columns, to);
            }
    });
}

}  // namespace igrt::cpu
