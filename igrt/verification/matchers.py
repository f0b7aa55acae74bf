"""Which registration answers a case: the caller's own, that of radiographs, or that of a cone-beam CT, on the device that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from igrt.compute import device as devices
from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan
from igrt.registration.match import Match
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.verification import radiograph_case
from igrt.verification.case import Case
from igrt.verification.match_choice import match_options, target_options
from igrt.verification.matching import Matched, Matching
from igrt.verification.stages import Stages


class Matcher(Protocol):
    """Finds the pose of a daily image from a start; by default `match_rigid` on the chosen device."""

    def __call__(self, plan: Plan, daily: Daily | Radiographs, start: RigidMotion) -> Match:
        """The match that begins at `start` (`plan_from_daily`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchSetting:
    """How the caller wants it matched: the arguments of `igrt.answer.verify` of these names."""

    device: str | None = None
    options: MatchOptions | None = None
    manual: RigidMotion | None = None
    matcher: Matcher | None = None
    prepared_plan: PreparedPlan | None = None
    prepared_daily: PreparedDaily | None = None

    @property
    def asks_for_more(self) -> bool:
        """Whether options or a pose set by hand are given."""
        return bool(self.options or self.manual)


def match_case(case: Case, how: MatchSetting, stages: Stages) -> tuple[str, Matched]:
    """Name of what computed it, and the match; InputError where the caller asks for what it cannot do."""
    if how.matcher is not None:
        if how.asks_for_more:
            raise InputError("a matcher of the caller's own takes no options and no manual pose; leave them or the matcher out")
        return "the caller's matcher", Matched(how.matcher(case.plan, case.daily, case.start), case.plan.isocentre_mm)
    if isinstance(case.daily, Radiographs):
        return _match_radiographs(case, case.daily, how, stages)
    return _match_cone_beam(case, case.daily, how, stages)


def _match_radiographs(case: Case, daily: Radiographs, how: MatchSetting, stages: Stages) -> tuple[str, Matched]:
    chosen = devices.choose(how.device or "cpu")  # no GPU matches them yet
    if how.asks_for_more:
        raise InputError("radiographs are matched whole: leave the match options and the manual pose out, or give a cone-beam CT")
    match = radiograph_case.match(case.plan, daily, case.start, device=chosen, kv=case.facts.machine.kv, stages=stages)
    return chosen.name, Matched(match, case.plan.isocentre_mm)


def _match_cone_beam(case: Case, daily: Daily, how: MatchSetting, stages: Stages) -> tuple[str, Matched]:
    chosen, tables = devices.choose(how.device), case.facts.protocol.tables
    matching = Matching(
        device=chosen,
        stages=stages,
        options=how.options or match_options(case.plan, tables),
        target=target_options(case.plan, tables),
        manual=how.manual,
        prepared_plan=how.prepared_plan,
        prepared_daily=how.prepared_daily,
    )
    return chosen.name, matching(case.plan, daily, case.start)
