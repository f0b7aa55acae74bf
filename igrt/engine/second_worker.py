"""The second solver's process: one task from standard input, one report to standard output. It yields to everything else there is."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

from igrt.bus.grids import daily_grid
from igrt.compute.volume import Volume
from igrt.engine.logs import logging_to
from igrt.engine.second_tasks import SecondReport, SecondTask
from igrt.engine.worker import end_with
from igrt.errors import InputError
from igrt.images.load import load_plan
from igrt.verification.second_solver import SecondFigures, measure_second

LOG = logging.getLogger("igrt.engine.second_worker")
LOWEST_PRIORITY = 19
Measure = Callable[[SecondTask], SecondFigures]


def measure(task: SecondTask) -> SecondFigures:
    """Read the plan again, map the image, and run the solver. InputError where that cannot be."""
    request, d = task.plan, task.image
    plan = load_plan(
        Path(request.path),
        isocentre_mm=request.isocentre_mm,
        position=request.position,
        isocentre_choice=request.isocentre_choice,
        setup_choice=request.setup_choice,
    )
    if plan.fingerprint != task.plan_fingerprint:
        raise InputError("the plan on disk is no longer the one that was loaded")
    if d.grid is None:
        raise InputError("the image is of radiographs, which it does not match")
    grid = daily_grid(d.grid, source=d.source)
    hu = np.asarray(np.memmap(task.path, dtype="<i2", mode="r", shape=grid.shape_kji))
    return measure_second(plan.ct, Volume(grid, hu), task.answer)


def yield_to_all() -> None:
    """Run only where nobody else wants the processor, and be the first to go where memory runs out."""
    os.nice(LOWEST_PRIORITY)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(arguments: Sequence[str] | None = None, do: Measure = measure) -> None:
    """One task; the engine is the only caller."""
    parser = argparse.ArgumentParser(prog="python -m igrt.engine.second_worker", description="The second solver; started by the engine.")
    parser.add_argument("--parent", type=int, required=True, help="process id of the engine")
    parser.add_argument("--log", type=Path, default=None, help="the engine's folder, for the log")
    given = parser.parse_args(arguments)
    yield_to_all()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(given.parent)
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=SecondTask)
    with logging_to(given.log, "second"):
        try:
            report = SecondReport(proposal_id=task.proposal_id, figures=do(task))
        except InputError as error:
            report = SecondReport(proposal_id=task.proposal_id, failed=str(error).rstrip("."))
        except Exception as error:
            LOG.error("a defect in the second solver", exc_info=error)
            report = SecondReport(proposal_id=task.proposal_id, failed=f"a defect of igrt ({type(error).__name__}); report it with the log")
    sys.stdout.buffer.write(msgspec.msgpack.encode(report))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
