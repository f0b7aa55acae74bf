// Ray sums (project.hpp): a thread a pixel, through the volume with one layer of zeros all around, so that the loop over planes needs no tests.
#include "launch.hpp"
#include "project.hpp"

namespace igrt {

constexpr i32 project_threads = 128;

struct Steps {
    f64 i, j, k;
};

ENTRY(pad, project_threads)
(global<const f32> values, Size size, global<f32> out) {
    const Size padded = {size.i + 2, size.j + 2, size.k + 2};
    const i64 here = place_in_launch(project_threads);
    if (here >= padded.voxels()) return;
    const Voxel v = voxel_at(static_cast<i32>(here), padded);
    const bool within = v.i > 0 && v.j > 0 && v.k > 0 && v.i <= size.i && v.j <= size.j && v.k <= size.k;
    out[here] = within ? values[((v.k - 1) * size.j + v.j - 1) * size.i + v.i - 1] : 0.0f;
}

// cameras: 4 x 3 voxel coordinates a view, source, first pixel, step to the next row, step to the next column.
ENTRY(project, project_threads)
(global<const f32> padded, Size size, Steps spacing_mm, global<const f64> cameras, i32 views, i32 rows, i32 columns, global<f32> out) {
    const i64 here = place_in_launch(project_threads);
    if (here >= static_cast<i64>(views) * rows * columns) return;
    const i64 line = here / columns;
    const i32 column = static_cast<i32>(here - line * columns), row = static_cast<i32>(line % rows);
    const i64 camera = 12 * (line / rows);
    f64 source[3], direction[3];
    for (i32 m = 0; m < 3; ++m) {
        source[m] = cameras[camera + m];
        direction[m] = cameras[camera + 3 + m] + row * cameras[camera + 6 + m] + column * cameras[camera + 9 + m] - source[m];
    }
    const i32 counts[3] = {size.i, size.j, size.k};
    const f64 spacing[3] = {spacing_mm.i, spacing_mm.j, spacing_mm.k};
    const RaySteps ray = ray_steps(source, direction, counts, spacing);
    const i32 over_i = 1, over_j = size.i + 2, over_k = (size.i + 2) * (size.j + 2);
    const i32 over = ray.axis == 0 ? over_i : ray.axis == 1 ? over_j : over_k;
    const i32 over_b = ray.axis == 0 ? over_j : over_i, over_c = ray.axis == 2 ? over_j : over_k;
    const i32 last_b = ray.axis == 0 ? size.j : size.i, last_c = ray.axis == 2 ? size.j : size.k;
    f32 sum = 0.0f;
    for (i32 n = ray.first; n < ray.stop; ++n) {
        const f32 b = ray.b + static_cast<f32>(n) * ray.db, c = ray.c + static_cast<f32>(n) * ray.dc;
        const i32 base_b = clamp(static_cast<i32>(b), 0, last_b), base_c = clamp(static_cast<i32>(c), 0, last_c);
        const i32 at = (n + 1) * over + base_b * over_b + base_c * over_c;
        const f32 x = b - static_cast<f32>(base_b), y = c - static_cast<f32>(base_c);
        sum += bilinear(padded[at], padded[at + over_b], padded[at + over_c], padded[at + over_b + over_c], x, y);
    }
    out[here] = sum * ray.step_mm;
}

}  // namespace igrt
