// The CPU loops: what module.cpp binds. Arrays are C-contiguous; a size is voxels along i, j, k; an affine is a
// row-major (3, 4) matrix. Arguments were checked by the caller.
#pragma once

#include <cstddef>
#include <vector>

#include "portable.hpp"

namespace igrt::cpu {

struct Size {
    i32 i, j, k;
};

// interpolate.cpp: out[n] = trilinear hu at index_from_mm * points[n]; NaN outside the outer voxel centres.
void interpolate(const i16* hu, Size size, const f64* index_from_mm, const f64* points_mm, std::size_t count, f32* out);

// shrink.cpp: out = mean over blocks of `factor` voxels, rounded half upward; a remainder at the far end is left out.
void shrink(const i16* hu, Size size, Size factor, i16* out);

// normalise.cpp: local scores (score.hpp) over a window of 2 half + 1 voxels, of which at least `least` must be valid.
void normalise(const i16* hu, const u8* valid, Size size, Size half, i32 least, f32 floor_hu, i16* out);

// correlate.cpp: local correlation (correlation.hpp) of two images on one grid over a window of 2 half + 1 voxels.
void correlate(const i16* first, const i16* second, const u8* valid, Size size, Size half, f32 floor_hu, f32* values, f32* weights);

// draw.cpp: voxels (k, j, i) drawn with probability wanted * slope / sum of slopes, block by block of `block` voxels.
std::vector<i32> draw(const i16* scores, Size size, const f32* spacing_ijk_mm, Size block, f64 wanted, u32 seed);

// A rigid pose: y = rotation s + translation (mm), rotation row-major.
struct Pose {
    f32 rotation[9], translation[3];
};

// accumulate.cpp: the sums of residual.hpp over each chunk of samples; out has accumulate_chunks(count) rows of `terms`.
constexpr std::size_t samples_per_chunk = 1024;
constexpr std::size_t accumulate_chunks(std::size_t count) { return (count + samples_per_chunk - 1) / samples_per_chunk; }
void accumulate(const i16* scores, Size size, const f32* index_from_mm, const f32* positions_mm, const f32* values,
                std::size_t count, const Pose& pose, f32 scale, f64* out);

// projector.cpp: ray sums (project.hpp) through `values`. A camera is 4 x 3 voxel coordinates: source, first pixel, step to the
// next row, step to the next column; out is (views, rows, columns), in the units of values times mm.
void project(const f32* values, Size size, const f64* spacing_mm, const f64* cameras, i32 views, i32 rows, i32 columns, f32* out);

// radiograph.cpp: ray sums of one camera through a field that has one layer of zeros all around (`size` is without it), out (rows, columns);
// with `changes` (6, 4, 3), what the camera changes by in each of the six motions of the pose, out is (7, rows, columns): the derivatives follow
// (project_pose.hpp).
void radiograph(const f32* padded, Size size, const f64* spacing_mm, const f64* camera, const f64* changes, i32 rows, i32 columns, f32* out);

// projector.cpp: sums over images (views, rows, columns) of backproject.hpp; pixel_from_index is 3 x 4 a view and gives
// (column depth, row depth, depth) of a voxel index.
void backproject(const f32* images, i32 views, i32 rows, i32 columns, const f64* pixel_from_index, Size size, f32* out);

}  // namespace igrt::cpu
