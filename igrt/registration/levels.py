"""The levels of the match, coarse to fine: one table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.grid import Grid


@dataclass(frozen=True, slots=True)
class Level:
    """One level: the window of the local normalisation, the voxel size that volumes are averaged to, how many samples, the robust scale.

    `scale` is in local standard deviations; `tolerance_mm` ends the iteration: the displacement of a step 80 mm away from the isocentre.
    """

    window_mm: float
    spacing_mm: float
    samples: int
    scale: float
    iterations: int
    tolerance_mm: float


LEVELS = (
    Level(window_mm=60.0, spacing_mm=10.0, samples=8_000, scale=1.0, iterations=15, tolerance_mm=0.5),
    Level(window_mm=30.0, spacing_mm=6.0, samples=16_000, scale=1.0, iterations=15, tolerance_mm=0.2),
    Level(window_mm=20.0, spacing_mm=4.0, samples=32_000, scale=1.0, iterations=20, tolerance_mm=0.05),
    Level(window_mm=12.0, spacing_mm=2.5, samples=64_000, scale=1.0, iterations=20, tolerance_mm=0.02),
    Level(window_mm=8.0, spacing_mm=1.5, samples=128_000, scale=1.0, iterations=20, tolerance_mm=0.005),
)
FLOOR_HU = 60.0


def shrink_factors(grid: Grid, spacing_mm: float) -> tuple[int, int, int]:
    """Voxels to average along k, j, i for a voxel size near `spacing_mm`, never more than there are."""
    wanted = np.maximum(np.rint(spacing_mm / grid.spacing_mm), 1)
    i, j, k = (int(f) for f in np.minimum(wanted, grid.size_ijk))
    return k, j, i


def shrunk_grid(grid: Grid, factors_kji: tuple[int, int, int]) -> Grid:
    """The grid of the block means: its voxel centres are the centres of the blocks."""
    factors = np.array(factors_kji[::-1])
    k, j, i = (n // f for n, f in zip(grid.shape_kji, factors_kji, strict=True))
    return Grid(grid.frame, (k, j, i), grid.position_mm((factors - 1) / 2), grid.spacing_mm * factors, grid.direction)


def half_window(grid: Grid, window_mm: float) -> tuple[int, int, int]:
    """Half widths (k, j, i) of a window of 2 half + 1 voxels that is about `window_mm` wide, at least 3 voxels."""
    i, j, k = (int(h) for h in np.maximum(np.rint((window_mm / grid.spacing_mm - 1) / 2), 1))
    return k, j, i


def nearest_index(grid: Grid, coarse: Grid) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """For each k, j, i of `grid`, the nearest k, j, i of `coarse`, a grid with the same axes."""
    shift = coarse.index_ijk(grid.origin_mm)
    ratio = grid.spacing_mm / coarse.spacing_mm
    i, j, k = (
        np.clip(np.rint(shift[axis] + ratio[axis] * np.arange(grid.size_ijk[axis])), 0, coarse.size_ijk[axis] - 1).astype(np.intp)
        for axis in range(3)
    )
    return k, j, i
