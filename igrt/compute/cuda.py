"""The verbs on an NVIDIA GPU: the entry points of `kernels/cuda`, compiled by NVRTC and launched through CuPy."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from igrt.compute.failure import DeviceError
from igrt.compute.gpu import KEPT, Buffer, GpuVerbs, Values
from igrt.compute.kernel_source import OPTIONS, kernel_text, threads_of_entries


class NoCudaError(RuntimeError):
    """There is no GPU to compute on; the sentence says what is missing."""


@dataclass(slots=True)
class CudaBuffer(Buffer):
    """An array in a GPU's memory. While an upload is on its way, `arrived` is the event at its end, `staging` the pinned copy it reads."""

    arrived: Any = None
    staging: Any = None


class CudaRuntime:
    """One GPU: a stream for launches, another for uploads, so that what will be needed arrives while something else is computed."""

    def __init__(self, cupy: Any, number: int = 0) -> None:
        self._cupy = cupy
        self._device = cupy.cuda.Device(number)
        properties = cupy.cuda.runtime.getDeviceProperties(number)
        major, minor = properties["major"], properties["minor"]
        self.name = f"cuda {properties['name'].decode()} sm_{major}{minor}"
        self._failures = (
            cupy.cuda.runtime.CUDARuntimeError,
            cupy.cuda.driver.CUDADriverError,
            cupy.cuda.compiler.CompileException,
            cupy.cuda.memory.OutOfMemoryError,
        )
        self._threads = threads_of_entries()
        self._pinned: dict[tuple[tuple[int, ...], str], NDArray[Any]] = {}
        self._in_use: list[tuple[Buffer | Values, ...]] = []  # arguments of launches that may still run: their memory is not given away
        with self._to("compile its kernels"):
            self._launches = cupy.cuda.Stream(non_blocking=True)
            self._uploads = cupy.cuda.Stream(non_blocking=True)
            # CuPy keeps the compiled module by a hash of this text, the options and the architecture.
            module = cupy.RawModule(code=kernel_text(), options=OPTIONS, backend="nvrtc")
            self._entries = {entry: module.get_function(entry) for entry in self._threads}

    @contextmanager
    def _to(self, doing: str) -> Iterator[None]:
        """On this GPU; DeviceError where the driver fails."""
        try:
            with self._device:
                yield
        except self._failures as failure:
            raise DeviceError(self.name, doing, str(failure)) from failure

    def threads(self, entry: str) -> int:
        """As `Runtime.threads`."""
        return self._threads[entry]

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """As `Runtime.empty`."""
        with self._to("make room for an array"), self._launches:
            cells = self._cupy.empty(shape, dtype)
        return CudaBuffer(cells, cells.shape, cells.dtype)

    def upload(self, array: NDArray[Any]) -> Buffer:
        """As `Runtime.upload`: through pinned memory, on a stream of its own."""
        with self._to("take in an array"):
            with self._uploads:
                cells = self._cupy.empty(array.shape, array.dtype)
            if array.size == 0:
                return CudaBuffer(cells, cells.shape, cells.dtype)
            staging = self._pinned_array(array.shape, array.dtype)
            np.copyto(staging, array)
            runtime = self._cupy.cuda.runtime
            runtime.memcpyAsync(cells.data.ptr, staging.ctypes.data, array.nbytes, runtime.memcpyHostToDevice, self._uploads.ptr)
            arrived = self._cupy.cuda.Event(disable_timing=True)
            arrived.record(self._uploads)
        return CudaBuffer(cells, cells.shape, cells.dtype, arrived, staging)

    def download(self, buffer: Buffer) -> NDArray[Any]:
        """As `Runtime.download`: through pinned memory that is kept for the next of its shape."""
        if 0 in buffer.shape:
            return np.empty(buffer.shape, buffer.dtype)
        with self._to("give an array back"):
            key = (buffer.shape, buffer.dtype.str)
            staging = self._pinned.get(key)
            if staging is None:
                if len(self._pinned) >= KEPT:  # shapes that depend on the image do not come again
                    self._pinned.pop(next(iter(self._pinned)))
                staging = self._pinned[key] = self._pinned_array(*key)
            runtime = self._cupy.cuda.runtime
            runtime.memcpyAsync(staging.ctypes.data, buffer.cells.data.ptr, staging.nbytes, runtime.memcpyDeviceToHost, self._launches.ptr)
            self._launches.synchronize()
        self._in_use.clear()
        return staging.copy()

    def launch(self, entry: str, blocks: int, *arguments: Buffer | Values) -> None:
        """As `Runtime.launch`."""
        with self._to(f"run {entry}"), self._launches:
            for argument in arguments:
                if isinstance(argument, CudaBuffer):
                    self._await(argument)
            given = tuple(a.cells if isinstance(a, Buffer) else _by_value(a) for a in arguments)
            self._entries[entry]((blocks,), (self._threads[entry],), given)
        self._in_use.append(arguments)

    def _await(self, buffer: CudaBuffer) -> None:
        """Let the launches to come wait for an upload, on the GPU; the host waits for nothing."""
        if buffer.arrived is not None:
            self._launches.wait_event(buffer.arrived)
            if buffer.arrived.done:
                buffer.arrived = buffer.staging = None

    def _pinned_array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        kind = np.dtype(dtype)
        count = int(np.prod(shape))
        memory = self._cupy.cuda.alloc_pinned_memory(count * kind.itemsize)
        return np.frombuffer(memory, kind, count).reshape(shape)


def _by_value(values: Values) -> NDArray[np.void]:
    """One element of as many bytes: CuPy passes arrays of one element by value."""
    return np.frombuffer(values.tobytes(), np.dtype((np.void, values.nbytes)))


@functools.cache
def verbs() -> GpuVerbs:
    """The verbs of the first GPU, opened once. NoCudaError where there is none, DeviceError where it fails at once."""
    try:
        import cupy
    except ImportError as missing:
        raise NoCudaError(f"CuPy is not installed ({missing}); install igrt[cuda12] or igrt[cuda13]") from missing
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as failure:
        raise NoCudaError(f"CuPy {cupy.__version__} finds no GPU: {failure}") from failure
    if count == 0:
        raise NoCudaError(f"CuPy {cupy.__version__} finds no GPU")
    return GpuVerbs(CudaRuntime(cupy))
