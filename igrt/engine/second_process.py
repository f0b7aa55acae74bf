"""The second solver's keeper: a process of its own for each proposal, of the lowest priority, ended with its proposal or its budget."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from igrt.engine.logs import log
from igrt.engine.second_tasks import SecondReport, SecondTask

LOG = logging.getLogger(__name__)
BUDGET_S = 120.0


class SecondProcess:
    """Lives on the engine's event loop. `on_report` hears once of each task that is not cancelled."""

    def __init__(self, command: Sequence[str], *, budget_s: float, on_report: Callable[[SecondReport], None]) -> None:
        self._command, self._budget_s, self._on_report = tuple(command), budget_s, on_report
        self._task: asyncio.Task[None] | None = None
        self.pid: int | None = None

    def begin(self, task: SecondTask) -> None:
        """Start a process on it, in place of what ran."""
        self.cancel()
        self._task = asyncio.get_running_loop().create_task(self._run(task))

    def cancel(self) -> None:
        """Kill what runs."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def stop(self) -> None:
        """Kill what runs, and wait until it is gone."""
        running = self._task
        self.cancel()
        if running is not None:
            await asyncio.wait({running})

    async def _run(self, task: SecondTask) -> None:
        try:
            report = await self._report(task)
        except OSError as error:
            report = SecondReport(proposal_id=task.proposal_id, failed=f"it could not be started ({error.strerror})")
        log(LOG, "the second solver ends", found=report.figures is not None)
        self._task = None  # what follows from the report may end or begin another
        try:
            self._on_report(report)
        except Exception as error:
            LOG.error("the second solver's report could not be taken", exc_info=error)

    async def _report(self, task: SecondTask) -> SecondReport:
        """What the process says; why it says nothing, where it died, hung or spoke nonsense."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._command, "--parent", str(os.getpid()), stdin=pipe, stdout=pipe)
        self.pid = process.pid
        try:
            said, _ = await asyncio.wait_for(process.communicate(msgspec.msgpack.encode(task)), self._budget_s)
            if process.returncode == 0:
                report = msgspec.msgpack.decode(said, type=SecondReport)
                if report.proposal_id == task.proposal_id:
                    return report
            why = f"its process ended with code {process.returncode}"
        except TimeoutError:
            why = f"it was not done after {self._budget_s:.0f} s"
        except msgspec.MsgspecError:
            why = "its process gave no report that can be read"
        finally:
            if self.pid == process.pid:  # else another has begun meanwhile
                self.pid = None
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        return SecondReport(proposal_id=task.proposal_id, failed=why)
