"""The definition of a radiograph and its derivatives by the pose, in float64 NumPy; the native kernel is tested against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from igrt.compute import projection_reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igrt.compute.radiographs import AttenuationField, View
    from igrt.geometry.grid import Grid


def radiograph(field: AttenuationField, view: View) -> NDArray[np.float64]:
    """Ray sums (rows, columns) through the field, without unit: `projection_reference.project` of one view."""
    return np.asarray(projection_reference.project(field.padded[1:-1, 1:-1, 1:-1], field.grid, view.cameras)[0])


def radiograph_with_derivatives(field: AttenuationField, view: View, centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(7, rows, columns): ray sums, and by how much they change with each motion of the view x -> x + t + w x (x - centre).

    Order tx, ty, tz (per mm), wx, wy, wz (per rad). They are the derivatives of the sum of bilinear samples itself: in the plane n
    across a ray's axis the sample lies at (b + n db, c + n dc), so that the sum changes by `slope_b (change of b + n change of db)`
    and the same along c, and the step from plane to plane changes with the ray's direction.
    """
    padded = field.padded.astype(np.float64)
    camera, changes = view.in_indices(field.grid), view.changes_in_indices(field.grid, centre_mm)
    rows, columns = np.meshgrid(*(np.arange(n) for n in view.shape), indexing="ij")

    def ray(of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(of[1] + rows[..., None] * of[2] + columns[..., None] * of[3] - of[0])

    direction = ray(camera)
    turned = np.stack([ray(change) for change in changes])
    axis = np.abs(direction).argmax(axis=-1)
    out = np.zeros((7, *view.shape))
    for a in range(3):
        mine = axis == a
        if mine.any():
            out[:, mine] = _along(padded, camera[0], direction[mine], changes[:, 0], turned[:, mine], a, field.grid)
    return out


def _along(
    padded: NDArray[np.float64],
    source: NDArray[np.float64],
    ray: NDArray[np.float64],
    source_changes: NDArray[np.float64],
    ray_changes: NDArray[np.float64],
    axis: int,
    grid: Grid,
) -> NDArray[np.float64]:
    """(7, n) for the rays that run along one axis most; `source_changes` (6, 3), `ray_changes` (6, n, 3)."""
    b, c = (m for m in range(3) if m != axis)
    planes = np.moveaxis(padded, 2 - axis, 0)
    run = ray[:, axis]
    slopes = ray / run[:, None]
    slope_changes = (ray_changes - slopes * ray_changes[..., axis : axis + 1]) / run[:, None]
    total = np.zeros((7, len(ray)))
    for n in range(planes.shape[0] - 2):
        along = (n - source[axis]) / run
        place = source + (n - source[axis]) * slopes + 1
        x, y = place[:, b], place[:, c]
        within = (along >= 0) & (along <= 1) & (x >= 0) & (x <= planes.shape[2] - 1) & (y >= 0) & (y <= planes.shape[1] - 1)
        value, by_x, by_y = _bilinear(planes[n + 1], y[within], x[within])
        moved = source_changes[:, None] - source_changes[:, None, axis : axis + 1] * slopes + (n - source[axis]) * slope_changes
        total[0, within] += value
        total[1:, within] += by_x * moved[:, within, b] + by_y * moved[:, within, c]
    step_mm = np.linalg.norm(ray * grid.spacing_mm, axis=1) / np.abs(run)
    total[1:] -= total[0] * ray_changes[..., axis] / run
    return np.asarray(total * step_mm)


def _bilinear(
    image: NDArray[np.float64], row: NDArray[np.float64], column: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values, and their slopes along columns and rows."""
    top = np.minimum(row.astype(np.int64), image.shape[0] - 2)
    left = np.minimum(column.astype(np.int64), image.shape[1] - 2)
    y, x = row - top, column - left
    q0, q1, q2, q3 = image[top, left], image[top, left + 1], image[top + 1, left], image[top + 1, left + 1]
    upper, lower = q0 * (1 - x) + q1 * x, q2 * (1 - x) + q3 * x
    return upper * (1 - y) + lower * y, (q1 - q0) * (1 - y) + (q3 - q2) * y, lower - upper
