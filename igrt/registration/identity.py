"""Is this the patient of the plan? The edges inside the body, region by region, each region where it fits best.

A patient who breathes, bends or lost weight keeps the shapes of his bones: once each region is moved by itself, the daily image's HU rise
and fall along the same directions as the planned ones. Somebody else's do not, however well the whole was laid on the plan.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from igrt.compute.verbs import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion
from igrt.registration.match import NOT_SCORED
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.preparation import Region as Shown
from igrt.registration.regions import Regions

EACH = 256  # samples of a region that are looked at
DEEP_MM = 6.0  # samples lie this deep in the body: everyone has an outline
LEAST_DEEP = 24  # samples; a region with fewer says nothing
LEAST_REGIONS = 4
NOISE_PROBES = 4096
MEDIAN_OF_NORMAL = 0.6745  # of |x|, over the standard deviation
LEAST_SIGNAL = 0.3  # share of the daily image's contrast that noise leaves at least


def identity(
    plan: PreparedPlan,
    daily: PreparedDaily,
    plan_from_daily: RigidMotion,
    regions: Regions,
    *,
    isocentre_mm: NDArray[np.float64],
    verbs: Verbs,
) -> float:
    """How alike the edges are in the middle one of the regions, in [-1, 1]; NOT_SCORED where fewer than four regions show any.

    Differences of HU between both neighbours of a voxel along the three axes of the daily image, and of the CT at the same places, as the
    region lies: their correlation, weighed by how strong the planned edge is, less what noise takes from it. `regions` are those of
    the same pose.
    """
    blocks, moves = regions.blocks, regions.moves
    local = blocks.local_mm[:, :, :: max(blocks.local_mm.shape[2] // EACH, 1)].astype(np.float64)
    count = local.shape[2]
    here = (local + blocks.centres_mm[..., None]).transpose(0, 2, 1).reshape(-1, 3) + isocentre_mm
    there = (moves.rotations @ local + (blocks.centres_mm + moves.shifts_mm)[..., None]).transpose(0, 2, 1).reshape(-1, 3) + isocentre_mm
    grid = daily.fine.grid
    places = plan_from_daily.inverse().apply(here)
    index = np.rint(grid.index_ijk(places)).astype(np.intp)
    deep = np.all((index >= 1) & (index <= grid.size_ijk - 2), axis=1) & deep_inside(daily.region, places)
    seen = neighbour_differences(daily.fine, np.where(deep[:, None], index, 1)) if min(grid.shape_kji) > 2 else np.zeros((3, len(deep)))
    steps = moves.rotations @ (plan_from_daily.rotation @ grid.direction * grid.spacing_mm)  # (regions, 3, 3): a daily voxel, in the plan
    planned = planned_differences(plan.fine, there, np.repeat(steps, count, axis=0), verbs)
    deep &= np.isfinite(planned).all(axis=0)
    return middle_likeness(np.where(deep, planned, 0.0), np.where(deep, seen, 0.0), deep, count, noise_hu(daily))


def middle_likeness(planned: NDArray[np.float64], seen: NDArray[np.float64], deep: NDArray[np.bool_], count: int, noise: float) -> float:
    """Median over regions of `count` samples of the weighted correlation of two vectors (3, n); the second holds noise of `noise` HU."""
    squares = (planned**2).sum(axis=0)
    weight = np.where(deep, np.sqrt(squares), 0.0)

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((weight * values).reshape(-1, count).sum(axis=1))

    contrast = summed((seen**2).sum(axis=0))
    clear = np.maximum(contrast - 6 * noise**2 * weight.reshape(-1, count).sum(axis=1), LEAST_SIGNAL * contrast)  # six voxels a sample
    both = np.sqrt(summed(squares) * clear)
    shows = (deep.reshape(-1, count).sum(axis=1) >= LEAST_DEEP) & (both > 0)
    if shows.sum() < LEAST_REGIONS:
        return NOT_SCORED
    likeness = summed((planned * seen).sum(axis=0))[shows] / both[shows]
    return float(np.clip(np.median(likeness), -1.0, 1.0))


def neighbour_differences(volume: Volume, index_ijk: NDArray[np.intp]) -> NDArray[np.float64]:
    """(3, n) HU after less HU before each voxel along i, j, k."""
    flat, (_, rows, columns) = volume.hu.ravel(), volume.grid.shape_kji
    strides = np.array([1, columns, columns * rows])
    at = index_ijk @ strides
    return np.stack([flat[at + step].astype(np.float64) - flat[at - step] for step in strides])


def planned_differences(volume: Volume, places_mm: NDArray[np.float64], steps: NDArray[np.float64], verbs: Verbs) -> NDArray[np.float64]:
    """(3, n) HU of the CT a step after each place less a step before; the columns of `steps` (n, 3, 3) are steps in mm. NaN beyond."""
    ends = np.concatenate([places_mm + side * steps[:, :, axis] for axis in range(3) for side in (1, -1)])
    hu = verbs.interpolate(volume, ends).astype(np.float64).reshape(3, 2, -1)
    return np.asarray(hu[:, 0] - hu[:, 1])


def deep_inside(shown: Shown, places_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the body that the image shows reaches 6 mm beyond each place (n, 3), along all axes."""
    grid = shown.volume.grid
    reach = np.maximum(np.rint(DEEP_MM / grid.spacing_mm), 1).astype(np.intp)
    index = np.rint(grid.index_ijk(places_mm)).astype(np.intp)
    within = np.all((index >= reach) & (index < grid.size_ijk - reach), axis=1)
    strides = np.array([1, grid.shape_kji[2], grid.shape_kji[2] * grid.shape_kji[1]])
    at, inside = np.where(within, index @ strides, 0), (shown.body.ravel(), shown.valid.ravel())
    for step in (0, *(reach * strides), *(-reach * strides)):
        there = np.where(within, at + step, 0)
        within &= inside[0][there] & inside[1][there]
    return np.asarray(within)


def noise_hu(daily: PreparedDaily) -> float:
    """Standard deviation of the noise in a voxel of `daily.fine`: what the body's voxels differ by from the mean of two neighbours."""
    shown, grid = daily.region, daily.fine.grid
    chosen = np.arange(0, shown.body.size, max(shown.body.size // (8 * NOISE_PROBES), 1))
    chosen = chosen[shown.body.ravel()[chosen] & shown.valid.ravel()[chosen]]
    places = grid_places(shown.volume.grid, chosen[:: max(len(chosen) // NOISE_PROBES, 1)])
    index = np.rint(grid.index_ijk(places)).astype(np.intp)
    index = index[np.all((index >= 1) & (index <= grid.size_ijk - 2), axis=1)]
    if not len(index):
        return 0.0
    flat, columns = daily.fine.hu.ravel(), grid.shape_kji[2]
    at = index @ np.array([1, columns, columns * grid.shape_kji[1]])
    found = [float(np.median(np.abs(2.0 * flat[at] - flat[at - step] - flat[at + step]))) for step in (1, columns)]
    return float(np.mean(found)) / MEDIAN_OF_NORMAL / math.sqrt(6.0)


def grid_places(grid: Grid, flat_index: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, 3) mm of voxels by their place in memory."""
    return grid.position_mm(np.stack(np.unravel_index(flat_index, grid.shape_kji)[::-1], axis=-1))
