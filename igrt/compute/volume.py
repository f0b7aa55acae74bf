"""A volume: Hounsfield units on a grid that knows its frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """int16 HU, C-contiguous, indexed [k, j, i] on `grid`; the array is made read-only and shared, never copied."""

    grid: Grid
    hu: NDArray[np.int16]

    def __post_init__(self) -> None:
        if self.hu.dtype != np.int16 or not self.hu.flags.c_contiguous:
            raise ValueError(f"volume hu is {self.hu.dtype}, contiguous {self.hu.flags.c_contiguous}; give C-contiguous int16 HU")
        if self.hu.shape != self.grid.shape_kji:
            raise ValueError(f"volume hu has shape {self.hu.shape}; its grid has {self.grid.shape_kji}")
        view = self.hu.view()
        view.setflags(write=False)
        object.__setattr__(self, "hu", view)

    @property
    def frame(self) -> Frame:
        """Frame of the grid."""
        return self.grid.frame
