"""Digitally reconstructed radiographs: the attenuation of a planning CT, the view of one camera, and the native kernel behind two verbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.cpu import BEST, CpuVerbs
from igrt.compute.projection import Cameras
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.camera import XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion, frozen_array

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Attenuation of water (per mm) behind 20 cm of water, by tube voltage: effective energies near 52, 59 and 65 keV (docs/geometry.md).
WATER_PER_MM = ((80.0, 0.0222), (100.0, 0.0208), (120.0, 0.0199))
LEAST_KVP, MOST_KVP = 40.0, 150.0


def water_attenuation(kvp: float) -> float:
    """Attenuation of water (per mm) for a tube voltage, linear between rows and beyond them; InputError outside 40 to 150 kV."""
    if not LEAST_KVP <= kvp <= MOST_KVP:
        raise InputError(f"the tube voltage is {kvp:g} kV; give a kV radiograph of {LEAST_KVP:g} to {MOST_KVP:g} kV")
    kvps, values = np.array(WATER_PER_MM).T
    below, above = (0, 1) if kvp < kvps[1] else (1, 2)
    share = (kvp - kvps[below]) / (kvps[above] - kvps[below])
    return float(values[below] + share * (values[above] - values[below]))


def attenuation(hu: NDArray[np.int16], *, kvp: float) -> Floats:
    """Attenuation (per mm) of voxels: `max(0, water (1 + HU / 1000))`; one energy, so bone is underestimated at low voltages."""
    water = np.float32(water_attenuation(kvp))
    return np.asarray(np.maximum(water * (1 + hu.astype(np.float32) / np.float32(1000)), 0), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class AttenuationField:
    """Attenuation (per mm) on a grid, float32 (k + 2, j + 2, i + 2) with one layer of zeros around the voxels of `grid`."""

    grid: Grid
    padded: Floats

    def __post_init__(self) -> None:
        expected = tuple(n + 2 for n in self.grid.shape_kji)
        if self.padded.shape != expected or self.padded.dtype != np.float32 or not self.padded.flags.c_contiguous:
            raise ValueError(f"field is {self.padded.dtype} {self.padded.shape}; give C-contiguous float32 {expected}")
        view = self.padded.view()
        view.setflags(write=False)
        object.__setattr__(self, "padded", view)

    @classmethod
    def of(cls, values: Floats, grid: Grid) -> AttenuationField:
        """From values (k, j, i) per mm."""
        padded = np.zeros([n + 2 for n in values.shape], np.float32)
        padded[1:-1, 1:-1, 1:-1] = values
        return cls(grid, padded)

    @classmethod
    def of_ct(cls, ct: Volume, *, kvp: float) -> AttenuationField:
        """From a CT in HU."""
        return cls.of(attenuation(ct.hu, kvp=kvp), ct.grid)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One camera in mm of some frame: (4, 3) source, first pixel, step to the next row, step to the next column; `shape` rows, columns."""

    camera_mm: Doubles
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "camera_mm", frozen_array(self.camera_mm, (4, 3), "view camera_mm"))
        if min(self.shape) < 1:
            raise ValueError(f"a view has {self.shape} pixels; give at least one row and one column")

    @classmethod
    def of(cls, camera: XrayCamera, target_from_fixed: RigidMotion) -> View:
        """A camera of the room, in another frame."""
        points = [target_from_fixed.apply(p) for p in (camera.source_fixed_mm, camera.first_pixel_fixed_mm)]
        steps = [target_from_fixed.turn(s) for s in (camera.row_step_fixed_mm, camera.column_step_fixed_mm)]
        return cls(np.array([*points, *steps]), camera.shape)

    def moved(self, target_from_source: RigidMotion) -> View:
        """The same camera in another frame."""
        points = target_from_source.apply(self.camera_mm[:2])
        return View(np.concatenate([points, target_from_source.turn(self.camera_mm[2:])]), self.shape)

    def binned(self, factor: int) -> View:
        """The camera whose pixels are the means of blocks of factor by factor; a remainder at the far ends is left out."""
        source, first, row, column = self.camera_mm
        first = first + (factor - 1) / 2 * (row + column)
        return View(np.array([source, first, factor * row, factor * column]), (self.shape[0] // factor, self.shape[1] // factor))

    def in_indices(self, grid: Grid) -> Doubles:
        """(4, 3) in voxel indices i, j, k of `grid`."""
        linear = grid.index_from_mm[:, :3]
        return np.concatenate([grid.index_ijk(self.camera_mm[:2]), self.camera_mm[2:] @ linear.T])

    def changes_in_indices(self, grid: Grid, centre_mm: Doubles) -> Doubles:
        """(6, 4, 3) by how much the camera changes, in indices, for each motion of points x -> x + t + w x (x - centre).

        Order tx, ty, tz (per mm), wx, wy, wz (per rad).
        """
        linear = grid.index_from_mm[:, :3]
        changes = np.zeros((6, 4, 3))
        changes[:3, :2] = np.eye(3)[:, None]
        about = self.camera_mm - np.outer([1.0, 1.0, 0.0, 0.0], centre_mm)
        changes[3:] = np.cross(np.eye(3)[:, None], about[None])
        return np.ascontiguousarray(changes @ linear.T)

    @property
    def cameras(self) -> Cameras:
        """The same as a list of one."""
        source, first, row, column = (part[None] for part in self.camera_mm)
        return Cameras(source, first, row, column, self.shape)


class RadiographVerbs(CpuVerbs):
    """The verbs of one instruction set, with radiographs; `radiograph_reference` defines them."""

    def __init__(self, instruction_set: str = BEST) -> None:
        super().__init__(instruction_set)

    def radiograph(self, field: AttenuationField, view: View) -> Floats:
        """As `radiograph_reference.radiograph`."""
        return np.asarray(self._run(field, view, np.empty((0, 4, 3)))[0])

    def radiograph_with_derivatives(self, field: AttenuationField, view: View, centre_mm: Doubles) -> Floats:
        """As `radiograph_reference.radiograph_with_derivatives`."""
        return self._run(field, view, view.changes_in_indices(field.grid, centre_mm))

    def _run(self, field: AttenuationField, view: View, changes: Doubles) -> Floats:
        out = np.empty((len(changes) + 1, *view.shape), np.float32)
        camera = np.ascontiguousarray(view.in_indices(field.grid))
        self._native.radiograph(field.padded, field.grid.spacing_mm, camera, changes, out)
        return out
