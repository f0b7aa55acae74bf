"""The definition of projection and backprojection, in float64 NumPy; the native kernels are tested against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igrt.compute.projection import Cameras
    from igrt.geometry.grid import Grid


def project(values: NDArray[np.float32], grid: Grid, cameras: Cameras) -> NDArray[np.float64]:
    """Ray sums (views, rows, columns) through `values` (k, j, i) on `grid`, in the units of `values` times mm.

    Joseph's method: one bilinear sample in every voxel plane across the index axis along which the ray advances most, times
    the length of ray between two planes. Outside the outer voxel centres the field falls linearly to zero within one
    voxel. Only what lies between source and pixel counts.
    """
    padded = np.pad(values.astype(np.float64), 1)
    rows, columns = np.meshgrid(*(np.arange(n) for n in cameras.shape), indexing="ij")
    out = np.zeros((len(cameras.source_mm), *cameras.shape))
    for view, (source, first, row, column) in enumerate(cameras.in_indices(grid)):
        ray = first + rows[..., None] * row + columns[..., None] * column - source
        axis = np.abs(ray).argmax(axis=-1)
        for a in range(3):
            mine = axis == a
            out[view][mine] = _plane_sums(padded, source, ray[mine], a) * _step_mm(ray[mine], grid.spacing_mm, a)
    return out


def _step_mm(ray: NDArray[np.float64], spacing_mm: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(ray * spacing_mm, axis=1) / np.abs(ray[:, axis]))


def _plane_sums(padded: NDArray[np.float64], source: NDArray[np.float64], ray: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    b, c = (m for m in range(3) if m != axis)
    planes = np.moveaxis(padded, 2 - axis, 0)  # (axis, c, b) after the move, as arrays are indexed k, j, i
    total = np.zeros(len(ray))
    for n in range(planes.shape[0] - 2):
        along = (n - source[axis]) / ray[:, axis]
        x, y = source[b] + along * ray[:, b] + 1, source[c] + along * ray[:, c] + 1
        within = (along >= 0) & (along <= 1) & (x >= 0) & (x <= planes.shape[2] - 1) & (y >= 0) & (y <= planes.shape[1] - 1)
        total[within] += _bilinear(planes[n + 1], y[within], x[within])
    return total


def _bilinear(image: NDArray[np.float64], row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
    top = np.minimum(row.astype(np.int64), image.shape[0] - 2)
    left = np.minimum(column.astype(np.int64), image.shape[1] - 2)
    y, x = row - top, column - left
    upper = image[top, left] * (1 - x) + image[top, left + 1] * x
    lower = image[top + 1, left] * (1 - x) + image[top + 1, left + 1] * x
    return np.asarray(upper * (1 - y) + lower * y)


def backproject(images: NDArray[np.float32], cameras: Cameras, grid: Grid) -> NDArray[np.float64]:
    """Sum over views of the image where the ray through a voxel meets it, over the square of the voxel's depth (mm).

    `images` is (views, rows, columns), read bilinearly; outside the outer pixel centres an image counts as zero. Depth is
    the distance of the voxel from the source across the image plane.
    """
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    voxels = np.stack([i, j, k, np.ones_like(i)]).reshape(4, -1).astype(np.float64)
    total = np.zeros(voxels.shape[1])
    for image, pixel_from_index in zip(images, cameras.pixel_from_index(grid), strict=True):
        column, row, depth = pixel_from_index @ voxels
        column, row = column / depth, row / depth
        inside = (depth > 0) & (column >= 0) & (column <= image.shape[1] - 1) & (row >= 0) & (row <= image.shape[0] - 1)
        total[inside] += _bilinear(image.astype(np.float64), row[inside], column[inside]) / depth[inside] ** 2
    return total.reshape(grid.shape_kji)
