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

    `launches`, `reads` and `writes` count by entry point what was launched and how many cells its threads touched, cache or not.
    """

    name = "cuda emulated"

    def __init__(self, seed: int = 1) -> None:
        self._native = load_native("emulation")
        self._threads: dict[str, int] = self._native.entries()
        self.seed = seed
        self.launches: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

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
        return Buffer(array.copy(), array.shape, array.dtype)

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """As `Runtime.download`."""
        copy: NDArray[Any] = buffer.cells.copy()
        return copy

    def launch(self, entry: str, blocks: int, *arguments: Buffer | Values) -> None:
        """As `Runtime.launch`."""
        given = [a.cells if isinstance(a, Buffer) else a.tobytes() for a in arguments]
        accesses = self._native.launch(entry, blocks, given, self.seed)
        self.launches[entry] += 1
        self.reads[entry] += sum(reads for reads, _ in accesses)
        self.writes[entry] += sum(writes for _, writes in accesses)


def emulated_verbs(seed: int = 1) -> GpuVerbs:
    """The verbs of the emulated GPU."""
    return GpuVerbs(EmulatedRuntime(seed))
