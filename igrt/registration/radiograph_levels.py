"""Radiographs and planning CT made ready for each other: the levels of the match, coarse to fine, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View, attenuation, water_attenuation
from igrt.compute.volume import Volume
from igrt.geometry.camera import XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.body import body, grow
from igrt.registration.field import FieldFinder
from igrt.registration.levels import nearest_index, shrink_factors, shrunk_grid
from igrt.registration.radiograph_scores import Floats, local_scores

Mask = NDArray[np.bool_]

BODY_VOXEL_MM = 4.0
BODY_MARGIN_MM = 6.0
BEYOND_MM = 160.0  # how far the patient is taken to go on beyond the planning CT's ends
LEAST_BEYOND_MM = 4.0  # a ray that runs farther than this through it shows what the CT does not have
REFERENCE_KVP = 100.0


@dataclass(frozen=True, slots=True)
class RadiographLevel:
    """One level: pixel size at the isocentre, voxel size, window of the local scores in pixels, robust scale, when to stop."""

    pixel_mm: float
    voxel_mm: float
    window: int
    scale: float
    iterations: int
    tolerance_mm: float


SEARCH = RadiographLevel(pixel_mm=8.0, voxel_mm=8.0, window=7, scale=1.0, iterations=12, tolerance_mm=0.5)
LEVELS = (
    RadiographLevel(pixel_mm=4.0, voxel_mm=5.0, window=7, scale=0.7, iterations=25, tolerance_mm=0.1),
    RadiographLevel(pixel_mm=2.0, voxel_mm=3.0, window=9, scale=0.7, iterations=20, tolerance_mm=0.05),
    RadiographLevel(pixel_mm=1.0, voxel_mm=1.5, window=11, scale=0.7, iterations=12, tolerance_mm=0.02),
    RadiographLevel(pixel_mm=1.0, voxel_mm=1.5, window=21, scale=0.7, iterations=8, tolerance_mm=0.01),
)


@dataclass(frozen=True, slots=True, eq=False)
class RadiographPlan:
    """A planning CT ready for radiographs: attenuation at 100 kV without the couch, on each level, the search's first.

    `beyond` is 1 where the patient goes on beyond the ends of the CT, 0 within it.
    """

    search: AttenuationField
    levels: tuple[AttenuationField, ...]
    beyond: AttenuationField


@dataclass(frozen=True, slots=True, eq=False)
class LevelView:
    """One radiograph on one level: its view in daily mm, its local scores, where they are valid, and the kilovolt factor of the field."""

    view: View
    scores: Floats
    integrals: Floats
    valid: Mask
    gain: np.float32


@dataclass(frozen=True, slots=True, eq=False)
class RadiographDaily:
    """Radiographs ready to be matched: for the search and for every level, one `LevelView` an image."""

    search: tuple[LevelView, ...]
    levels: tuple[tuple[LevelView, ...], ...]
    cameras: tuple[XrayCamera, ...]
    daily_from_fixed: RigidMotion

    def only(self, chosen: Sequence[int]) -> RadiographDaily:
        """Some of the images."""
        levels = tuple(tuple(level[n] for n in chosen) for level in self.levels)
        return RadiographDaily(tuple(self.search[n] for n in chosen), levels, tuple(self.cameras[n] for n in chosen), self.daily_from_fixed)


def prepare_radiograph_plan(ct: Volume, verbs: RadiographVerbs) -> RadiographPlan:
    """Makes a planning CT ready for radiographs, once, at plan load."""
    factors = shrink_factors(ct.grid, BODY_VOXEL_MM)
    coarse, hu = shrunk_grid(ct.grid, factors), verbs.shrink(ct.hu, factors)
    finder = FieldFinder(ct.grid)
    finder.add(0, ct.hu)
    patient = body(hu, finder.finish(int(ct.hu[0, 0, 0])).on(coarse, factors), coarse)
    near = grow(patient, coarse, BODY_MARGIN_MM)
    search, *levels = (_field(ct, level.voxel_mm, coarse, near, verbs) for level in (SEARCH, *_distinct_levels()))
    by_voxel = dict(zip((level.voxel_mm for level in _distinct_levels()), levels, strict=True))
    return RadiographPlan(search, tuple(by_voxel[level.voxel_mm] for level in LEVELS), _beyond(patient, coarse))


def _distinct_levels() -> tuple[RadiographLevel, ...]:
    return tuple({level.voxel_mm: level for level in LEVELS}.values())


def _field(ct: Volume, voxel_mm: float, coarse: Grid, near: Mask, verbs: RadiographVerbs) -> AttenuationField:
    factors = shrink_factors(ct.grid, voxel_mm)
    grid = shrunk_grid(ct.grid, factors)
    values = attenuation(verbs.shrink(ct.hu, factors), kvp=REFERENCE_KVP)
    values[~near[np.ix_(*nearest_index(grid, coarse))]] = 0
    return AttenuationField.of(values, grid)


def _beyond(patient: Mask, grid: Grid) -> AttenuationField:
    """The body of the two end slices, continued outward along the patient, and nothing between them."""
    across = 2 - int(np.abs(grid.direction[2]).argmax())  # the array axis nearest the patient's long axis
    layers = max(round(BEYOND_MM / float(grid.spacing_mm[2 - across])), 1)
    slices = np.moveaxis(patient, across, 0).astype(np.float32)
    ends = [np.repeat(slices[end][None], layers, axis=0) for end in (0, -1)]
    values = np.moveaxis(np.concatenate([ends[0], np.zeros_like(slices), ends[1]]), 0, across)
    shift = np.zeros(3)
    shift[2 - across] = -layers
    k, j, i = values.shape
    continued = Grid(grid.frame, (k, j, i), grid.position_mm(shift), grid.spacing_mm, grid.direction)
    return AttenuationField.of(np.ascontiguousarray(values), continued)


def prepare_radiographs(
    cameras: Sequence[XrayCamera],
    images: Sequence[tuple[Floats, Mask]],
    *,
    kvps: Sequence[float | None],
    daily_from_fixed: RigidMotion,
) -> RadiographDaily:
    """Line integrals and where they are valid, one pair an image, made ready on every level."""
    if daily_from_fixed.target is not Frame.DAILY:
        raise ValueError(f"radiographs are prepared in the daily frame; {daily_from_fixed.name} does not end there")
    gains = [np.float32(water_attenuation(kvp or REFERENCE_KVP) / water_attenuation(REFERENCE_KVP)) for kvp in kvps]
    parts = [
        [_level_view(level, camera, image, gain, daily_from_fixed) for camera, image, gain in zip(cameras, images, gains, strict=True)]
        for level in (SEARCH, *LEVELS)
    ]
    return RadiographDaily(tuple(parts[0]), tuple(map(tuple, parts[1:])), tuple(cameras), daily_from_fixed)


def _level_view(
    level: RadiographLevel, camera: XrayCamera, image: tuple[Floats, Mask], gain: np.float32, daily_from_fixed: RigidMotion
) -> LevelView:
    at_isocentre = max(camera.spacing_mm) * camera.sad_mm / camera.distance_mm
    factor = max(min(round(level.pixel_mm / at_isocentre), min(camera.shape) // 8), 1)
    view = View.of(camera, daily_from_fixed).binned(factor)
    integrals, valid = binned(image[0], image[1], factor)
    scores, _, _ = local_scores(integrals, level.window)
    window = np.ones((level.window, level.window), np.uint8)
    whole = cv2.erode(valid.astype(np.uint8), window, borderType=cv2.BORDER_REPLICATE) > 0
    return LevelView(view, scores, integrals, np.asarray(whole), gain)


def binned(integrals: Floats, valid: Mask, factor: int) -> tuple[Floats, Mask]:
    """Means of blocks of factor by factor pixels, valid where every pixel is; a remainder at the far ends is left out."""
    rows, columns = (n // factor for n in integrals.shape)

    def blocks(values: Floats | Mask) -> NDArray[np.generic]:
        return values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)

    return np.asarray(blocks(integrals).mean(axis=(1, 3)), np.float32), np.asarray(blocks(valid).all(axis=(1, 3)))
