"""Two answers to be looked at side by side: what the plan asks for, and the vertebra that fits as well or better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from igrt.geometry.motion import RigidMotion
from igrt.registration.match import Match
from igrt.verification.evidence_sentences import fits
from igrt.verification.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Poses `plan_from_daily` for pictures alone, each with its score; `levels` as `HypothesisRecord` has it.

    Neither is a correction: where they are compared, the match was refused or stands beside a finding that stops.
    """

    planned: RigidMotion
    planned_score: float
    rival: RigidMotion
    rival_score: float
    levels: int


def compared_of(match: Match | None, findings: Iterable[Finding]) -> Compared | None:
    """The planned vertebra beside the best other one, where a finding says that they are not told apart, and one of them fits."""
    if match is None or not match.hypotheses or not any(finding.code == "evidence_vertebra" for finding in findings):
        return None
    if not fits(match):
        return None
    rival = max(match.hypotheses, key=lambda hypothesis: hypothesis.score)
    return Compared(
        planned=match.plan_from_daily,
        planned_score=match.evidence.vertebra_score,
        rival=rival.plan_from_daily,
        rival_score=rival.score,
        levels=rival.levels,
    )
