"""What was proposed is what the linac has loaded: patient, plan, approval, fraction, isocentre, beam, machine."""

from __future__ import annotations

import math
from collections.abc import Iterator

from igrt.guard.facts import Breach, Case, point, text, whole

APPROVED = "APPROVED"
LOAD_AGAIN = "load the same at the linac and in igrt, then image again"


def patient(case: Case) -> Iterator[Breach]:
    """The patient's id is the same on both sides."""
    yield from _same_text(case, "patient_id")


def plan(case: Case) -> Iterator[Breach]:
    """Plan UID and revision are the same on both sides."""
    yield from _same_text(case, "plan_uid")
    yield from _same_text(case, "plan_revision")


def plan_approval(case: Case) -> Iterator[Breach]:
    """Both sides hold the plan as approved."""
    for side in ("proposed", "linac.loaded"):
        value = text(case.request, f"{side}.plan_approval")
        if value != APPROVED:
            yield Breach(
                field=f"{side}.plan_approval",
                value=repr(value),
                limit=f"only a plan whose status is {APPROVED} is treated",
                remedy="have the plan approved and load it again",
            )


def fraction(case: Case) -> Iterator[Breach]:
    """The fraction is the same on both sides."""
    ours, theirs = whole(case.request, "proposed.fraction"), whole(case.request, "linac.loaded.fraction")
    if ours != theirs:
        yield _differs("fraction", str(theirs), str(ours))


def isocentre(case: Case) -> Iterator[Breach]:
    """The isocentre (plan LPS) is the same on both sides."""
    ours, theirs = point(case.request, "proposed.isocentre_mm"), point(case.request, "linac.loaded.isocentre_mm")
    apart = math.dist(ours, theirs)
    if not apart <= case.policy.isocentre_mm:
        yield Breach(
            field="linac.loaded.isocentre_mm",
            value=f"{theirs}, {apart:.3f} mm from the proposal's {ours}",
            limit=f"they may differ by {case.policy.isocentre_mm:g} mm",
            remedy=LOAD_AGAIN,
        )


def beam(case: Case) -> Iterator[Breach]:
    """The beam is the same on both sides."""
    yield from _same_text(case, "beam")


def machine(case: Case) -> Iterator[Breach]:
    """The machine is the same on both sides, and the one that this policy is for."""
    yield from _same_text(case, "machine")
    name = text(case.request, "proposed.machine")
    if name != case.policy.machine:
        yield Breach(
            field="proposed.machine",
            value=repr(name),
            limit=f"this guard's policy is for {case.policy.machine!r}",
            remedy="choose the profile of the machine that treats",
        )


def _same_text(case: Case, name: str) -> Iterator[Breach]:
    ours, theirs = text(case.request, f"proposed.{name}"), text(case.request, f"linac.loaded.{name}")
    if ours != theirs:
        yield _differs(name, repr(theirs), repr(ours))


def _differs(name: str, theirs: str, ours: str) -> Breach:
    return Breach(field=f"linac.loaded.{name}", value=theirs, limit=f"the proposal is for {ours}", remedy=LOAD_AGAIN)
