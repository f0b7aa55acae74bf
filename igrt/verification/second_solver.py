"""What the second solver's pose says of an answer: it confirms it, withdraws it, or has no opinion.

A solver that fails to converge must not take a right answer away: it withdraws only where the two poses lie apart and its own measure
finds the images more alike at its own pose than at the answer's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan
from igrt.registration.second import Second
from igrt.verification.protocol import Protocol, SecondSolverTable, load_protocol


class Opinion(StrEnum):
    """What the second solver says of an answer."""

    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    NO_OPINION = "no_opinion"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFigures:
    """What it measured: how far its pose is from the answer's (mm, within 80 mm of the isocentre), and how alike the images are.

    `similarity` (mutual information, nats) is at its own pose, `similarity_there` at the answer's; `seconds` is what it took.
    """

    difference_mm: float
    similarity: float
    similarity_there: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """The opinion, why in one sentence, and the figures where there are any."""

    opinion: Opinion
    sentence: str
    figures: SecondFigures | None = None


def judge_second(figures: SecondFigures, table: SecondSolverTable) -> SecondOpinion:
    """The opinion that follows from the figures. Pure; a figure that is not a number is no opinion."""
    f = figures
    values = (f.difference_mm, f.similarity, f.similarity_there)
    if not all(math.isfinite(value) for value in values) or f.difference_mm < 0.0:
        return SecondOpinion(opinion=Opinion.NO_OPINION, sentence="The second solver has no opinion: it found no pose.", figures=figures)
    apart = f"{f.difference_mm:.1f} mm from the answer's pose (limit {table.difference_max_mm:.1f} mm, within 80 mm of the isocentre)"
    alike = f"its measure is {f.similarity:.3f} there and {f.similarity_there:.3f} at the answer's"
    if f.difference_mm <= table.difference_max_mm:
        return SecondOpinion(opinion=Opinion.CONFIRMED, sentence=f"The second solver confirms: it ended {apart}.", figures=figures)
    if f.similarity - f.similarity_there > table.margin * abs(f.similarity_there):
        sentence = f"The second solver contradicts: it ended {apart}, and {alike}."
        return SecondOpinion(opinion=Opinion.WITHDRAWN, sentence=sentence, figures=figures)
    sentence = f"The second solver has no opinion: it ended {apart}, but {alike}, which is not better by {table.margin:.1%}."
    return SecondOpinion(opinion=Opinion.NO_OPINION, sentence=sentence, figures=figures)


def why_not_comparable(answer: Mapping[str, Any]) -> str | None:
    """Why there is nothing in this answer (JSON object) that a match of the whole body could confirm; None where there is."""
    match = answer.get("match", {})
    if answer.get("plan_from_daily") is None:
        return "there is no correction to confirm"
    if match.get("manual"):
        return "the pose was set by hand"
    whole = {"mode": "grey", "region": "whole", "freedom": "six"}
    if any(match.get(key, value) != value for key, value in whole.items()):
        return "the match is restricted, and the second solver matches the whole body"
    return None


def without_opinion(reason: str) -> SecondOpinion:
    """No opinion, for a reason that begins small and has no full stop."""
    return SecondOpinion(opinion=Opinion.NO_OPINION, sentence=f"The second solver has no opinion: {reason}.")


def measure_second(plan: Volume, daily: Volume, answer: Mapping[str, Any]) -> SecondFigures:
    """Run the second solver on the images of an accepted answer (JSON object): seconds of work. InputError where it cannot match."""
    began_s = time.perf_counter()
    start, checked = (
        RigidMotion.from_matrix(answer[name], target=Frame.PLAN, source=Frame.DAILY)
        for name in ("start_plan_from_daily", "plan_from_daily")
    )
    found = Second(plan, daily, start=start, isocentre_mm=np.array(answer["plan_isocentre_mm"], float)).against(checked)
    return SecondFigures(
        difference_mm=found.difference_mm,
        similarity=found.similarity,
        similarity_there=found.similarity_there,
        seconds=time.perf_counter() - began_s,
    )


def second_opinion(
    plan: Plan, daily: Daily | Radiographs, answer: Mapping[str, Any], *, protocol: str | Protocol | None = None
) -> SecondOpinion:
    """What SimpleITK says of the answer (`Answer.to_json()`) to these images: runs in this process for about ten seconds.

    `protocol` is a name or a loaded one (None: the default); its table `second_solver` has the limits.
    """
    if isinstance(daily, Radiographs):
        return without_opinion("it does not match radiographs")
    reason = why_not_comparable(answer)
    if reason:
        return without_opinion(reason)
    tables = (protocol if isinstance(protocol, Protocol) else load_protocol(protocol)).tables
    try:
        return judge_second(measure_second(plan.ct, daily.volume, answer), tables.second_solver)
    except InputError as error:
        return without_opinion(str(error).rstrip("."))
