"""From a plan and the day's image to what its implanted markers say, with the protocol's table and the machine's conventions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.images.detector import line_integrals
from igrt.images.radiographs import KvConventions, Radiographs
from igrt.images.records import Daily, Plan
from igrt.registration.marker_image import find_in_image
from igrt.registration.marker_kind import MarkerKind
from igrt.registration.marker_pattern import PatternLimits
from igrt.registration.markers import (
    MarkerMatch,
    MarkerSight,
    PlannedMarkers,
    in_room,
    match_in_views,
    match_in_volume,
    plan_markers,
    reach_mm,
)
from igrt.registration.match import Match
from igrt.verification import radiograph_case
from igrt.verification.case import Case
from igrt.verification.marker_rules import MarkersJudged, judge_markers
from igrt.verification.marker_table import MarkerTable
from igrt.verification.stages import Stages


@dataclass(frozen=True, slots=True, eq=False)
class MarkerLook:
    """What was seen of the markers, the table that judges it, and whether the correction rests on them."""

    sight: MarkerSight
    table: MarkerTable
    decides: bool

    @property
    def match(self) -> MarkerMatch | None:
        """The match that the answer rests on; None where the anatomy decides or there is none."""
        return self.sight.match if self.decides else None

    def judge(self, anatomy: Match | None, lacks: str) -> MarkersJudged:
        """Against the protocol, beside the anatomy's own match; `lacks` is why that one is not believed, or why there is none."""
        if not lacks and getattr(anatomy, "partial", False):
            lacks = "One radiograph does not show the depth."
        return judge_markers(self.sight, self.table, decides=self.decides, anatomy=None if lacks else anatomy, anatomy_lacks=lacks)


def look_for_markers(case: Case, *, by_hand: bool, stages: Stages) -> MarkerLook | None:
    """Seek the plan's markers in the day's image; None where the protocol has no markers. A pose set by hand decides before them."""
    tables, kv = case.facts.protocol.tables, case.facts.machine.kv
    table, plan, daily, start = tables.markers, case.plan, case.daily, case.start
    if table is None:
        return None
    with stages.stage("markers"):
        planned = _planned(plan, table.diameter_mm, table.length_mm, table.reach_mm)
        limits = PatternLimits(table.shift_max_mm, table.turn_max_deg, table.apart_max_mm)
        turn = tables.match.freedom != "translations"
        if tables.match.freedom == "rotations":
            raise InputError(
                "the protocol seeks rotations alone, but markers are matched with six motions or translations; choose one of these"
            )
        if isinstance(daily, Radiographs):
            sight = _in_radiographs(plan, planned, daily, kv, start, limits, turn=turn)
        else:
            sight = _in_volume(plan, planned, daily, start, limits, turn=turn)
    return MarkerLook(sight, table, table.decide == "markers" and not by_hand)


@lru_cache(maxsize=1)
def _planned(plan: Plan, diameter_mm: float, length_mm: float, reach_mm: float) -> PlannedMarkers:
    """The planning CT's markers; kept for the next image of the same plan."""
    kind = MarkerKind(diameter_mm=diameter_mm, length_mm=length_mm)
    return plan_markers(plan.ct, kind, centre_mm=plan.isocentre_mm, reach_mm=reach_mm)


def _in_volume(plan: Plan, planned: PlannedMarkers, daily: Daily, start: RigidMotion, limits: PatternLimits, *, turn: bool) -> MarkerSight:
    return match_in_volume(planned, daily.volume, start=start, isocentre_mm=plan.isocentre_mm, limits=limits, turn=turn)


def _in_radiographs(
    plan: Plan, planned: PlannedMarkers, daily: Radiographs, kv: KvConventions, start: RigidMotion, limits: PatternLimits, *, turn: bool
) -> MarkerSight:
    daily_from_fixed = radiograph_case.daily_from_fixed(plan)
    views = []
    if len(planned.positions_mm):
        centre, reach = in_room(planned, daily_from_fixed, start), reach_mm(planned, limits)
        for image, camera in zip(daily.images, radiograph_case.cameras_of(daily, kv), strict=True):
            integrals, seen = line_integrals(image, kv)
            views.append(find_in_image(integrals, seen, camera, planned.kind, centre_fixed_mm=centre, reach_mm=reach))
    isocentre = plan.isocentre_mm
    return match_in_views(planned, views, daily_from_fixed=daily_from_fixed, start=start, isocentre_mm=isocentre, limits=limits, turn=turn)
