// Backprojection (backproject.hpp): a block a piece of a row of voxels, a thread a voxel, over all images. The part of a voxel's pixel that its row fixes
// is in float64, once a row and image, by the threads together.
#include "backproject.hpp"
#include "launch.hpp"

namespace igrt {

constexpr i32 backproject_threads = 128;
constexpr i32 row_terms = 6;  // (column depth, row depth, depth) of the row's first voxel, and their steps along i
constexpr i32 views_at_once = backproject_threads;

// pixel_from_index: 3 x 4 a view. A row of voxels is cut into `pieces`.
ENTRY(backproject, backproject_threads)
(global<const f32> images, i32 views, i32 rows, i32 columns, global<const f64> pixel_from_index, Size size, i32 pieces, global<f32> out) {
    SHARED shared<f32, views_at_once * row_terms> of_row;
    const i32 line = block_index() / pieces, j = line % size.j, k = line / size.j;
    const i32 i = (block_index() - line * pieces) * backproject_threads + thread_index();
    f32 sum = 0.0f;
    for (i32 first = 0; first < views; first += views_at_once) {
        const i32 mine = first + thread_index();
        if (mine < views)
            for (i32 a = 0; a < 3; ++a) {
                const i64 m = 12 * static_cast<i64>(mine) + 4 * a;
                of_row[thread_index() * row_terms + a] = static_cast<f32>(pixel_from_index[m + 1] * j + pixel_from_index[m + 2] * k + pixel_from_index[m + 3]);
                of_row[thread_index() * row_terms + 3 + a] = static_cast<f32>(pixel_from_index[m]);
            }
        barrier();
        for (i32 n = 0; n < minimum(views_at_once, views - first); ++n) {
            f32 h[row_terms];
            for (i32 a = 0; a < row_terms; ++a) h[a] = of_row[n * row_terms + a];
            const f32 along = static_cast<f32>(i);
            const Footprint f = footprint(h[0] + along * h[3], h[1] + along * h[4], h[2] + along * h[5], rows, columns);
            const i64 at = (static_cast<i64>(first + n) * rows + f.row) * columns + f.column;
            sum += f.weight * bilinear(images[at], images[at + 1], images[at + columns], images[at + columns + 1], f.x, f.y);
        }
        barrier();  // all have read the terms before the next images' are written
    }
    if (i < size.i) out[static_cast<i64>(line) * size.i + i] = sum;
}

}  // namespace igrt
