"""The worker: a process of its own that keeps the plan prepared, takes slabs in as they come, and answers.

It may crash, hang or be killed; the engine notices, starts another and tells it again. It ends by itself when the
engine is gone.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import zmq

from igrt.bus.messages import LoadPlan
from igrt.bus.pose_messages import Pose
from igrt.compute.failure import DeviceError
from igrt.engine.basis import Basis
from igrt.engine.logs import logging_to
from igrt.engine.spool import Description
from igrt.engine.tasks import (
    Advanced,
    Answered,
    AnswerTask,
    AnyReport,
    AnyTask,
    DeviceFailed,
    Done,
    Failed,
    ImageTask,
    PlanReady,
    PlanTask,
    PoseTask,
    SlabTask,
    Started,
    StopTask,
)
from igrt.errors import InputError

LOG = logging.getLogger("igrt.engine.worker")
PARENT_CHECK_S = 0.5
PROGRESS_S = 0.05
Progress = Callable[[str, float], None]


class Solver(Protocol):
    """What the worker asks of the rooms that know how to answer."""

    def load(self, number: int, request: LoadPlan, progress: Progress) -> PlanReady:
        """Load and prepare a plan, for the images to come."""

    def begin(self, description: Description, path: Path) -> None:
        """Map an image's file; forget the last one."""

    def add(self, k_start: int, slices: int) -> None:
        """Take in slices that are on disk now."""

    def answer(self, progress: Progress, *, pose: Pose | None = None) -> dict[str, Any]:
        """The answer's JSON object for the plan and the whole image, at a pose that was set by hand where one is given."""

    def basis(self) -> Basis | None:
        """What that answer, given or failed, rests on; None where nothing can be given again from it."""


class Worker:
    """Does tasks in the order in which they come."""

    def __init__(self, socket: zmq.Socket[bytes], solver: Solver) -> None:
        self._socket, self._solver = socket, solver

    def run(self) -> None:
        """Until told to stop, or the device fails: what a GPU has failed at, no other work of the same process can be trusted with."""
        self._socket.send(msgspec.msgpack.encode(Started(number=0)))
        tasks = msgspec.msgpack.Decoder(AnyTask)
        while True:
            task = tasks.decode(self._socket.recv())
            if isinstance(task, StopTask):
                return
            try:
                report = msgspec.msgpack.encode(self._do(task))
            except DeviceError as failure:
                self._socket.send(msgspec.msgpack.encode(DeviceFailed(number=task.number, sentence=str(failure))))
                return
            except InputError as error:
                basis = self._solver.basis() if isinstance(task, AnswerTask | PoseTask) else None
                report = msgspec.msgpack.encode(Failed(number=task.number, code="bad_input", sentence=str(error), basis=basis))
            except Exception as error:
                LOG.error("a defect in the worker", exc_info=error)
                sentence = f"a defect of igrt ({type(error).__name__} in the worker); image again, and report it with the engine's log"
                report = msgspec.msgpack.encode(Failed(number=task.number, code="defect", sentence=sentence))
            self._socket.send(report)

    def _do(self, task: AnyTask) -> AnyReport:
        last_s = 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last_s
            if fraction >= 1.0 or time.monotonic() - last_s >= PROGRESS_S:
                last_s = time.monotonic()
                report = Advanced(number=task.number, stage=stage, fraction=min(max(float(fraction), 0.0), 1.0))
                self._socket.send(msgspec.msgpack.encode(report))

        match task:
            case PlanTask():
                return self._solver.load(task.number, task.request, progress)
            case ImageTask():
                self._solver.begin(task.description, Path(task.path))
            case SlabTask():
                self._solver.add(task.k_start, task.slices)
            case AnswerTask():
                answer = self._solver.answer(progress)
                return Answered(number=task.number, answer=answer, basis=self._solver.basis())
            case PoseTask():
                answer = self._solver.answer(progress, pose=task.plan_from_daily)
                return Answered(number=task.number, answer=answer, basis=self._solver.basis())
        return Done(number=task.number)


def end_with(parent: int) -> None:
    """End this process at once when its parent has gone; a worker without an engine would hold memory and answer nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def main(arguments: Sequence[str] | None = None, make_solver: Callable[[Path | None, str | None], Solver] | None = None) -> None:
    """Connect to the engine and work; the engine is the only caller."""
    parser = argparse.ArgumentParser(prog="python -m igrt.engine.worker", description="The engine's worker; started by the engine.")
    parser.add_argument("--connect", required=True, help="address of the engine's socket for this worker")
    parser.add_argument("--parent", type=int, required=True, help="process id of the engine")
    parser.add_argument("--site", type=Path, default=None, help="site folder")
    parser.add_argument("--device", default=None, help="compute device")
    parser.add_argument("--log", type=Path, default=None, help="the engine's folder, for the log")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(given.parent)
    with logging_to(given.log, "worker"):
        try:
            _work(given, make_solver)
        except Exception as error:
            LOG.critical("the worker ends", exc_info=error)
            sys.exit(1)


def _work(given: argparse.Namespace, make_solver: Callable[[Path | None, str | None], Solver] | None) -> None:
    if make_solver is None:
        from igrt.engine.solver import AnswerSolver

        make_solver = AnswerSolver
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        socket.setsockopt(zmq.LINGER, 1000)
        socket.connect(given.connect)
        Worker(socket, make_solver(given.site, given.device)).run()


if __name__ == "__main__":
    main()
