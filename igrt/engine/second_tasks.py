"""What the engine and the second solver's process tell each other: one task in, one report out. Internal; not part of the bus."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from igrt.bus.messages import LoadPlan
from igrt.engine.spool import Description
from igrt.verification.second_solver import SecondFigures


class SecondTask(Struct, frozen=True, kw_only=True):
    """Match the image at `path` to the plan, and compare with the answer (its poses and isocentre, as in its JSON object)."""

    proposal_id: str
    plan: LoadPlan
    plan_fingerprint: str
    image: Description
    path: str
    answer: dict[str, Any]


class SecondReport(Struct, frozen=True, kw_only=True):
    """The figures; None where there are none, and then `failed` says why: begins small, no full stop."""

    proposal_id: str
    figures: SecondFigures | None = None
    failed: str = ""
