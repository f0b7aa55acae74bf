"""What a device can do: one protocol, whose implementations are `reference`, `cpu.CpuVerbs` and `gpu.GpuVerbs`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume


class Verbs(Protocol):
    """The kernels behind one interface; `reference` defines what each gives."""

    def hold(self, *arrays: NDArray[Any]) -> None:
        """These arrays will be read many times and do not change any more: a device with memory of its own begins to copy them."""

    def interpolate(self, volume: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """HU (n,) by trilinear interpolation at points (n, 3) in mm of the volume's frame; NaN outside."""

    def shrink(self, hu: NDArray[np.int16], factors_kji: tuple[int, int, int]) -> NDArray[np.int16]:
        """Means over blocks of voxels."""

    def normalise(
        self, hu: NDArray[np.int16], valid: NDArray[np.bool_], half_kji: tuple[int, int, int], *, least: int, floor_hu: float
    ) -> NDArray[np.int16]:
        """Local scores, in units of 1/SCORE_UNIT; NO_SCORE where there is none."""

    def correlate(
        self,
        first: NDArray[np.int16],
        second: NDArray[np.int16],
        valid: NDArray[np.bool_],
        half_kji: tuple[int, int, int],
        *,
        floor_hu: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Local correlation of two images on one grid, and its weight, both (k, j, i)."""

    def draw(
        self, scores: NDArray[np.int16], spacing_ijk_mm: NDArray[np.float32], block_kji: tuple[int, int, int], *, wanted: float, seed: int
    ) -> NDArray[np.int32]:
        """Voxels (n, 3) in the order k, j, i, drawn in proportion to the gradient of the scores."""

    def accumulate(
        self,
        scores: NDArray[np.int16],
        index_from_mm: NDArray[np.float64],
        positions_mm: NDArray[np.float32],
        values: NDArray[np.float32],
        *,
        rotation: NDArray[np.float64],
        translation_mm: NDArray[np.float64],
        scale: float,
    ) -> NDArray[np.float64]:
        """Normal equations of the match by chunks of samples."""
