"""Three planes through the isocentre, and the two images resampled on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from igrt.compute import reference
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

PIXELS_ACROSS = 420
SMALLEST_PIXEL_MM = 0.5
MARGIN_MM = 12.0

# Name; LPS axis that runs to the right of the picture; LPS axis that runs down it and its sign; letters left, right, top, bottom.
# Radiological display: the patient's left is on the viewer's right, whatever the position on the couch; the letters say so.
_PLANES = (
    ("Transverse", 0, 1, +1, ("R", "L", "A", "P")),
    ("Coronal", 0, 2, -1, ("R", "L", "S", "I")),
    ("Sagittal", 1, 2, -1, ("A", "P", "S", "I")),
)


@dataclass(frozen=True, eq=False)
class Plane:
    """Pixels (rows, columns) of a plane in plan LPS mm: pixel (r, c) lies at `corner_mm + c * across + r * down`."""

    name: str
    letters: tuple[str, str, str, str]
    corner_mm: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    shape: tuple[int, int]

    @property
    def pixel_mm(self) -> float:
        """Edge of a (square) pixel."""
        return float(np.linalg.norm(self.across))

    @cached_property
    def points_mm(self) -> NDArray[np.float64]:
        """Pixel centres (rows * columns, 3), plan LPS mm, row by row."""
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]]
        return np.asarray(self.corner_mm + columns.reshape(-1, 1) * self.across + rows.reshape(-1, 1) * self.down)

    def pixel_of(self, point_mm: NDArray[np.float64]) -> tuple[float, float]:
        """(column, row) of a point's foot on the plane."""
        offset = np.asarray(point_mm, float) - self.corner_mm
        return float(offset @ self.across / self.pixel_mm**2), float(offset @ self.down / self.pixel_mm**2)

    def grid(self) -> Grid:
        """The pixels as a grid one voxel thick along LPS axes; `as_picture` turns an array on it back into rows and columns."""
        last = self.corner_mm + (self.shape[0] - 1) * self.down + (self.shape[1] - 1) * self.across
        counts = np.rint(np.abs(last - self.corner_mm) / self.pixel_mm).astype(int) + 1
        origin = np.minimum(self.corner_mm, last)
        return Grid.aligned(
            Frame.PLAN, shape_kji=(int(counts[2]), int(counts[1]), int(counts[0])), origin_mm=origin, spacing_mm=[self.pixel_mm] * 3
        )

    def as_picture(self, array_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """An array on `grid()` as (rows, columns) of this plane."""
        picture = array_kji.reshape(self.shape)
        return picture[::-1] if self.down.sum() < 0 else picture


def planes_through(centre_mm: NDArray[np.float64], *, plan: Grid, daily: Grid, poses: Sequence[RigidMotion]) -> tuple[Plane, ...]:
    """Transverse, coronal and sagittal plane through `centre_mm` (plan LPS), wide enough for the daily image in every pose."""
    low, high = _view(plan, daily, poses)
    pixel_mm = max(float((high - low).max()) / PIXELS_ACROSS, SMALLEST_PIXEL_MM)
    made = []
    for name, across_axis, down_axis, sign, letters in _PLANES:
        across, down = np.zeros(3), np.zeros(3)
        across[across_axis], down[down_axis] = pixel_mm, sign * pixel_mm
        corner = np.array(centre_mm, float)
        corner[across_axis] = low[across_axis]
        corner[down_axis] = low[down_axis] if sign > 0 else high[down_axis]
        columns = int((high - low)[across_axis] / pixel_mm) + 1
        rows = int((high - low)[down_axis] / pixel_mm) + 1
        made.append(Plane(name, letters, corner, across, down, (rows, columns)))
    return tuple(made)


def resample(volume: Volume, points_mm: NDArray[np.float64], shape: tuple[int, int], *, shown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """HU at points (n, 3) of the volume's frame as a picture of `shape`; NaN outside the volume and where `shown` (k, j, i) is not."""
    hu = np.asarray(reference.interpolate(volume, points_mm), np.float32)
    nearest = np.clip(np.rint(volume.grid.index_ijk(points_mm)).astype(int), 0, volume.grid.size_ijk - 1)
    hu[~shown[nearest[:, 2], nearest[:, 1], nearest[:, 0]]] = np.nan
    return hu.reshape(shape)


def _view(plan: Grid, daily: Grid, poses: Sequence[RigidMotion]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    plan_low, plan_high = _box(plan, RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN))
    boxes = [_box(daily, pose) for pose in poses]
    low = np.maximum(plan_low, np.min([box[0] for box in boxes], axis=0) - MARGIN_MM)
    high = np.minimum(plan_high, np.max([box[1] for box in boxes], axis=0) + MARGIN_MM)
    if not (high > low).all():  # the images do not meet: show the whole plan
        return plan_low, plan_high
    return low, high


def _box(grid: Grid, motion: RigidMotion) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in grid.size_ijk], indexing="ij"), -1).reshape(-1, 3)
    points = motion.apply(grid.position_mm(corners))
    return points.min(axis=0), points.max(axis=0)
