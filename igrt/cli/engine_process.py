"""An engine of its own: `igrt serve` as another process, waited for and always ended."""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

READY_S = 60.0
ENDING_S = 15.0
LOG_LINES = 5


@contextlib.contextmanager
def running_engine(site: Path) -> Iterator[Path]:
    """The folder of a ready engine on ports of the system's choice; RuntimeError, with the end of its log, where it does not start.

    It runs no second solver: what is shown is over before one could finish.
    """
    site.mkdir(parents=True, exist_ok=True)
    log = site / "engine.log"
    ports = [word for name in ("commands", "images", "events") for word in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "igrt.cli.main", "serve", "--site", str(site), *ports, "--no-second-solver", "--json"]
    with _sigterm_unwinds(), log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:  # noqa: S603 - ourselves
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], READY_S)
            if not ready or b'"commands"' not in process.stdout.readline():
                tail = " / ".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
                raise RuntimeError(f"the engine did not start within {READY_S:.0f} s: {tail or 'it said nothing'}")
            yield site / "engine"
        finally:
            process.terminate()
            try:
                process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Meanwhile SIGTERM leaves as an exception does, so that the engine is ended and no folder is left behind."""

    def leave(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
