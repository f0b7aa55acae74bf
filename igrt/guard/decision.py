"""The decision: released where every rule holds, else denied with every reason (docs/guard.md)."""

from __future__ import annotations

from dataclasses import dataclass

from igrt.geometry.couch_model import CouchPosition
from igrt.geometry.motion import RigidMotion
from igrt.guard.facts import Breach, Case, UnknownError, couch_position, known, number, text
from igrt.guard.policy import Policy
from igrt.guard.request import Moment, Now, ReleaseRequest
from igrt.guard.table import RULES, Rule


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that does not hold, and why."""

    rule: str
    breach: Breach

    @property
    def sentence(self) -> str:
        """Names the field, its value, the limit and the remedy. It may name the patient: not for logs that leave the hospital."""
        return self.breach.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The correction may not leave; at least one reason, in the order of the table."""

    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("a denial has no reason; give the reasons")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Released:
    """What may leave, once: the absolute target, and beside it the isocentric correction with the position it was computed at."""

    proposal_id: str
    machine: str
    target: CouchPosition
    start: CouchPosition
    correction: RigidMotion
    table_angle_deg: float
    at: Moment


def decide(request: ReleaseRequest, policy: Policy, *, now: Now) -> Released | Denied:
    """Whether this correction may leave now. Pure; raises nothing for any request, policy or clock that is wrong: it denies."""
    case = Case(request=request, policy=policy, now=now)
    reasons = tuple(Reason(rule.name, breach) for rule in RULES for breach in _breaches(rule, case))
    if reasons:
        return Denied(reasons=reasons)
    return Released(
        proposal_id=text(request, "proposal_id"),
        machine=text(request, "proposed.machine"),
        target=couch_position(request, "target"),
        start=couch_position(request, "start"),
        correction=known(request, "correction", RigidMotion),
        table_angle_deg=number(request, "table_angle_deg"),
        at=known(now, "monotonic", Moment),
    )


def _breaches(rule: Rule, case: Case) -> list[Breach]:
    """What the rule finds; a rule that cannot be judged is broken, whatever the cause."""
    try:
        return list(rule.judge(case))
    except UnknownError as unknown:
        return [unknown.breach]
    except Exception as problem:  # noqa: BLE001 - default deny: what no one foresaw is denied like all else
        return [
            Breach(
                field=f"rule {rule.name}",
                value=f"not to be judged ({type(problem).__name__})",
                limit="only what every rule holds for is released",
                remedy="image again and call service, for this is a defect of igrt",
            )
        ]
