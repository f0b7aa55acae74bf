"""The worker's keeper: starts it, tells it its tasks, watches it, and starts and tells another when it dies or hangs."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq
import zmq.asyncio

from igrt.engine.logs import log
from igrt.engine.tasks import (
    NAMES,
    Advanced,
    Answered,
    AnswerTask,
    AnyReport,
    AnyTask,
    DeviceFailed,
    Failed,
    ImageTask,
    PlanTask,
    PoseTask,
    SlabTask,
    Started,
    StopTask,
    Task,
)

LOG = logging.getLogger(__name__)
STOP_S = 2.0
LONGEST_PAUSE_S = 10.0
ON_THE_PROCESSOR = ("--device", "cpu")


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long a worker may take (s) before it counts as hung."""

    start_s: float = 60.0
    plan_s: float = 180.0
    slab_s: float = 30.0
    answer_s: float = 60.0
    attempts: int = 3

    def of(self, task: Task | None) -> float:
        """For one task; None is the start of the process."""
        table: Mapping[type[Task], float] = {
            PlanTask: self.plan_s,
            ImageTask: self.slab_s,
            SlabTask: self.slab_s,
            AnswerTask: self.answer_s,
            PoseTask: self.answer_s,
            StopTask: STOP_S,
        }
        return self.start_s if task is None else table[type(task)]


@dataclass(frozen=True, slots=True)
class Death:
    """A worker is gone: why, what it was doing (also as its task), and whether it had outlived its budget (s, else None)."""

    cause: str
    doing: str = "its start"
    task: Task | None = None
    over_budget_s: float | None = None


