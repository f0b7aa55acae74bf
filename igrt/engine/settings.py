"""What an engine is started with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from igrt.bus.topics import HEARTBEAT_PERIOD_S
from igrt.engine.case import Limits
from igrt.engine.second_process import BUDGET_S
from igrt.engine.supervisor import Budgets


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the engine runs; `folder` holds its images and, while it runs, its addresses. Port 0 lets the system choose.

    `log` has the worker write its log into `folder`; images older than `keep_days` go, None keeps them.
    `second_solver` has SimpleITK look at each proposal too, where its protocol says so, for `second_budget_s` at most.
    """

    folder: Path
    site: Path | None = None
    device: str | None = None
    host: str = "127.0.0.1"
    commands_port: int = 0
    images_port: int = 0
    events_port: int = 0
    heartbeat_s: float = HEARTBEAT_PERIOD_S
    limits: Limits = field(default_factory=Limits)
    budgets: Budgets = field(default_factory=Budgets)
    worker_command: tuple[str, ...] = ()
    log: bool = False
    keep_days: float | None = None
    second_solver: bool = False
    second_command: tuple[str, ...] = ()
    second_budget_s: float = BUDGET_S

    def worker(self) -> Sequence[str]:
        """The command that starts a worker."""
        if self.worker_command:
            return self.worker_command
        command = [sys.executable, "-m", "igrt.engine.worker"]
        if self.site:
            command += ["--site", str(self.site)]
        if self.device:
            command += ["--device", self.device]
        if self.log:
            command += ["--log", str(self.folder)]
        return command

    def second(self) -> Sequence[str]:
        """The command that starts the second solver."""
        if self.second_command:
            return self.second_command
        command = [sys.executable, "-m", "igrt.engine.second_worker"]
        return [*command, "--log", str(self.folder)] if self.log else command
