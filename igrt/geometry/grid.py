"""Voxel grids: where in a frame each voxel centre lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.motion import ORTHONORMAL_TOLERANCE, Frame, frozen_array


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular grid of voxel centres; arrays on it are indexed [k, j, i] (i fastest).

    `shape_kji` counts voxels; `origin_mm` (3,) is the centre of voxel (0, 0, 0); `spacing_mm` (3,) is the step along
    i, j, k in that order; the columns of `direction` (3, 3) are the unit vectors of i, j, k in `frame`. Right-handed.
    """

    frame: Frame
    shape_kji: tuple[int, int, int]
    origin_mm: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    direction: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", Frame(self.frame))
        object.__setattr__(self, "shape_kji", tuple(int(n) for n in self.shape_kji))
        object.__setattr__(self, "origin_mm", frozen_array(self.origin_mm, (3,), "grid origin_mm"))
        object.__setattr__(self, "spacing_mm", frozen_array(self.spacing_mm, (3,), "grid spacing_mm"))
        object.__setattr__(self, "direction", frozen_array(self.direction, (3, 3), "grid direction"))
        if len(self.shape_kji) != 3 or min(self.shape_kji) < 1:
            raise ValueError(f"grid shape_kji is {self.shape_kji}; give three counts of at least 1")
        if not self.spacing_mm.min() > 0:
            raise ValueError(f"grid spacing_mm is {self.spacing_mm.tolist()}; give three positive steps")
        deviation = float(np.abs(self.direction.T @ self.direction - np.eye(3)).max())
        if not deviation < ORTHONORMAL_TOLERANCE or not np.linalg.det(self.direction) > 0:
            raise ValueError(f"grid direction is not a right-handed orthonormal matrix (off by {deviation:.2g}); give direction cosines")

    @classmethod
    def aligned(cls, frame: Frame, *, shape_kji: tuple[int, int, int], origin_mm: ArrayLike, spacing_mm: ArrayLike) -> Grid:
        """A grid whose i, j, k run along x, y, z of its frame."""
        return cls(frame, shape_kji, np.asarray(origin_mm, float), np.asarray(spacing_mm, float), np.eye(3))

    @property
    def mm_from_index(self) -> NDArray[np.float64]:
        """(3, 4) affine: frame coordinates (mm) = A[:, :3] @ (i, j, k) + A[:, 3]."""
        return np.column_stack([self.direction * self.spacing_mm, self.origin_mm])

    @property
    def index_from_mm(self) -> NDArray[np.float64]:
        """(3, 4) affine: (i, j, k) = A[:, :3] @ frame coordinates (mm) + A[:, 3]."""
        linear = self.direction.T / self.spacing_mm[:, None]
        return np.column_stack([linear, -linear @ self.origin_mm])

    def position_mm(self, index_ijk: ArrayLike) -> NDArray[np.float64]:
        """Frame coordinates (..., 3) (mm) of continuous indices (..., 3) in the order i, j, k."""
        affine = self.mm_from_index
        return np.asarray(index_ijk, float) @ affine[:, :3].T + affine[:, 3]

    def index_ijk(self, position_mm: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (..., 3) in the order i, j, k of frame coordinates (..., 3) (mm)."""
        affine = self.index_from_mm
        return np.asarray(position_mm, float) @ affine[:, :3].T + affine[:, 3]

    @property
    def size_ijk(self) -> NDArray[np.int64]:
        """Voxel counts along i, j, k."""
        return np.array(self.shape_kji[::-1], dtype=np.int64)

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """Centre of the grid (mm)."""
        return self.position_mm((self.size_ijk - 1) / 2)

    def contains(self, position_mm: ArrayLike) -> NDArray[np.bool_]:
        """Whether points (..., 3) lie within the outer voxel centres."""
        index = self.index_ijk(position_mm)
        return np.asarray(((index >= -1e-6) & (index <= self.size_ijk - 1 + 1e-6)).all(axis=-1))
