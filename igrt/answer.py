"""Plan and daily image to an answer: the one function that library, command line and engine call."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from igrt.errors import NothingToMatchError
from igrt.geometry.couch import CouchPosition
from igrt.geometry.motion import RigidMotion
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan
from igrt.registration.match import Match
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.verification.case import Case, Setting, Shift, case_of
from igrt.verification.conclusion import conclude
from igrt.verification.judgement import Judgement, judge_facts
from igrt.verification.machine import MachineProfile
from igrt.verification.marker_case import look_for_markers
from igrt.verification.matchers import Matcher, MatchSetting, match_case
from igrt.verification.protocol import Protocol
from igrt.verification.record import Answer
from igrt.verification.resting import judge_alone, judge_resting
from igrt.verification.stages import Progress, Stages

__all__ = ["Answer", "Matcher", "Progress", "verify"]


def verify(
    plan: Plan,
    daily: Daily | Radiographs,
    *,
    machine: str | MachineProfile | None = None,
    protocol: str | Protocol | None = None,
    site: Path | None = None,
    couch_start: CouchPosition | None = None,
    table_angle_deg: float | None = None,
    image_table_angle_deg: float | None = None,
    scan_offset_mm: Shift | None = None,
    device: str | None = None,
    prepared_plan: PreparedPlan | None = None,
    prepared_daily: PreparedDaily | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
    options: MatchOptions | None = None,
    manual: RigidMotion | None = None,
    matcher: Matcher | None = None,
) -> Answer:
    """Match the daily image to the plan, judge the match, and say what the couch should do.

    `machine` and `protocol` are names in the site folder or among what ships (None: the research defaults), or loaded ones;
    `site` is the site folder (None: $IGRT_SITE or the user's). `couch_start` is where the couch stood during the scan (IEC 61217):
    without it there is no absolute target. `table_angle_deg` is the planned table angle (IEC 61217) at which the couch corrects,
    `image_table_angle_deg` the one that it was read at for the image; where they are None they follow from couch and plan
    (`verification.table_angle`), the second without a couch from the angle that all radiographs state. `scan_offset_mm` is a shift
    made on purpose after the scan (fixed axes), by default the protocol's. `device` is a name of `igrt.compute.device.choose`.
    `prepared_plan` and `prepared_daily` spare a preparation and must be of these very images. `progress` is told stage and share
    done. `now`, with time zone, is when the answer is given. `options` say what the match looks at (None: as the protocol says).
    `manual` is a pose `plan_from_daily` that someone set by hand: it is judged beside the automatic one and takes its place.
    InputError where plan, image or settings do not fit together.
    """
    setting = Setting(
        machine=machine,
        protocol=protocol,
        site=site,
        couch_start=couch_start,
        table_angle_deg=table_angle_deg,
        image_table_angle_deg=image_table_angle_deg,
        scan_offset_mm=scan_offset_mm,
        now=now,
    )
    case = case_of(plan, daily, setting)
    known = judge_facts(case)
    if known.refusing:
        return conclude(case, known, device="none (refused before the registration)", seconds={})
    stages = Stages(progress or (lambda _stage, _share: None))
    how = MatchSetting(
        device=device, options=options, manual=manual, matcher=matcher, prepared_plan=prepared_plan, prepared_daily=prepared_daily
    )
    used, judgement, rests_on = _judged(case, known, how, stages)
    return conclude(case, judgement, device=used, seconds=stages.seconds, match=rests_on)


def _judged(case: Case, known: Judgement, how: MatchSetting, stages: Stages) -> tuple[str, Judgement, Match | None]:
    """What matched the anatomy, the judgement, and the match that it rests on."""
    try:
        used, matched = match_case(case, how, stages)
    except NothingToMatchError as problem:
        markers = look_for_markers(case, by_hand=how.manual is not None, stages=stages)
        if markers is None or not markers.decides:
            raise
        with stages.stage("judge"):
            return "none (the anatomy was not matched)", *judge_alone(case, f"{problem}.", known, markers)
    markers = look_for_markers(case, by_hand=how.manual is not None, stages=stages)
    with stages.stage("judge"):
        return used, *judge_resting(case, matched, known, markers)
