"""The verbs as launches of the entry points in `kernels/cuda`, on whatever runs them: a GPU (`cuda`) or its emulation (`emulation`)."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from igrt.compute.reference import SAMPLES_PER_CHUNK, STEP_HU, TERMS
from igrt.compute.volume import Volume

if TYPE_CHECKING:
    from igrt.compute.projection import Cameras
    from igrt.geometry.grid import Grid

Values = np.ndarray[Any, Any] | np.generic
Kji = tuple[int, int, int]
KEPT = 16  # arrays of a size of their own that are kept for the next of it
LARGEST_WINDOW = 7000  # voxels: the sum of squares of so many stays below 2^32
MOST_VOXELS = 2**31
MOST_AVERAGED = 65536  # voxels: the sum of so many stays below 2^32
NORMALISE_CHANNELS, CORRELATE_CHANNELS = 3, 6


@dataclass(slots=True)
class Buffer:
    """An array in the device's memory; `cells` is the runtime's own."""

    cells: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Runtime(Protocol):
    """What launches entry points."""

    name: str

    def threads(self, entry: str) -> int:
        """Threads of a block of an entry point."""

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """A new array of unknown content."""

    def upload(self, array: NDArray[Any]) -> Buffer:
        """A copy of a C-contiguous array; it may still be on its way, and launches that read it wait for it."""

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """A copy for the host, after all launches that write it."""

    def launch(self, entry: str, blocks: int, *arguments: Buffer | Values) -> None:
        """Run `blocks` blocks; arrays of NumPy and its scalars are passed by value, as structs."""


def require(holds: object, sentence: str) -> None:
    """ValueError with the sentence where something does not hold."""
    if not holds:
        raise ValueError(sentence)


def ijk(kji: tuple[int, ...]) -> NDArray[np.int32]:
    """A size as the kernels take it."""
    return np.array(kji[::-1], np.int32)


class Resident:
    """Device copies of arrays that are read many times. A copy lives as long as its array, which is locked against writing from then on."""

    def __init__(self, upload: Callable[[NDArray[Any]], Buffer]) -> None:
        self._upload = upload
        self._copies: dict[int, tuple[weakref.ref[NDArray[Any]], Buffer]] = {}

    def __len__(self) -> int:
        return len(self._copies)

    def __call__(self, array: NDArray[Any]) -> Buffer:
        """The copy of an array, made on the first call."""
        key = id(array)
        known = self._copies.get(key)
        if known is not None and known[0]() is array:
            return known[1]
        array.setflags(write=False)
        buffer = self._upload(array)
        self._copies[key] = (weakref.ref(array, lambda _gone: self._forget(key)), buffer)
        return buffer

    def _forget(self, key: int) -> None:
        self._copies.pop(key, None)


class GpuVerbs:
    """Every verb of `reference`, and of `projection_reference`, by the entry points."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._resident = Resident(runtime.upload)
        self._sums: dict[int, Buffer] = {}  # by number of chunks: the solver's loop allocates nothing

    def _each(self, entry: str, items: int, *arguments: Buffer | Values) -> None:
        """Launch one thread an item."""
        if items:
            self.runtime.launch(entry, -(-items // self.runtime.threads(entry)), *arguments)

    def hold(self, *arrays: NDArray[Any]) -> None:
        """As `reference.hold`: begins to copy them now, while something else is computed."""
        for array in arrays:
            self._resident(array)

    def interpolate(self, volume: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
        """As `reference.interpolate`."""
        points = np.ascontiguousarray(points_mm, np.float64)
        require(points.ndim == 2 and points.shape[1] == 3 and len(points) < MOST_VOXELS, "interpolate: points must be (n, 3)")
        require(volume.hu.size < MOST_VOXELS, "interpolate: at most 2^31 voxels")
        out = self.runtime.empty((len(points),), np.float32)
        affine = np.ascontiguousarray(volume.grid.index_from_mm, np.float64)
        arguments = (self._resident(volume.hu), ijk(volume.hu.shape), affine, self.runtime.upload(points), np.int32(len(points)), out)
        self._each("interpolate", len(points), *arguments)
        return self.runtime.download(out)

    def shrink(self, hu: NDArray[np.int16], factors_kji: Kji) -> NDArray[np.int16]:
        """As `reference.shrink`."""
        require(
            min(factors_kji) > 0 and np.prod(factors_kji, dtype=object) <= MOST_AVERAGED, "shrink: factors must average 1 to 65536 voxels"
        )
        require(hu.size < MOST_VOXELS, "shrink: at most 2^31 voxels")
        small = tuple(n // f for n, f in zip(hu.shape, factors_kji, strict=True))
        out = self.runtime.empty(small, np.int16)
        self._each("shrink", int(np.prod(small)), self.runtime.upload(contiguous(hu)), ijk(hu.shape), ijk(factors_kji), ijk(small), out)
        return self.runtime.download(out)

    def normalise(
        self, hu: NDArray[np.int16], valid: NDArray[np.bool_], half_kji: Kji, *, least: int, floor_hu: float
    ) -> NDArray[np.int16]:
        """As `reference.normalise`."""
        require(hu.shape == valid.shape, "normalise: hu, valid and out must have one shape")
        require_window("normalise", hu.shape, half_kji, floor_hu)
        require(least > 0, "normalise: least and floor_hu must be positive")
        floor = np.float32(floor_hu) / np.float32(STEP_HU)
        images, size = (self.runtime.upload(contiguous(hu)), self.runtime.upload(contiguous(valid).view(np.uint8))), ijk(hu.shape)
        sums = self._windows("normalise", images, hu.shape, half_kji, NORMALISE_CHANNELS)
        out = self.runtime.empty(hu.shape, np.int16)
        self._each("normalise_along_i", hu.size, *images, sums, size, np.int32(half_kji[2]), np.int32(least), floor * floor, out)
        return self.runtime.download(out)

    def correlate(
        self,
        first: NDArray[np.int16],
        second: NDArray[np.int16],
        valid: NDArray[np.bool_],
        half_kji: Kji,
        *,
        floor_hu: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `reference.correlate`."""
        require(first.shape == second.shape == valid.shape, "correlate: all arrays must have one shape")
        require_window("correlate", first.shape, half_kji, floor_hu)
        floor = np.float64(np.float32(floor_hu)) / STEP_HU
        counted = self.runtime.upload(contiguous(valid).view(np.uint8))
        images = (self.runtime.upload(contiguous(first)), self.runtime.upload(contiguous(second)), counted)
        sums = self._windows("correlate", images, first.shape, half_kji, CORRELATE_CHANNELS)
        values, weights = (self.runtime.empty(first.shape, np.float32) for _ in range(2))
        self._each("correlate_along_i", first.size, counted, sums, ijk(first.shape), np.int32(half_kji[2]), floor * floor, values, weights)
        return self.runtime.download(values), self.runtime.download(weights)

    def _windows(self, verb: str, images: tuple[Buffer, ...], shape: tuple[int, ...], half_kji: Kji, channels: int) -> Buffer:
        """The window sums along k and j; the last step, along i, is the verb's own."""
        voxels = int(np.prod(shape))
        along_k, along_j = (self.runtime.empty((channels, *shape), np.uint32) for _ in range(2))
        self._each(f"{verb}_along_k", voxels, *images, ijk(shape), np.int32(half_kji[0]), along_k)
        self._each("box_along_j", channels * voxels, along_k, ijk(shape), np.int32(half_kji[1]), np.int32(channels), along_j)
        return along_j

    def draw(
        self, scores: NDArray[np.int16], spacing_ijk_mm: NDArray[np.float32], block_kji: Kji, *, wanted: float, seed: int
    ) -> NDArray[np.int32]:
        """As `reference.draw`."""
        require(min(block_kji) > 0, "draw: block must be positive")
        require(scores.size < MOST_VOXELS, "draw: at most 2^31 voxels")
        nothing = np.empty((0, 3), np.int32)
        blocks = int(np.prod([-(-n // b) for n, b in zip(scores.shape, block_kji, strict=True)]))
        if blocks == 0:
            return nothing
        spacing = np.ascontiguousarray(spacing_ijk_mm, np.float32)
        image = (self.runtime.upload(contiguous(scores)), ijk(scores.shape), spacing, ijk(block_kji))
        slopes = self.runtime.empty((blocks,), np.float64)
        self.runtime.launch("draw_slopes", blocks, *image, slopes)
        total = float(np.add.accumulate(self.runtime.download(slopes))[-1])  # in the order of the blocks
        if not total > 0:
            return nothing
        chance = (np.float32(wanted / total), np.uint32(seed))
        counts = self.runtime.empty((blocks,), np.int32)
        self.runtime.launch("draw_count", blocks, *image, *chance, counts)
        ends = np.cumsum(self.runtime.download(counts), dtype=np.int32)
        if ends[-1] == 0:
            return nothing
        out = self.runtime.empty((int(ends[-1]), 3), np.int32)
        places = np.concatenate([np.zeros(1, np.int32), ends[:-1]])
        self.runtime.launch("draw_write", blocks, *image, *chance, self.runtime.upload(places), out)
        return self.runtime.download(out)

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
        """As `reference.accumulate`. `scores`, `positions_mm` and `values` stay on the device from the first call on."""
        count = len(values)
        require(positions_mm.shape == (3, count), "accumulate: give one value a position")
        require(scores.size < MOST_VOXELS and count < MOST_VOXELS, "accumulate: at most 2^31 voxels and samples")
        chunks = -(-count // SAMPLES_PER_CHUNK)
        if chunks == 0:
            return np.zeros((0, TERMS))
        out = self._sums.get(chunks)
        if out is None:
            if len(self._sums) >= KEPT:
                self._sums.pop(next(iter(self._sums)))
            out = self._sums[chunks] = self.runtime.empty((chunks, TERMS), np.float64)
        affine = np.ascontiguousarray(index_from_mm, np.float32)
        pose = np.concatenate([np.ravel(rotation), np.ravel(translation_mm)]).astype(np.float32)
        samples = (self._resident(positions_mm), self._resident(values), np.int32(count))
        self.runtime.launch(
            "accumulate", chunks, self._resident(scores), ijk(scores.shape), affine, *samples, pose, np.float32(scale) ** 2, out
        )
        return self.runtime.download(out)

    def project(self, values: NDArray[np.float32], grid: Grid, cameras: Cameras) -> NDArray[np.float32]:
        """As `projection_reference.project`."""
        require(0 < values.size < MOST_VOXELS // 2, "project: give 1 to 2^30 voxels")
        padded_shape = tuple(n + 2 for n in values.shape)
        padded = self.runtime.empty(padded_shape, np.float32)
        self._each("pad", int(np.prod(padded_shape)), self.runtime.upload(contiguous(values)), ijk(values.shape), padded)
        rays = self.runtime.upload(contiguous(cameras.in_indices(grid)))
        shape = (len(cameras.source_mm), *cameras.shape)
        out = self.runtime.empty(shape, np.float32)
        spacing = np.ascontiguousarray(grid.spacing_mm, np.float64)
        self._each("project", int(np.prod(shape)), padded, ijk(values.shape), spacing, rays, *(np.int32(n) for n in shape), out)
        return self.runtime.download(out)

    def backproject(self, images: NDArray[np.float32], cameras: Cameras, grid: Grid) -> NDArray[np.float32]:
        """As `projection_reference.backproject`."""
        require(images.shape == (len(cameras.source_mm), *cameras.shape), "backproject: give one image a camera, of its shape")
        shape = grid.shape_kji
        pieces = -(-shape[2] // self.runtime.threads("backproject"))
        require(np.prod(shape) < MOST_VOXELS, "backproject: at most 2^31 voxels")
        matrices = self.runtime.upload(contiguous(cameras.pixel_from_index(grid)))
        out = self.runtime.empty(shape, np.float32)
        views, rows, columns = (np.int32(n) for n in images.shape)
        seen = self.runtime.upload(contiguous(images))
        arguments = (seen, views, rows, columns, matrices, ijk(shape), np.int32(pieces), out)
        self.runtime.launch("backproject", shape[0] * shape[1] * pieces, *arguments)
        return self.runtime.download(out)


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array, C-contiguous."""
    return np.ascontiguousarray(array)


def require_window(verb: str, shape: tuple[int, ...], half_kji: Kji, floor_hu: float) -> None:
    """ValueError where a window of 2 half + 1 voxels is none, or too large for exact sums."""
    window = [2 * half + 1 for half in half_kji]
    require(min(half_kji) >= 0 and np.prod(window, dtype=object) <= LARGEST_WINDOW, f"{verb}: the window must hold at most 7000 voxels")
    require(floor_hu > 0, f"{verb}: floor_hu must be positive")
    require(np.prod(shape, dtype=object) < MOST_VOXELS, f"{verb}: at most 2^31 voxels")
