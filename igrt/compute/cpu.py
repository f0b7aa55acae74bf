"""The verbs on the processor: one native module per instruction set, the best that this processor has chosen once at import."""

from __future__ import annotations

import hashlib
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume

CHECKOUT = Path(__file__).resolve().parents[2]


class NativeBuildError(ImportError):
    """The native module is missing or was built from other sources; the sentence says what to run."""


def source_hash(checkout: Path) -> str:
    """SHA-256 over the kernel sources of a checkout, as CMakeLists.txt computes it."""
    files = [path for suffix in ("hpp", "cpp", "cu") for path in (checkout / "kernels").rglob(f"*.{suffix}")] + [
        checkout / "CMakeLists.txt"
    ]
    names = sorted(path.relative_to(checkout).as_posix() for path in files)
    listing = "".join(f"{name} {hashlib.sha256((checkout / name).read_bytes()).hexdigest()}\n" for name in names)
    return hashlib.sha256(listing.encode()).hexdigest()


def load_native(instruction_set: str) -> ModuleType:
    """The native module of that name, checked against the sources where they lie beside the package."""
    try:
        module = importlib.import_module(f"igrt.compute._native_{instruction_set}")
    except ModuleNotFoundError as missing:
        raise NativeBuildError(f"the native module for {instruction_set} is not built; run `make install`") from missing
    if (CHECKOUT / "kernels" / "portable.hpp").is_file() and source_hash(CHECKOUT) != module.SOURCE_HASH:
        raise NativeBuildError(f"the native module for {instruction_set} was built from other sources; run `make install`")
    return module


def available() -> tuple[str, ...]:
    """Instruction sets that this processor has and a module is built for, best last."""
    names: list[str] = load_native("baseline").instruction_sets()
    return tuple(names)


class CpuVerbs:
    """Every verb of `reference`, by the native kernels of one instruction set."""

    def __init__(self, instruction_set: str) -> None:
        if instruction_set not in INSTRUCTION_SETS:
            raise ValueError(f"this processor has no {instruction_set}; choose one of {', '.join(INSTRUCTION_SETS)}")
        self.instruction_set = instruction_set
        self._native = load_native(instruction_set)
        self._native.set_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

    def set_threads(self, count: int) -> None:
        """Size of the pool (at least 1); results do not depend on it."""
        self._native.set_threads(count)

    @property
    def threads(self) -> int:
        """Size of the pool."""
        return int(self._native.threads())

    def hold(self, *arrays: NDArray[Any]) -> None:
        """As `reference.hold`: the arrays are where they are read."""

    def interpolate(self, volume: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """As `reference.interpolate`."""
        out = np.empty(len(points_mm), np.float32)
        self._native.interpolate(volume.hu, volume.grid.index_from_mm, np.ascontiguousarray(points_mm, np.float64), out)
        return out

    def shrink(self, hu: NDArray[np.int16], factors_kji: tuple[int, int, int]) -> NDArray[np.int16]:
        """As `reference.shrink`."""
        out = np.empty([n // f for n, f in zip(hu.shape, factors_kji, strict=True)], np.int16)
        self._native.shrink(hu, np.array(factors_kji, np.int32), out)
        return out

    def normalise(
        self, hu: NDArray[np.int16], valid: NDArray[np.bool_], half_kji: tuple[int, int, int], *, least: int, floor_hu: float
    ) -> NDArray[np.int16]:
        """As `reference.normalise`."""
        out = np.empty(hu.shape, np.int16)
        self._native.normalise(hu, valid.view(np.uint8), np.array(half_kji, np.int32), least, floor_hu, out)
        return out

    def correlate(
        self,
        first: NDArray[np.int16],
        second: NDArray[np.int16],
        valid: NDArray[np.bool_],
        half_kji: tuple[int, int, int],
        *,
        floor_hu: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `reference.correlate`."""
        values, weights = np.empty(first.shape, np.float32), np.empty(first.shape, np.float32)
        self._native.correlate(first, second, valid.view(np.uint8), np.array(half_kji, np.int32), floor_hu, values, weights)
        return values, weights

    def draw(
        self, scores: NDArray[np.int16], spacing_ijk_mm: NDArray[np.float32], block_kji: tuple[int, int, int], *, wanted: float, seed: int
    ) -> NDArray[np.int32]:
        """As `reference.draw`."""
        chosen: NDArray[np.int32] = self._native.draw(scores, spacing_ijk_mm, np.array(block_kji, np.int32), wanted, seed)
        return chosen

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
        """As `reference.accumulate`."""
        out = np.empty((-(-len(values) // self._native.SAMPLES_PER_CHUNK), self._native.TERMS))
        affine, turn, shift = (np.ascontiguousarray(a, np.float32) for a in (index_from_mm, rotation, translation_mm))
        self._native.accumulate(scores, affine, positions_mm, values, turn, shift, scale, out)
        return out


INSTRUCTION_SETS = available()
BEST = INSTRUCTION_SETS[-1]
