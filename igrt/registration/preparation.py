"""What can be made ready before two images meet: the plan's levels at plan load, the daily levels while slabs arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import NO_SCORE
from igrt.compute.verbs import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.registration.body import body, grow
from igrt.registration.field import FieldFinder, FieldOfView
from igrt.registration.levels import FLOOR_HU, LEVELS, half_window, nearest_index, shrink_factors, shrunk_grid
from igrt.registration.plan_samples import PlanSamples, draw_plan
from igrt.registration.samples import LevelScores, Samples, draw_samples

BODY_LEVEL = 2  # the level whose voxels the body is found on
FINE_LEVEL = 3  # the level whose voxels a region is made of
PLAN_MARGIN_MM = 8.0
DAILY_MARGIN_MM = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A coarse volume with its valid voxels and the body: what evidence is measured on."""

    volume: Volume
    valid: NDArray[np.bool_]
    body: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPlan:
    """A planning CT ready to be matched against; Masks of a region are made on `fine`; `samples` are looked up in the daily image."""

    levels: tuple[LevelScores, ...]
    region: Region
    fine: Volume
    samples: PlanSamples


@dataclass(frozen=True, slots=True, eq=False)
class PreparedDaily:
    """A daily image ready to be matched: samples by level, about the centre of its grid, and the scores that more can be drawn from.

    `fine` is its HU on the voxels that a plan's regions are made of.
    """

    centre_mm: NDArray[np.float64]
    levels: tuple[Samples, ...]
    region: Region
    scores: tuple[LevelScores, ...]
    fine: Volume


class Pyramid:
    """Block means of a volume at every level's voxel size, made as slabs arrive, in any order and size."""

    def __init__(self, grid: Grid, verbs: Verbs) -> None:
        self.grid = grid
        self._verbs = verbs
        self._hu = np.empty(grid.shape_kji, np.int16)
        self._has = np.zeros(grid.shape_kji[0], bool)
        self._field = FieldFinder(grid)
        self.factors = [shrink_factors(grid, level.spacing_mm) for level in LEVELS]
        self.grids = [shrunk_grid(grid, factors) for factors in self.factors]
        self.volumes = [np.empty(small.shape_kji, np.int16) for small in self.grids]
        self._done = [np.zeros(small.shape_kji[0], bool) for small in self.grids]

    def add(self, k_start: int, slab: NDArray[np.int16]) -> None:
        """Slices from `k_start` on, (k, j, i) int16; ValueError where they do not fit the grid."""
        k_end = k_start + len(slab)
        shape = self.grid.shape_kji
        if slab.dtype != np.int16 or slab.ndim != 3 or slab.shape[1:] != shape[1:] or not 0 <= k_start < k_end <= shape[0]:
            raise ValueError(f"slab {slab.dtype} {slab.shape} at slice {k_start} does not fit the grid {shape}; give int16 slices of it")
        self._hu[k_start:k_end] = slab
        self._has[k_start:k_end] = True
        self._field.add(k_start, slab)
        for factors, volume, done in zip(self.factors, self.volumes, self._done, strict=True):
            blocks = self._has[: len(done) * factors[0]].reshape(-1, factors[0]).all(axis=1) & ~done
            edges = np.flatnonzero(np.diff(blocks, prepend=False, append=False))
            for begin, end in zip(edges[::2], edges[1::2], strict=True):  # runs of blocks that have become whole
                volume[begin:end] = self._verbs.shrink(self._hu[begin * factors[0] : end * factors[0]], factors)
            done |= blocks

    def finish(self) -> FieldOfView:
        """The field of view; ValueError where slices are missing."""
        if not self._has.all():
            missing = np.flatnonzero(~self._has)
            raise ValueError(f"{len(missing)} slices of the image, the first {missing[0]}, were never added; add every slice before finish")
        return self._field.finish(int(self._hu[0, 0, 0]))


def levels_of(pyramid: Pyramid, verbs: Verbs, margin_mm: float) -> tuple[Region, list[NDArray[np.int16]]]:
    """The region that evidence is measured on, and each level's scores within the body and its margin."""
    field = pyramid.finish()
    valid = [field.on(grid, factors) for grid, factors in zip(pyramid.grids, pyramid.factors, strict=True)]
    coarse = pyramid.grids[BODY_LEVEL]
    patient = body(pyramid.volumes[BODY_LEVEL], valid[BODY_LEVEL], coarse)
    near = grow(patient, coarse, margin_mm)
    scores = []
    for level, grid, hu, seen in zip(LEVELS, pyramid.grids, pyramid.volumes, valid, strict=True):
        half = half_window(grid, level.window_mm)
        window = np.minimum(2 * np.array(half) + 1, hu.shape)  # as much of it as the image can hold
        score = verbs.normalise(hu, seen, half, least=max(int(window.prod()) // 4, 1), floor_hu=FLOOR_HU)
        np.copyto(score, NO_SCORE, where=outside_of(near, grid, coarse))
        scores.append(score)
    return Region(Volume(coarse, pyramid.volumes[BODY_LEVEL]), valid[BODY_LEVEL], patient), scores


def outside_of(near: NDArray[np.bool_], grid: Grid, coarse: Grid) -> NDArray[np.bool_]:
    """(k, j, i) the voxels of `grid` whose nearest voxel of `coarse` is not `near`; an axis at a time, which memory likes better."""
    k, j, i = nearest_index(grid, coarse)
    return (~near).take(i, axis=2).take(j, axis=1).take(k, axis=0)


def prepare_plan(ct: Volume, verbs: Verbs) -> PreparedPlan:
    """Makes a planning CT ready, once, at plan load."""
    pyramid = Pyramid(ct.grid, verbs)
    pyramid.add(0, ct.hu)
    region, scores = levels_of(pyramid, verbs, PLAN_MARGIN_MM)
    levels = tuple(LevelScores(grid, score) for grid, score in zip(pyramid.grids, scores, strict=True))
    fine = Volume(pyramid.grids[FINE_LEVEL], pyramid.volumes[FINE_LEVEL])
    return PreparedPlan(levels, region, fine, draw_plan(levels, fine, verbs))


class DailyPreparation:
    """Makes a daily image ready while its slabs arrive; the same bits as `prepare_daily` of the whole."""

    def __init__(self, grid: Grid, verbs: Verbs) -> None:
        self._verbs = verbs
        self._pyramid = Pyramid(grid, verbs)

    def add(self, k_start: int, slab: NDArray[np.int16]) -> None:
        """Slices from `k_start` on, (k, j, i) int16 HU, in any order."""
        self._pyramid.add(k_start, slab)

    def finish(self) -> PreparedDaily:
        """Every slice is there: normalise and draw the samples."""
        region, scores = levels_of(self._pyramid, self._verbs, DAILY_MARGIN_MM)
        centre = self._pyramid.grid.centre_mm
        scored = tuple(LevelScores(grid, score) for grid, score in zip(self._pyramid.grids, scores, strict=True))
        samples = tuple(
            draw_samples(each.grid, each.scores, level.samples, centre, self._verbs) for level, each in zip(LEVELS, scored, strict=True)
        )
        fine = Volume(self._pyramid.grids[FINE_LEVEL], self._pyramid.volumes[FINE_LEVEL])
        return PreparedDaily(centre, samples, region, scored, fine)


def prepare_daily(volume: Volume, verbs: Verbs) -> PreparedDaily:
    """Makes a whole daily image ready."""
    preparation = DailyPreparation(volume.grid, verbs)
    preparation.add(0, volume.hu)
    return preparation.finish()
