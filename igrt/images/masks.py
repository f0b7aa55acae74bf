"""Structures on a voxel grid: a voxel is inside where its centre is, by the even-odd rule."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.images.records import Structure

PLANAR_TOLERANCE = 0.25  # slices: how far the vertices of a contour may lie from their plane
_EPSILON = 1e-6  # index units: below what files resolve, above rounding


def mask(structure: Structure, grid: Grid) -> NDArray[np.bool_]:
    """(k, j, i) True where the voxel centre lies inside the structure.

    Contours of one plane combine by the even-odd rule, so that an inner contour or a keyhole is a hole. A slice takes
    the nearest plane within half a slice; where contours were drawn on every second slice or fewer, those between two
    planes take the nearer one (a gap wider than 1.5 times the usual step stays a gap). A centre on a contour is inside
    at the lower and outside at the upper side, so that neighbours share no voxel.
    InputError where contours are not parallel to the slices of the grid or no voxel centre lies inside.
    """
    inside = np.zeros(grid.shape_kji, dtype=np.bool_)
    for k, inside_ji in _rasters(structure, grid):
        inside[k] = inside_ji
    return inside


def centroid_mm(structure: Structure, grid: Grid) -> NDArray[np.float64]:
    """Mean (3,) of the voxel centres inside the structure, in the frame of the grid (mm); InputError as for `mask`."""
    total_ijk, count = np.zeros(3), 0
    for k, inside_ji in _rasters(structure, grid):
        j, i = np.nonzero(inside_ji)
        total_ijk += [i.sum(), j.sum(), k * len(i)]
        count += len(i)
    return grid.position_mm(total_ijk / count)


def _rasters(structure: Structure, grid: Grid) -> list[tuple[int, NDArray[np.bool_]]]:
    """The slices k that hold a voxel centre inside the structure, each with its (j, i) raster; InputError where none does."""
    planes = _planes(structure, grid)
    reached = _slices(np.array(sorted(planes)), grid.shape_kji[0])
    rasters = [(k, even_odd(planes[plane], grid.shape_kji[1:])) for k, plane in reached]
    found = [(k, raster) for k, raster in rasters if raster.any()]
    if not found:
        raise InputError(
            f"structure {structure.name!r} is empty on the CT: no voxel centre lies inside its contours; check what it was drawn on"
        )
    return found


def even_odd(polygons_ij: list[NDArray[np.float64]], shape_ji: tuple[int, int]) -> NDArray[np.bool_]:
    """(j, i) True at whole indices inside an odd number of the polygons, each (n, 2) vertices (i, j) and closed.

    Every edge toggles, on each row j that it crosses, all i at or right of the crossing (rows half-open: from <= j < to).
    """
    rows, columns = shape_ji
    start = np.concatenate(polygons_ij)
    end = np.concatenate([np.roll(p, -1, axis=0) for p in polygons_ij])
    upward = end[:, 1] > start[:, 1]
    low, high = np.where(upward[:, None], start, end), np.where(upward[:, None], end, start)
    first = np.clip(np.ceil(low[:, 1]), 0, rows).astype(np.int64)
    count = np.maximum(np.clip(np.ceil(high[:, 1]), 0, rows).astype(np.int64) - first, 0)
    edge = np.repeat(np.arange(len(first)), count)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    share = (row - low[edge, 1]) / (high[edge, 1] - low[edge, 1])
    crossing = low[edge, 0] + share * (high[edge, 0] - low[edge, 0])
    toggles = np.zeros((rows, columns + 1), dtype=np.uint8)
    np.bitwise_xor.at(toggles, (row, np.clip(np.ceil(crossing), 0, columns).astype(np.int64)), 1)
    return np.bitwise_xor.accumulate(toggles[:, :-1], axis=1).astype(np.bool_)


def _planes(structure: Structure, grid: Grid) -> dict[float, list[NDArray[np.float64]]]:
    """The contours (n, 2) in index coordinates (i, j) by the k of their plane."""
    planes: dict[float, list[NDArray[np.float64]]] = {}
    for contour in structure.contours_mm:
        if len(contour) < 3:
            continue
        index = np.round(grid.index_ijk(contour), 6)  # a vertex meant for a voxel centre is on it
        k = float(index[:, 2].mean())
        if not np.abs(index[:, 2] - k).max() <= PLANAR_TOLERANCE:
            raise InputError(f"structure {structure.name!r} has a contour across the slices of the CT; export contours drawn on its slices")
        planes.setdefault(round(k, 2), []).append(index[:, :2])
    return planes


def _slices(planes: NDArray[np.float64], slices: int) -> list[tuple[int, float]]:
    """Each slice that belongs to the structure, with its nearest plane; planes ascending, in slices."""
    gaps = np.diff(planes)
    widest = 1.5 * float(np.median(gaps)) if len(gaps) else 0.0
    bridged = [(a, b) for a, b in itertools.pairwise(planes) if b - a <= widest]
    reached: list[tuple[int, float]] = []
    for k in range(slices):
        distance = k - planes
        plane = float(planes[np.abs(distance).argmin()])
        near = bool(((distance >= -0.5 - _EPSILON) & (distance < 0.5 - _EPSILON)).any())
        if near or any(a <= k <= b for a, b in bridged):
            reached.append((k, plane))
    return reached
