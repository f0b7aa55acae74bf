"""Cone-beam projection and backprojection: the cameras, and the native kernels behind two verbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.cpu import BEST, CpuVerbs
from igrt.geometry.grid import Grid
from igrt.geometry.motion import frozen_array

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """X-ray images of one size, one a view: pixel (row, column) is centred at `first_pixel + row row_step + column column_step`.

    `source_mm`, `first_pixel_mm`, `row_step_mm` and `column_step_mm` are (views, 3) in mm of one frame; `shape` counts
    rows and columns. ValueError where a source lies in the plane of its image.
    """

    source_mm: Doubles
    first_pixel_mm: Doubles
    row_step_mm: Doubles
    column_step_mm: Doubles
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        views = len(self.source_mm)
        for field in ("source_mm", "first_pixel_mm", "row_step_mm", "column_step_mm"):
            object.__setattr__(self, field, frozen_array(getattr(self, field), (views, 3), f"cameras {field}"))
        if views < 1 or min(self.shape) < 2:
            raise ValueError(f"cameras hold {views} views of {self.shape} pixels; give at least one view of 2 x 2 pixels")
        if not np.abs(self.distance_mm).min() > 1e-3:
            raise ValueError("a camera's source lies in the plane of its image; move the image away from the source")

    def views(self, chosen: NDArray[np.int64]) -> Cameras:
        """Some of the views, in the order given."""
        steps = (self.row_step_mm[chosen], self.column_step_mm[chosen])
        return Cameras(self.source_mm[chosen], self.first_pixel_mm[chosen], *steps, self.shape)

    @property
    def distance_mm(self) -> Doubles:
        """(views,) distance from source to image plane, along `normal`."""
        return np.asarray(((self.first_pixel_mm - self.source_mm) * self.normal).sum(axis=1))

    @property
    def normal(self) -> Doubles:
        """(views, 3) unit normals of the image planes."""
        normal = np.cross(self.row_step_mm, self.column_step_mm)
        return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))

    def in_indices(self, grid: Grid) -> Doubles:
        """(views, 4, 3) source, first pixel, row step and column step in voxel indices i, j, k of `grid`."""
        linear = grid.index_from_mm[:, :3]
        points = [grid.index_ijk(p) for p in (self.source_mm, self.first_pixel_mm)]
        return np.stack([*points, self.row_step_mm @ linear.T, self.column_step_mm @ linear.T], axis=1)

    def pixel_from_index(self, grid: Grid) -> Doubles:
        """(views, 3, 4): (column depth, row depth, depth) of a voxel index (i, j, k, 1); depth from the source in mm."""
        out = np.empty((len(self.source_mm), 3, 4))
        for view, (source, first, normal, distance) in enumerate(
            zip(self.source_mm, self.first_pixel_mm, self.normal, self.distance_mm, strict=True)
        ):
            steps = np.column_stack([self.column_step_mm[view], self.row_step_mm[view]])
            away = np.sign(distance) * normal
            linear = np.vstack([abs(distance) * np.linalg.pinv(steps) + np.outer(np.linalg.pinv(steps) @ (source - first), away), away])
            out[view] = linear @ grid.mm_from_index
            out[view, :, 3] -= linear @ source
        return out


class CpuProjector(CpuVerbs):
    """The verbs of one instruction set, with projection and backprojection."""

    def __init__(self, instruction_set: str = BEST) -> None:
        super().__init__(instruction_set)

    def project(self, values: Floats, grid: Grid, cameras: Cameras) -> Floats:
        """As `projection_reference.project`."""
        out = np.empty((len(cameras.source_mm), *cameras.shape), np.float32)
        self._native.project(values, grid.spacing_mm, np.ascontiguousarray(cameras.in_indices(grid)), out)
        return out

    def backproject(self, images: Floats, cameras: Cameras, grid: Grid) -> Floats:
        """As `projection_reference.backproject`."""
        out = np.empty(grid.shape_kji, np.float32)
        self._native.backproject(images, cameras.pixel_from_index(grid), out)
        return out
