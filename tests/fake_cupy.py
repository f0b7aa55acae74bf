"""A CuPy without a GPU: launches go to the emulation, copies happen when a stream gets to them and not before."""

import ctypes
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from igrt.compute.cpu import load_native
from igrt.compute.kernel_source import threads_of_entries


class CudaError(RuntimeError):
    pass


class Stream:
    """What it was given to do is done when someone waits for it."""

    current: ClassVar[list["Stream"]] = []
    ptrs = iter(range(1, 1_000_000))
    by_ptr: ClassVar[dict[int, "Stream"]] = {}

    def __init__(self, non_blocking: bool) -> None:
        assert non_blocking
        self.ptr, self.waiting = next(self.ptrs), []
        self.by_ptr[self.ptr] = self

    def __enter__(self) -> "Stream":
        self.current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.current.pop()

    def synchronize(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()

    def wait_event(self, event: "Event") -> None:
        event.stream.synchronize()


class Event:
    def __init__(self, disable_timing: bool) -> None:
        assert disable_timing

    def record(self, stream: Stream) -> None:
        self.stream, self.number = stream, len(stream.waiting)

    @property
    def done(self) -> bool:
        return not self.stream.waiting


class Cells:
    def __init__(self, shape, dtype) -> None:
        assert Stream.current, "memory belongs to a stream"
        self.array = np.full(shape, 0, dtype)
        self.array.reshape(-1).view(np.uint8)[:] = 0xA5
        self.shape, self.dtype = self.array.shape, self.array.dtype
        self.data = SimpleNamespace(ptr=self.array.ctypes.data)


def memcpy_async(to: int, source: int, nbytes: int, kind: int, stream: int) -> None:
    work = Stream.by_ptr[stream]
    work.waiting.append(lambda: ctypes.memmove(to, source, nbytes))


class Kernel:
    def __init__(self, gpu: "FakeCupy", name: str) -> None:
        self.gpu, self.name = gpu, name

    def __call__(self, grid, block, arguments) -> None:
        self.gpu.launched += 1
        if self.gpu.launched > self.gpu.fails_after:
            raise CudaError("cudaErrorECCUncorrectable: uncorrectable ECC error encountered")
        assert block == (threads_of_entries()[self.name],)
        for argument in arguments:  # as CuPy: by value goes what is an array of one element
            assert isinstance(argument, Cells) or (isinstance(argument, np.ndarray) and argument.size == 1)
        given = [a.array if isinstance(a, Cells) else a.tobytes() for a in arguments]
        load_native("emulation").launch(self.name, grid[0], given, 3)


class FakeCupy:
    __version__ = "0 (fake)"

    def __init__(self, *, fails_after: float = float("inf")) -> None:
        self.launched, self.fails_after, self.allocated = 0, fails_after, 0
        runtime = SimpleNamespace(
            CUDARuntimeError=CudaError,
            getDeviceCount=lambda: 1,
            getDeviceProperties=lambda _number: {"name": b"Fake GPU", "major": 9, "minor": 0},
            memcpyAsync=memcpy_async,
            memcpyHostToDevice=1,
            memcpyDeviceToHost=2,
        )
        self.cuda = SimpleNamespace(
            Device=lambda _number: self,
            Stream=Stream,
            Event=Event,
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=type("CUDADriverError", (RuntimeError,), {})),
            compiler=SimpleNamespace(CompileException=type("CompileException", (RuntimeError,), {})),
            memory=SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (RuntimeError,), {})),
            alloc_pinned_memory=lambda nbytes: bytearray(nbytes),
        )

    def __enter__(self) -> "FakeCupy":
        return self

    def __exit__(self, *_: object) -> None: ...

    def empty(self, shape, dtype) -> Cells:
        self.allocated += 1
        return Cells(shape, dtype)

    def RawModule(self, *, code, options, backend) -> SimpleNamespace:
        assert "ENTRY(accumulate" in code
        assert "--fmad=false" in options
        assert backend == "nvrtc"
        return SimpleNamespace(get_function=lambda name: Kernel(self, name))
