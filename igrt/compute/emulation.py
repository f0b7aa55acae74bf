"""A GPU that is not there: the entry points of `kernels/cuda` compiled for the host, every access and every wait of theirs watched."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from igrt.compute.cpu import load_native
from igrt.compute.gpu import Buffer, GpuVerbs, Values

UNKNOWN = 0xA5  # the bytes of memory that nobody has written


class EmulatedRuntime:
    """Runs launches at once, block by block; `seed` shuffles blocks and threads. The native module's `Fault` where a kernel is wrong.

    Counted by entry point: `launches`; `reads` and `writes`, the bytes that threads asked for, cache or not; `arrays`, the bytes of all
    arrays of a launch, each once. `uploaded` and `downloaded` are bytes, `answers` the downloads, each of which the host waits for.
    """

    name = "cuda emulated"

    def __init__(self, seed: int = 1) -> None:
        self._native = load_native("emulation")
        self._threads: dict[str, int] = self._native.entries()
        self.seed = seed
        self.launches: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.arrays: Counter[str] = Counter()
        self.uploaded = self.downloaded = self.answers = 0

    def threads(self, entry: str) -> int:
        """As `Runtime.threads`."""
        return self._threads[entry]

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """As `Runtime.empty`; of bytes that are no answer."""
        array = np.empty(shape, dtype)
        array.reshape(-1).view(np.uint8)[:] = UNKNOWN
        return Buffer(array, array.shape, array.dtype)

    def upload(self, array: NDArray[Any]) -> Buffer:
        """As `Runtime.upload`."""
        self.uploaded += array.nbytes
        return Buffer(array.copy(), array.shape, array.dtype)

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """As `Runtime.download`."""
        copy: NDArray[Any] = buffer.cells.copy()
        self.downloaded += copy.nbytes
        self.answers += 1
        return copy

    def launch(self, entry: str, blocks: int, *arguments: Buffer | Values) -> None:
        """As `Runtime.launch`."""
        given = [a.cells if isinstance(a, Buffer) else a.tobytes() for a in arguments]
        accesses = self._native.launch(entry, blocks, given, self.seed)
        self.launches[entry] += 1
        for argument, (reads, writes) in zip(arguments, accesses, strict=True):
            if isinstance(argument, Buffer):
                self.reads[entry] += reads * argument.dtype.itemsize
                self.writes[entry] += writes * argument.dtype.itemsize
                self.arrays[entry] += argument.cells.nbytes


def emulated_verbs(seed: int = 1) -> GpuVerbs:
    """The verbs of the emulated GPU."""
    return GpuVerbs(EmulatedRuntime(seed))
