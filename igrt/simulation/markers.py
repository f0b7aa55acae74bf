"""Implanted markers of a simulated patient: exact cylinders of metal in volumes and in projections, whatever the voxels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.projection import Cameras
from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion, frozen_array

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

# Effective HU of metal at imaging energies: what such a piece takes away after hardening, not its density.
GOLD_HU, STEEL_HU, TITANIUM_HU, COIL_HU = 40_000.0, 25_000.0, 10_000.0, 15_000.0
SOFT_TISSUE_HU = 40.0
SUBVOXELS, SUBPIXELS = 7, 4


@dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """A cylinder: centre (mm) and axis in a patient's frame, diameter and length (mm), effective HU."""

    centre_mm: Doubles
    axis: Doubles
    diameter_mm: float
    length_mm: float
    hu: float = GOLD_HU

    def __post_init__(self) -> None:
        axis = np.asarray(self.axis, float)
        object.__setattr__(self, "centre_mm", frozen_array(self.centre_mm, (3,), "seed centre_mm"))
        object.__setattr__(self, "axis", frozen_array(axis / np.linalg.norm(axis), (3,), "seed axis"))
        if not (self.diameter_mm > 0 and self.length_mm > 0):
            raise ValueError(f"a seed is {self.diameter_mm} mm wide and {self.length_mm} mm long; give positive sizes")

    @property
    def reach_mm(self) -> float:
        """Radius of the ball about its centre that holds it."""
        return float(np.hypot(self.diameter_mm, self.length_mm)) / 2

    def moved(self, motion: RigidMotion) -> Seed:
        """The same seed in another frame."""
        return Seed(motion.apply(self.centre_mm), motion.turn(self.axis), self.diameter_mm, self.length_mm, self.hu)

    def displaced(self, by_mm: Sequence[float]) -> Seed:
        """The seed after it has migrated."""
        return Seed(self.centre_mm + np.asarray(by_mm, float), self.axis, self.diameter_mm, self.length_mm, self.hu)

    def chord_mm(self, start_mm: Doubles, direction: Doubles) -> Doubles:
        """(...) path through the seed of rays from a point along unit directions (..., 3)."""
        off = start_mm - self.centre_mm
        slope, rise = direction @ self.axis, off @ self.axis
        across, foot = direction - slope[..., None] * self.axis, off - rise * self.axis
        square, mixed = (across**2).sum(axis=-1), across @ foot
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = mixed**2 - square * (foot @ foot - self.diameter_mm**2 / 4)
            half = np.sqrt(np.maximum(inner, 0)) / square
            near, far = -mixed / square - half, -mixed / square + half
            ends = (np.array([-1.0, 1.0])[:, None] * self.length_mm / 2 - rise) / slope.reshape(1, -1)
            low = np.fmin(ends[0], ends[1]).reshape(slope.shape)
            high = np.fmax(ends[0], ends[1]).reshape(slope.shape)
            length = np.minimum(far, high) - np.maximum(near, low)
            end_on = square < 1e-12
            inside = float(foot @ foot) <= self.diameter_mm**2 / 4
            length = np.where(end_on, (high - low) * inside, np.where(inner > 0, length, 0.0))
        return np.asarray(np.nan_to_num(np.maximum(length, 0)))


def implant(hu: Floats, grid: Grid, seeds: Sequence[Seed]) -> None:
    """Put seeds (in the grid's frame) into HU (k, j, i): each voxel by the share of it that is metal."""
    inverse = np.abs(grid.index_from_mm[:, :3])
    sub = (np.arange(SUBVOXELS) + 0.5) / SUBVOXELS - 0.5
    offsets = np.stack(np.meshgrid(sub, sub, sub, indexing="ij"), -1).reshape(-1, 3)
    for seed in seeds:
        middle, half = grid.index_ijk(seed.centre_mm), inverse @ np.full(3, seed.reach_mm) + 1
        low = np.maximum(np.floor(middle - half).astype(int), 0)
        high = np.minimum(np.ceil(middle + half).astype(int) + 1, grid.size_ijk)
        if not (low < high).all():
            continue
        i, j, k = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
        voxels = np.stack([i, j, k], -1).reshape(-1, 3)
        off = grid.position_mm(voxels[:, None] + offsets) - seed.centre_mm
        along = off @ seed.axis
        across2 = (off**2).sum(axis=-1) - along**2
        share = ((np.abs(along) <= seed.length_mm / 2) & (across2 <= seed.diameter_mm**2 / 4)).mean(axis=1)
        at = (voxels[:, 2], voxels[:, 1], voxels[:, 0])
        hu[at] += (share * (seed.hu - hu[at])).astype(np.float32)


def cast(integrals: Floats, cameras: Cameras, seeds: Sequence[Seed], *, water_per_mm: float) -> None:
    """Add what seeds (in the cameras' frame) absorb beyond soft tissue to line integrals (views, rows, columns)."""
    sub = (np.arange(SUBPIXELS) + 0.5) / SUBPIXELS - 0.5
    rows, columns = cameras.shape
    for view in range(len(cameras.source_mm)):
        source, first = cameras.source_mm[view], cameras.first_pixel_mm[view]
        down, right = cameras.row_step_mm[view], cameras.column_step_mm[view]
        normal = np.cross(down, right)
        for seed in seeds:
            ray = seed.centre_mm - source
            magnified = float((first - source) @ normal) / float(ray @ normal)
            on_panel = source + magnified * ray - first
            row, column = (float(on_panel @ step) / float(step @ step) for step in (down, right))
            reach = 1.2 * magnified * seed.reach_mm / min(float(np.linalg.norm(down)), float(np.linalg.norm(right))) + 2
            r = np.arange(max(int(row - reach), 0), min(int(row + reach) + 1, rows))
            c = np.arange(max(int(column - reach), 0), min(int(column + reach) + 1, columns))
            if not len(r) or not len(c):
                continue
            fine_r, fine_c = (r[:, None] + sub).ravel(), (c[:, None] + sub).ravel()
            way = first - source + fine_r[:, None, None] * down + fine_c[None, :, None] * right
            way = way / np.linalg.norm(way, axis=-1, keepdims=True)
            chord = seed.chord_mm(source, way).reshape(len(r), SUBPIXELS, len(c), SUBPIXELS)
            extra = water_per_mm * (seed.hu - SOFT_TISSUE_HU) / 1000 * chord
            mean = -np.log(np.exp(-extra).mean(axis=(1, 3)))  # a pixel counts what passes, it does not average paths
            integrals[view, r[0] : r[-1] + 1, c[0] : c[-1] + 1] += mean.astype(np.float32)
