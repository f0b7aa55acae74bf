"""What a restricted match looks at: a mask on the planning CT, and samples of the daily image drawn where it lies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import isotropic_dilation

from igrt.compute.reference import NO_SCORE
from igrt.compute.verbs import Verbs
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion
from igrt.images.masks import mask as mask_of
from igrt.registration.body import grow
from igrt.registration.levels import LEVELS, nearest_index
from igrt.registration.options import Around, Clipbox, MatchOptions, Mode, Region
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.samples import LevelScores, Samples, draw_samples

Mask = NDArray[np.bool_]

BONE_FROM_HU = 150
SOFT_HU = (-150, 250)
EDGE_MM = 4.0  # what lies this near to a tissue shows its surface
APART_MM = 3.0  # soft tissue begins this far from bone
DRAWN_MARGIN_MM = 12.0  # samples are drawn this far around the region, for the pose is not yet known better


@lru_cache(maxsize=2)
def region_mask(plan: PreparedPlan, options: MatchOptions) -> Mask:
    """(k, j, i) on the grid of `plan.fine`: what the options let the match look at; InputError where that is nothing."""
    volume = plan.fine
    inside = np.ones(volume.hu.shape, bool) if options.region is None else place(options.region, volume.grid)
    if options.mode is not Mode.GREY:
        inside &= tissue(volume.hu, volume.grid, options.mode)
    body = plan.region.body[np.ix_(*nearest_index(volume.grid, plan.region.volume.grid))]
    if not (inside & body).any():
        raise InputError(
            f"the region of the match ({options.region_words}, {options.mode}) holds nothing of the patient; choose one that does"
        )
    inside.setflags(write=False)
    return inside


def place(region: Region, grid: Grid) -> Mask:
    """(k, j, i) the voxels of `grid` whose centres lie in the region."""
    if isinstance(region, Around):
        return about(region, grid)
    if isinstance(region, Clipbox):
        low, high = np.array(region.low_mm), np.array(region.high_mm)
        inside = np.ones(grid.shape_kji, bool)
        for axis, values in enumerate(carried(grid.mm_from_index, grid)):
            inside &= (values >= low[axis]) & (values <= high[axis])
        return inside
    return looked_up(region.inside, region.grid, grid.mm_from_index, grid)


def about(region: Around, grid: Grid) -> Mask:
    """(k, j, i) within the margin of any of the structures."""
    inside = np.zeros(grid.shape_kji, bool)
    for structure in region.structures:
        inside |= mask_of(structure, grid)
    if not region.margin_mm:
        return inside
    reach = np.ceil(region.margin_mm / grid.spacing_mm[::-1]).astype(int) + 1
    found = np.argwhere(inside)
    box = tuple(slice(max(a, 0), b + 1) for a, b in zip(found.min(axis=0) - reach, found.max(axis=0) + reach, strict=True))
    grown = np.zeros_like(inside)
    grown[box] = isotropic_dilation(inside[box], region.margin_mm, spacing=grid.spacing_mm[::-1])
    return grown


def tissue(hu: NDArray[np.int16], grid: Grid, mode: Mode) -> Mask:
    """(k, j, i) bone, or soft tissue away from bone, and what lies near enough to show its surface.

    On the planning CT, whose HU are calibrated; a window on the daily image's would cut where the scanner's scale puts it
    (docs/decisions/match-options.md).
    """
    bone = hu > BONE_FROM_HU
    if mode is Mode.BONE:
        return grow(bone, grid, EDGE_MM)
    return grow((hu >= SOFT_HU[0]) & (hu <= SOFT_HU[1]), grid, EDGE_MM) & ~grow(bone, grid, APART_MM)


@lru_cache(maxsize=2)
def masked_levels(plan: PreparedPlan, options: MatchOptions) -> tuple[LevelScores, ...]:
    """The plan's levels with no score where the match does not look; kept for the next image of the same plan."""
    inside = region_mask(plan, options)
    levels = []
    for level in plan.levels:
        scores = level.scores.copy()
        scores[~inside[np.ix_(*nearest_index(level.grid, plan.fine.grid))]] = NO_SCORE
        levels.append(LevelScores(level.grid, scores))
    return tuple(levels)


def drawn_within(
    plan: PreparedPlan, daily: PreparedDaily, options: MatchOptions, plan_from_daily: RigidMotion, verbs: Verbs
) -> tuple[Samples, ...]:
    """Samples of every level, as many as of the whole image, drawn where the region lies at this pose and 12 mm around it."""
    coarse = plan.region.volume.grid
    near = grow(region_mask(plan, options)[np.ix_(*nearest_index(coarse, plan.fine.grid))], coarse, DRAWN_MARGIN_MM)
    grid = daily.region.volume.grid
    seen = looked_up(near, coarse, composed(plan_from_daily, grid), grid)
    samples = []
    for level, scored in zip(LEVELS, daily.scores, strict=True):
        here = seen[np.ix_(*nearest_index(scored.grid, grid))]
        box = bounds(here)
        scores = np.where(here[box], scored.scores[box], np.int16(NO_SCORE))
        samples.append(draw_samples(part(scored.grid, box), scores, level.samples, daily.centre_mm, verbs))
    return tuple(samples)


def bounds(inside: Mask) -> tuple[slice, slice, slice]:
    """The smallest box (k, j, i) that holds `inside`, at least one voxel."""
    slices = []
    for axis in range(3):
        shown = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        slices.append(slice(int(shown[0]), int(shown[-1]) + 1) if len(shown) else slice(0, 1))
    k, j, i = slices
    return k, j, i


def part(grid: Grid, box: tuple[slice, slice, slice]) -> Grid:
    """The grid of a box of voxels of `grid`."""
    first = [where.start for where in box][::-1]
    k, j, i = (where.stop - where.start for where in box)
    return Grid(grid.frame, (k, j, i), grid.position_mm(first), grid.spacing_mm, grid.direction)


def composed(plan_from_daily: RigidMotion, grid: Grid) -> NDArray[np.float64]:
    """(3, 4) affine from indices (i, j, k) of a daily grid to plan mm."""
    affine = grid.mm_from_index
    return np.column_stack([plan_from_daily.rotation @ affine[:, :3], plan_from_daily.apply(affine[:, 3])])


def carried(affine: NDArray[np.float64], grid: Grid) -> list[NDArray[np.float64]]:
    """Three coordinates (k, j, i) of every voxel of `grid` under an affine of its indices."""
    k, j, i = (np.arange(n, dtype=np.float64) for n in grid.shape_kji)
    return [(row[0] * i)[None, None, :] + (row[1] * j)[None, :, None] + (row[2] * k + row[3])[:, None, None] for row in np.asarray(affine)]


def looked_up(inside: Mask, mask_grid: Grid, mm_from_index: NDArray[np.float64], grid: Grid) -> Mask:
    """(k, j, i) of `grid`: whether the voxel of `mask_grid` nearest to where each of its voxels lies is inside; not beyond the mask."""
    to_mask = mask_grid.index_from_mm
    affine = np.column_stack([to_mask[:, :3] @ mm_from_index[:, :3], to_mask[:, :3] @ mm_from_index[:, 3] + to_mask[:, 3]])
    i, j, k = (np.rint(values).astype(np.int32) for values in carried(affine, grid))
    counts = mask_grid.size_ijk
    within = (i >= 0) & (i < counts[0]) & (j >= 0) & (j < counts[1]) & (k >= 0) & (k < counts[2])
    found = np.zeros(grid.shape_kji, bool)
    found[within] = inside[k[within], j[within], i[within]]
    return found
