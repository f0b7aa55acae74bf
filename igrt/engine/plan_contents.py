"""Reads the plan in use once more, in a process of its own, for who fetches its CT or contours: the engine's loop and worker go on.

The content goes into a file without a name that the engine holds open, so that nothing of a patient is left where either is killed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from igrt.bus.grids import grid_as_sent
from igrt.bus.messages import FetchedStructure, ImageGrid, LoadPlan
from igrt.engine.plan_parts import Part, PlanContents, Unreadable
from igrt.engine.worker import end_with
from igrt.errors import InputError
from igrt.images.load import load_plan
from igrt.images.records import Plan, Structure

NICE = 10


def written(plan: Plan, file: int) -> PlanContents:
    """Write what can be fetched of `plan` to an open file, and say where it lies."""
    start = 0

    def part(data: memoryview | bytes, grid: ImageGrid | None = None) -> Part:
        nonlocal start
        view = memoryview(data).cast("B")
        done = Part(start_bytes=start, total_bytes=len(view), sha256=hashlib.sha256(view).hexdigest(), grid=grid)
        while len(view):
            view = view[os.pwrite(file, view, start) :]
            start = done.start_bytes + done.total_bytes - len(view)
        return done

    hu = plan.ct.hu.astype("<i2", copy=False)
    return PlanContents(
        fingerprint=plan.fingerprint,
        plan_ct=part(hu.data, grid_as_sent(plan.ct.grid)),
        contours=part(msgspec.msgpack.encode([_as_sent(structure) for structure in plan.structures])),
    )


def _as_sent(structure: Structure) -> FetchedStructure:
    return FetchedStructure(
        name=structure.name,
        kind=structure.kind.value,
        contours_mm=[[(x, y, z) for x, y, z in contour.tolist()] for contour in structure.contours_mm],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """A request to load the plan on standard input, what came of it on standard output; the engine is the only caller."""
    parser = argparse.ArgumentParser(
        prog="python -m igrt.engine.plan_contents", description="Reads a plan for fetching; started by the engine."
    )
    parser.add_argument("--to", type=int, required=True, help="an open file")
    parser.add_argument("--parent", type=int, required=True, help="process id of the engine")
    given = parser.parse_args(arguments)
    end_with(given.parent)
    os.nice(NICE)
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=LoadPlan)
    try:
        plan = load_plan(
            Path(request.path),
            isocentre_mm=request.isocentre_mm,
            position=request.position,
            isocentre_choice=request.isocentre_choice,
            setup_choice=request.setup_choice,
        )
        said: PlanContents | Unreadable = written(plan, given.to)
    except InputError as error:
        said = Unreadable(sentence=str(error))
    sys.stdout.buffer.write(msgspec.msgpack.encode(said))


if __name__ == "__main__":
    main()