class Supervisor:
    """Keeps one worker running, and the script of tasks that brings a new one to where the last one was.

    `on_report` hears every report with its task, those of tasks told again too; `on_death` hears of each death before the
    next start, which is on the processor once a device has failed; `on_give_up` hears of a task that was tried too often, and has
    it forgotten.
    """

    def __init__(
        self,
        command: Sequence[str],
        budgets: Budgets,
        *,
        on_report: Callable[[AnyReport, Task | None], None],
        on_death: Callable[[Death], None],
        on_give_up: Callable[[Task], None],
    ) -> None:
        self._command, self._budgets = tuple(command), budgets
        self._on_report, self._on_death, self._on_give_up = on_report, on_death, on_give_up
        self._script: list[AnyTask] = []
        self._pending: deque[AnyTask] = deque()
        self._done: set[int] = set()
        self._head_since_s = 0.0
        self._number = 0
        self._deaths = 0
        self._socket: zmq.asyncio.Socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False
        self._ending = False

    @property
    def pid(self) -> int | None:
        """Of the worker that runs now."""
        return self._process.pid if self._process else None

    def next_number(self) -> int:
        """For the next task."""
        self._number += 1
        return self._number

    def tell(self, task: AnyTask) -> None:
        """Do `task` after those told before; remembered until forgotten."""
        self._script.append(task)
        if self._started:  # else it is told with the whole script once the worker is up
            self._send(task)

    def forget(self, kinds: tuple[type[Task], ...]) -> None:
        """Do not tell tasks of these kinds again."""
        self._script = [t for t in self._script if not isinstance(t, kinds)]
        self._done &= {t.number for t in self._script}
        self._deaths = 0

    async def run(self, context: zmq.asyncio.Context) -> None:
        """Keep a worker until `stop`."""
        # A Unix socket in a folder of this user's alone: no other user can speak to the engine as its worker.
        with tempfile.TemporaryDirectory(prefix="igrt-") as folder:
            life = 0
            while not self._ending:
                life += 1
                try:
                    death = await self._one_life(context, f"ipc://{folder}/worker-{life}")
                except Exception as error:
                    LOG.error("the worker could not be served", exc_info=error)
                    death = Death(f"it could not be served: {type(error).__name__}")
                if not self._ending:
                    self._account(death)
                    await asyncio.sleep(0.0 if self._deaths <= 1 else min(0.5 * 2.0**self._deaths, LONGEST_PAUSE_S))

    async def stop(self, running: asyncio.Task[None]) -> None:
        """End the worker, gently where it has nothing to do, and then `running`, the task of `run`."""
        self._ending = True
        if self._started and not self._pending:
            self._send(StopTask(number=self.next_number()))
            await asyncio.wait({running}, timeout=STOP_S)
        if self._process:
            self._process.kill()
        running.cancel()
        await asyncio.wait({running})

    def _send(self, task: AnyTask) -> None:
        assert self._socket is not None
        if not self._pending:
            self._head_since_s = time.monotonic()
        self._pending.append(task)
        self._socket.send(msgspec.msgpack.encode(task))

    async def _one_life(self, context: zmq.asyncio.Context, address: str) -> Death:
        """Start a worker and serve it until it is gone."""
        self._started, self._head_since_s = False, time.monotonic()
        self._pending.clear()
        self._socket = context.socket(zmq.PAIR)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)
        command = [*self._command, "--connect", address, "--parent", str(os.getpid())]
        try:
            self._process = process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the engine's own command
            gone = asyncio.get_running_loop().run_in_executor(None, process.wait)
            try:
                return await self._serve(self._socket, process, gone)
            finally:
                process.kill()
                await asyncio.shield(gone)
        finally:
            self._started, self._process = False, None
            self._socket.close()

    async def _serve(self, socket: zmq.asyncio.Socket, process: subprocess.Popen[bytes], gone: asyncio.Future[int]) -> Death:
        over_budget_s: float | None = None
        while not gone.done():
            heard: asyncio.Future[Any] = asyncio.ensure_future(socket.poll())
            try:
                await asyncio.wait([heard, gone], timeout=self._left_s(), return_when=asyncio.FIRST_COMPLETED)
            finally:
                heard.cancel()
            await self._hear(socket)
            left_s = self._left_s()
            if over_budget_s is None and left_s is not None and left_s <= 0.0 and not gone.done():
                over_budget_s = self._budgets.of(self._head)
                process.kill()
        await self._hear(socket)
        code = gone.result()
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        if not self._started:
            return Death(cause, over_budget_s=over_budget_s)
        return Death(cause, NAMES[type(self._head)] if self._head else "no task", self._head, over_budget_s)

    @property
    def _head(self) -> Task | None:
        return self._pending[0] if self._pending else None

    def _left_s(self) -> float | None:
        """Until the present task, or the start, is over its budget; None where nothing is waited for."""
        if self._started and not self._pending:
            return None
        return self._head_since_s + self._budgets.of(self._head) - time.monotonic()

    async def _hear(self, socket: zmq.asyncio.Socket) -> None:
        while await socket.poll(0):
            self._take(msgspec.msgpack.decode(await socket.recv(), type=AnyReport))

    def _take(self, report: AnyReport) -> None:
        if isinstance(report, Started):
            self._started = True
            log(LOG, "the worker is up", worker=self.pid)
            for told in self._script:
                self._send(told)
            self._on_report(report, None)
            return
        task = self._head
        if isinstance(report, DeviceFailed):
            self._command = (*self._command, *ON_THE_PROCESSOR)
        elif not isinstance(report, Advanced):
            self._done.add(self._pending.popleft().number)
            self._head_since_s = time.monotonic()
            if not self._pending:
                self._deaths = 0
        if isinstance(report, Advanced | Answered | Failed) and all(told is not task for told in self._script):
            return  # it was forgotten: what it says is of an image or plan that is no longer in hand
        self._on_report(report, task)

    def _account(self, death: Death) -> None:
        self._deaths += 1
        log(LOG, "the worker died", level=logging.WARNING, cause=death.cause, doing=death.doing, over_budget_s=death.over_budget_s)
        self._on_death(death)
        doing = death.task
        if doing is None or doing.number in self._done:  # an earlier worker did it: this one got further, and its word was lost
            doing = self._script[-1] if self._script else None
        if doing is not None and self._deaths >= self._budgets.attempts:
            self._on_give_up(doing)
