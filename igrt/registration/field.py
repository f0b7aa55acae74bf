"""Where an image shows something: the field of view of its reconstruction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.grid import Grid

EDGE_MM = 3.0  # the rim of the reconstruction circle is left out
LEAST_DISC_FILL = 0.95
LEAST_DISC_EXTENT = 0.8


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """A box of voxels, and within it a cylinder along one array axis.

    `first_kji` and `last_kji` are the outermost voxels that differ from the padding. `axis` (0, 1, 2 for k, j, i) is the cylinder's,
    `centre` its place in voxels along the two other axes in array order, `radius_mm` its radius; None where there is no cylinder.
    """

    first_kji: tuple[int, ...]
    last_kji: tuple[int, ...]
    axis: int
    centre: tuple[float, float]
    radius_mm: float | None

    def on(self, grid: Grid, factors_kji: tuple[int, int, int]) -> NDArray[np.bool_]:
        """(k, j, i) whether a voxel of `grid`, which averages `factors_kji` original voxels, lies wholly in the field of view."""
        first = [np.arange(n) * f for n, f in zip(grid.shape_kji, factors_kji, strict=True)]
        inside = np.ones(grid.shape_kji, bool)
        for axis, start in enumerate(first):
            shown = (start >= self.first_kji[axis]) & (start + factors_kji[axis] - 1 <= self.last_kji[axis])
            inside &= shown.reshape([-1 if a == axis else 1 for a in range(3)])
        if self.radius_mm is not None:
            across = [a for a in range(3) if a != self.axis]
            steps = [float(grid.spacing_mm[2 - a]) / factors_kji[a] for a in across]
            offsets = [(first[a] + (factors_kji[a] - 1) / 2 - c) * step for a, c, step in zip(across, self.centre, steps, strict=True)]
            half = math.hypot(*(step * (factors_kji[a] - 1) / 2 for a, step in zip(across, steps, strict=True)))
            disc = np.hypot(offsets[0][:, None], offsets[1][None, :]) <= self.radius_mm - EDGE_MM - half
            inside &= np.expand_dims(disc, self.axis)
        return inside


class FieldFinder:
    """Finds the field of view from slabs in any order: outside a reconstruction cylinder every voxel holds one constant."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        shapes = [tuple(n for a, n in enumerate(grid.shape_kji) if a != axis) for axis in range(3)]
        self._least = [np.full(shape, np.iinfo(np.int16).max, np.int16) for shape in shapes]  # along k, j, i
        self._most = [np.full(shape, np.iinfo(np.int16).min, np.int16) for shape in shapes]

    def add(self, k_start: int, slab: NDArray[np.int16]) -> None:
        """Slices from `k_start` on, (k, j, i)."""
        for axis in range(3):
            here = slice(None) if axis == 0 else slice(k_start, k_start + len(slab))
            np.minimum(self._least[axis][here], slab.min(axis=axis), out=self._least[axis][here])
            np.maximum(self._most[axis][here], slab.max(axis=axis), out=self._most[axis][here])

    def finish(self, padding: int) -> FieldOfView:
        """The cylinder beyond which all is `padding`, where there is one, else the box; everything where the image is constant."""
        shown = [(least != padding) | (most != padding) for least, most in zip(self._least, self._most, strict=True)]
        if not shown[0].any():
            shown = [np.ones_like(seen) for seen in shown]
        seen_along = (shown[1].any(axis=1), shown[0].any(axis=1), shown[0].any(axis=0))
        first = tuple(int(seen.argmax()) for seen in seen_along)
        last = tuple(len(seen) - 1 - int(seen[::-1].argmax()) for seen in seen_along)
        for axis, seen in enumerate(shown):
            disc = self._disc(axis, seen)
            if disc is not None:
                return FieldOfView(first, last, axis, *disc)
        return FieldOfView(first, last, 0, (0.0, 0.0), None)

    def _disc(self, axis: int, seen: NDArray[np.bool_]) -> tuple[tuple[float, float], float] | None:
        """Centre (voxels) and radius (mm) of `seen` where it is a disc that all but fills the image and cuts its corners."""
        steps = [float(self._grid.spacing_mm[2 - a]) for a in range(3) if a != axis]
        rows, columns = np.argwhere(seen).T
        centre = ((float(rows.min()) + float(rows.max())) / 2, (float(columns.min()) + float(columns.max())) / 2)
        r, c = np.ogrid[: seen.shape[0], : seen.shape[1]]
        distance = np.hypot((r - centre[0]) * steps[0], (c - centre[1]) * steps[1])
        radius = float(distance[seen].max())
        extents = [(np.ptp(n) + 1) / count for n, count in zip((rows, columns), seen.shape, strict=True)]
        sides = [count * step for count, step in zip(seen.shape, steps, strict=True)]
        # As wide as a disc of that radius is, along both axes, or as the image can show of it.
        spans = all(e * side + 2 * step >= min(2 * radius, side) for e, side, step in zip(extents, sides, steps, strict=True))
        filled = bool(seen[distance <= radius].mean() >= LEAST_DISC_FILL)
        cuts = radius < float(distance.max()) - EDGE_MM
        return (centre, radius) if spans and filled and cuts and min(extents) >= LEAST_DISC_EXTENT else None
