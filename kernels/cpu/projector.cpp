#include <algorithm>
#include <vector>

#include "backproject.hpp"
#include "kernels.hpp"
#include "pool.hpp"
#include "project.hpp"

namespace igrt::cpu {
namespace {

constexpr int LANES = 16;  // neighbouring pixels or voxels, one a lane

// The volume with one layer of zeros all around, so that the loop over planes needs no tests.
class Padded {
  public:
    Padded(const f32* values, Size size)
        : counts{size.i, size.j, size.k}, strides{1, size.i + 2, std::ptrdiff_t(size.i + 2) * (size.j + 2)}, cells_(strides[2] * (size.k + 2)) {
        parallel(size.k, [&](std::size_t k) {
            for (i32 j = 0; j < size.j; ++j)
                std::copy_n(values + (k * size.j + j) * size.i, size.i, cells_.data() + (k + 1) * strides[2] + (j + 1) * strides[1] + 1);
        });
    }

    // The plane n along an axis, from the corner of its padding.
    const f32* plane(i32 axis, i32 n) const { return cells_.data() + (n + 1) * strides[axis]; }

    const i32 counts[3];
    const std::ptrdiff_t strides[3];

  private:
    std::vector<f32> cells_;
};

// Rays of one group, one a lane.
struct Bundle {
    alignas(64) f32 b[LANES], db[LANES], c[LANES], dc[LANES], step_mm[LANES], sum[LANES];
    alignas(64) i32 axis[LANES], first[LANES], stop[LANES];
};

// Adds plane n across `axis` to every ray that runs along it there.
void add_plane(const Padded& volume, i32 axis, i32 n, Bundle& rays) {
    const i32 b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2;
    const i32 over_b = static_cast<i32>(volume.strides[b]), over_c = static_cast<i32>(volume.strides[c]);
    const i32 last_b = volume.counts[b], last_c = volume.counts[c];
    const f32* const plane = volume.plane(axis, n);
    alignas(64) f32 x[LANES], y[LANES], corner[4][LANES];
    alignas(64) i32 offset[LANES];
    for (int lane = 0; lane < LANES; ++lane) {
        const f32 at_b = rays.b[lane] + static_cast<f32>(n) * rays.db[lane], at_c = rays.c[lane] + static_cast<f32>(n) * rays.dc[lane];
        const i32 base_b = clamp(static_cast<i32>(at_b), 0, last_b), base_c = clamp(static_cast<i32>(at_c), 0, last_c);
        x[lane] = at_b - static_cast<f32>(base_b), y[lane] = at_c - static_cast<f32>(base_c);
        offset[lane] = base_b * over_b + base_c * over_c;
    }
    for (int lane = 0; lane < LANES; ++lane) {
        const f32* const q = plane + offset[lane];
        corner[0][lane] = q[0], corner[1][lane] = q[over_b], corner[2][lane] = q[over_c], corner[3][lane] = q[over_b + over_c];
    }
    for (int lane = 0; lane < LANES; ++lane) {
        const bool within = (rays.axis[lane] == axis) & (n >= rays.first[lane]) & (n < rays.stop[lane]);
        const f32 value = bilinear(corner[0][lane], corner[1][lane], corner[2][lane], corner[3][lane], x[lane], y[lane]);
        rays.sum[lane] += within ? value : 0.0f;
    }
}

void set_up(const f64* camera, i32 row, i32 column, i32 count, const Padded& volume, const f64 (&spacing_mm)[3], Bundle& rays) {
    const f64 source[3] = {camera[0], camera[1], camera[2]};
    for (int lane = 0; lane < LANES; ++lane) {
        f64 direction[3];
        for (int m = 0; m < 3; ++m) direction[m] = camera[3 + m] + row * camera[6 + m] + (column + std::min(lane, count - 1)) * camera[9 + m] - source[m];
        const RaySteps s = ray_steps(source, direction, volume.counts, spacing_mm);
        rays.axis[lane] = s.axis, rays.first[lane] = s.first, rays.stop[lane] = s.stop;
        rays.b[lane] = s.b, rays.db[lane] = s.db, rays.c[lane] = s.c, rays.dc[lane] = s.dc;
        rays.step_mm[lane] = s.step_mm, rays.sum[lane] = 0.0f;
    }
}

void trace(const Padded& volume, Bundle& rays) {
    for (i32 axis = 0; axis < 3; ++axis) {
        i32 first = volume.counts[axis], stop = 0;
        for (int lane = 0; lane < LANES; ++lane)
            if (rays.axis[lane] == axis && rays.first[lane] < rays.stop[lane]) first = std::min(first, rays.first[lane]), stop = std::max(stop, rays.stop[lane]);
        for (i32 n = first; n < stop; ++n) add_plane(volume, axis, n, rays);
    }
}

// Adds one image to a row of voxels; h holds the homogeneous pixel coordinates of the first voxel, `step` those of one i.
void add_image(const f32* image, i32 rows, i32 columns, const f64 (&h)[3], const f64 (&step)[3], i32 count, f32* out) {
    const f32 h0 = static_cast<f32>(h[0]), h1 = static_cast<f32>(h[1]), h2 = static_cast<f32>(h[2]);
    const f32 s0 = static_cast<f32>(step[0]), s1 = static_cast<f32>(step[1]), s2 = static_cast<f32>(step[2]);
    for (i32 first = 0; first < count; first += LANES) {
        alignas(64) f32 x[LANES], y[LANES], weight[LANES], corner[4][LANES];
        alignas(64) i32 offset[LANES];
        for (int lane = 0; lane < LANES; ++lane) {
            const f32 i = static_cast<f32>(first + lane);
            const Footprint f = footprint(h0 + i * s0, h1 + i * s1, h2 + i * s2, rows, columns);
            x[lane] = f.x, y[lane] = f.y, weight[lane] = f.weight, offset[lane] = f.row * columns + f.column;
        }
        for (int lane = 0; lane < LANES; ++lane) {
            const f32* const q = image + offset[lane];
            corner[0][lane] = q[0], corner[1][lane] = q[1], corner[2][lane] = q[columns], corner[3][lane] = q[columns + 1];
        }
        for (int lane = 0; lane < LANES; ++lane)
            corner[0][lane] = weight[lane] * bilinear(corner[0][lane], corner[1][lane], corner[2][lane], corner[3][lane], x[lane], y[lane]);
        for (int lane = 0; lane < std::min(LANES, count - first); ++lane) out[first + lane] += corner[0][lane];
    }
}

}  // namespace

void project(const f32* values, Size size, const f64* spacing_mm, const f64* cameras, i32 views, i32 rows, i32 columns, f32* out) {
    const Padded volume(values, size);
    const f64 spacing[3] = {spacing_mm[0], spacing_mm[1], spacing_mm[2]};
    parallel(std::size_t(views) * rows, [&](std::size_t line) {
        const f64* const camera = cameras + 12 * (line / rows);
        f32* const to = out + line * columns;
        for (i32 column = 0; column < columns; column += LANES) {
            Bundle rays;
            const i32 count = std::min(LANES, columns - column);
            set_up(camera, static_cast<i32>(line % rows), column, count, volume, spacing, rays);
            trace(volume, rays);
            for (int lane = 0; lane < count; ++lane) to[column + lane] = rays.sum[lane] * rays.step_mm[lane];
        }
    });
}

void backproject(const f32* images, i32 views, i32 rows, i32 columns, const f64* pixel_from_index, Size size, f32* out) {
    parallel(size.k, [&](std::size_t k) {
        f32* const slice = out + k * size.j * size.i;
        std::fill_n(slice, std::size_t(size.j) * size.i, 0.0f);
        for (i32 view = 0; view < views; ++view) {
            const f64* const m = pixel_from_index + 12 * view;
            const f64 step[3] = {m[0], m[4], m[8]};
            for (i32 j = 0; j < size.j; ++j) {
                f64 h[3];
                for (int a = 0; a < 3; ++a) h[a] = m[4 * a + 1] * j + m[4 * a + 2] * f64(k) + m[4 * a + 3];
                add_image(images + std::size_t(view) * rows * columns, rows, columns, h, step, size.i, slice + std::size_t(j) * size.i);
            }
        }
    });
}

}  // namespace igrt::cpu
