"""The worker's loop, with a solver whose device fails."""

import msgspec

from igrt.compute.failure import DeviceError
from igrt.engine.tasks import AnyReport, DeviceFailed, Done, SlabTask, Started
from igrt.engine.worker import Worker


class Socket:
    """Gives tasks, and keeps what is said."""

    def __init__(self, *tasks) -> None:
        self.tasks, self.said = [msgspec.msgpack.encode(task) for task in tasks], []

    def recv(self) -> bytes:
        return self.tasks.pop(0)

    def send(self, frame: bytes) -> None:
        self.said.append(msgspec.msgpack.decode(frame, type=AnyReport))


class FailsAtTheSecondSlab:
    def add(self, k_start: int, slices: int) -> None:
        if k_start + slices > 1:
            raise DeviceError("cuda 0", "smooth", "an illegal memory access was encountered")


def test_a_worker_whose_device_fails_says_so_and_takes_no_further_task():
    socket = Socket(*(SlabTask(number=n, k_start=n - 1, slices=1) for n in (1, 2, 3)))
    Worker(socket, FailsAtTheSecondSlab()).run()
    assert [type(report) for report in socket.said] == [Started, Done, DeviceFailed]
    assert socket.said[-1].sentence == "cuda 0 failed while it was to smooth: an illegal memory access was encountered"
    assert len(socket.tasks) == 1
