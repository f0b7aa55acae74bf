"""Plan and daily image to an answer: the one function that library, command line and engine call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol as CallableProtocol

import numpy as np
from numpy.typing import NDArray

from igrt.compute import device as devices
from igrt.errors import InputError
from igrt.geometry.couch import CouchPosition, couch_move
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import ImageAxes, correction_motion, fixed_from_plan, start_pose
from igrt.images.radiographs import Radiographs, agreed_table_angle
from igrt.images.records import Daily, Plan
from igrt.registration.match import Match
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.projection import RadiographMatch
from igrt.verification import marker_case, notes, radiograph_case
from igrt.verification.checks import FactCheck, Facts, Findings, ProposalCheck, check_facts, check_proposal, checked_words
from igrt.verification.correction import Proposal, covariance_in_fixed, propose
from igrt.verification.evidence_rules import evidence_words, judge_evidence
from igrt.verification.findings import Outcome
from igrt.verification.isocentre import daily_isocentre
from igrt.verification.machine import ImagePose, MachineProfile, load_machine
from igrt.verification.marker_case import MarkerLook
from igrt.verification.marker_rules import MarkersAnswer, target_unsought
from igrt.verification.match_choice import match_options, target_options
from igrt.verification.matching import Matched, Matching, judge_match, judge_target, match_record, target_record
from igrt.verification.points import JudgedPoints, judged_points
from igrt.verification.protocol import EvidenceTable, OrganTable, Protocol, TargetTable, load_protocol
from igrt.verification.radiograph_rules import (
    IN_PLANE_CHECKED,
    beyond_resetup,
    judge_radiographs,
    partial_findings,
    radiograph_words,
    radiographs_answer,
    target_findings,
    unrestricted_findings,
)
from igrt.verification.record import CONE_BEAM, MARKERS, RADIOGRAPHS, Answer, MatchRecord
from igrt.verification.stages import Progress, Stages
from igrt.verification.table_angle import TableAngles, table_angles
from igrt.verification.verdict import verdict

__all__ = ["Answer", "Matcher", "Progress", "verify"]

Shift = tuple[float, float, float]
BELIEVED = "The match holds against every evidence rule."
BY_HAND = "The pose was set by hand; the findings say what it lacks."
FACTS_CHECKED = checked_words(FactCheck)


class Matcher(CallableProtocol):
    """Finds the pose of a daily image from a start; by default `match_rigid` on the chosen device."""

    def __call__(self, plan: Plan, daily: Daily | Radiographs, start: RigidMotion) -> Match:
        """The match that begins at `start` (`plan_from_daily`)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """What is to be answered, complete and consistent."""

    plan: Plan
    daily: Daily | Radiographs
    facts: Facts
    isocentre_mm: NDArray[np.float64]
    isocentre_from: str
    start: RigidMotion
    couch_start: CouchPosition | None
    angles: TableAngles
    fixed_from_plan: RigidMotion
    points: JudgedPoints


@dataclass(frozen=True, slots=True)
class _Judgement:
    """All findings, those that refuse, what was checked in words, and the proposal where nothing refuses."""

    findings: Findings
    refusing: Findings
    checked: tuple[str, ...]
    proposal: Proposal | None = None
    record: MatchRecord = field(default_factory=MatchRecord)
    partial: bool = False
    markers: MarkersAnswer | None = None


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
    (`verification.table_angle`). `scan_offset_mm` is a shift made on purpose after the scan (fixed axes), by default the protocol's.
    `device` is a name of `igrt.compute.device.choose`.
    `prepared_plan` and `prepared_daily` spare a preparation and must be of these very images. `progress` is told stage and share
    done. `now`, with time zone, is when the answer is given. `options` say what the match looks at (None: as the protocol says).
    `manual` is a pose `plan_from_daily` that someone set by hand: it is judged beside the automatic one and takes its place.
    InputError where plan, image or settings do not fit together.
    """
    _require_another_image(plan, daily)
    profile = machine if isinstance(machine, MachineProfile) else load_machine(machine, site)
    tolerances = protocol if isinstance(protocol, Protocol) else load_protocol(protocol, site)
    facts = Facts(
        machine=profile,
        protocol=tolerances,
        plan=plan.identity,
        daily_patient_id=daily.patient_id,
        daily_frame_of_reference_uid=daily.frame_of_reference_uid,
        scan_offset_mm=tolerances.tables.setup.scan_offset_mm if scan_offset_mm is None else scan_offset_mm,
        now=now or datetime.now(UTC),
    )
    angles = table_angles(
        planned_deg=plan.identity.table_angles_deg,
        couch=profile.couch,
        couch_yaw_deg=None if couch_start is None else couch_start.yaw_deg,
        table_angle_deg=table_angle_deg,
        image_table_angle_deg=image_table_angle_deg,
    )
    case = _case(plan, daily, facts, couch_start, angles)
    findings, refusing = check_facts(facts)
    findings += notes.told((*plan.notes, *daily.notes))
    if refusing:
        return _answer(case, _Judgement(findings, refusing, FACTS_CHECKED), device="none (refused before the registration)")
    stages = Stages(progress or (lambda _stage, _share: None))
    markers = None
    if matcher is not None:
        if options or manual:
            raise InputError("a matcher of the caller's own takes no options and no manual pose; leave them or the matcher out")
        name, matched = "the caller's matcher", Matched(matcher(plan, daily, case.start), plan.isocentre_mm)
    else:
        on_processor = device is None and isinstance(daily, Radiographs)  # which no GPU matches yet
        chosen = devices.choose("cpu" if on_processor else device)
        if isinstance(daily, Radiographs):
            if options or manual:
                raise InputError("radiographs are matched whole: leave the match options and the manual pose out, or give a cone-beam CT")
            match = radiograph_case.match(plan, daily, case.start, device=chosen, kv=profile.kv, stages=stages)
            name, matched = chosen.name, Matched(match, plan.isocentre_mm)
        else:
            matching = Matching(
                device=chosen,
                stages=stages,
                options=options or match_options(plan, tolerances.tables),
                target=target_options(plan, tolerances.tables),
                manual=manual,
                prepared_plan=prepared_plan,
                prepared_daily=prepared_daily,
            )
            name, matched = chosen.name, matching(plan, daily, case.start)
        markers = marker_case.look(
            plan, daily, case.start, tables=tolerances.tables, kv=profile.kv, by_hand=manual is not None, stages=stages
        )
    with stages.stage("judge"):
        judgement, rests_on = _judge_both(case, matched, findings, markers)
    return _answer(case, judgement, device=name, seconds=stages.seconds, match=rests_on)


def _require_another_image(plan: Plan, daily: Daily | Radiographs) -> None:
    """InputError where the daily image is the planning CT: it would match perfectly, whoever lies on the couch."""
    if isinstance(daily, Radiographs):
        return
    same_series = daily.series_uid is not None and daily.series_uid == plan.identity.series_uid
    if same_series or np.array_equal(plan.ct.hu, daily.volume.hu):
        raise InputError(f"{daily.source} is the planning CT itself, not the day's image; give the image that was taken today")


def _case(plan: Plan, daily: Daily | Radiographs, facts: Facts, couch_start: CouchPosition | None, angles: TableAngles) -> _Case:
    """InputError where something does not fit together: said before the registration, not after it."""
    if plan.position is not daily.position:
        raise InputError(
            f"{daily.source}: the daily image is {daily.position}, the plan ({plan.source}) is {plan.position}; "
            "choose the set-up of this position, or correct the position that is wrong"
        )
    image = facts.machine.tables.image
    if isinstance(daily, Radiographs):
        agreed_table_angle(daily.images, angles.image_table_angle_deg)
        isocentre, source = np.array(plan.isocentre_mm), "at the coordinates of the plan isocentre, where radiographs have it"
    else:
        isocentre, source = daily_isocentre(plan, daily, facts.machine)
    nominal = start_pose(
        plan_isocentre_mm=plan.isocentre_mm,
        daily_isocentre_mm=isocentre,
        plan_position=plan.position,
        daily_position=daily.position,
        table_angle_deg=angles.table_angle_deg,
        image_table_angle_deg=angles.image_table_angle_deg,
        image_axes=_axes_of(daily, facts.machine),
    )
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=angles.table_angle_deg)
    couch_start = None if image.pose is ImagePose.AFTER_CORRECTION and isinstance(daily, Daily) else couch_start
    still = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
    couch_move(  # a start that does not fit the couch fails here
        still,
        model=facts.machine.couch,
        reference_mm=np.zeros(3),
        scatter_mm2=None,
        start=couch_start,
        table_angle_deg=angles.image_table_angle_deg,
    )
    intended = RigidMotion(Frame.FIXED, Frame.FIXED, np.eye(3), np.asarray(facts.scan_offset_mm, float))
    return _Case(
        plan=plan,
        daily=daily,
        facts=facts,
        isocentre_mm=isocentre,
        isocentre_from=source,
        start=goal.inverse() @ intended @ goal @ nominal,
        couch_start=couch_start,
        angles=angles,
        fixed_from_plan=goal,
        points=_points_of(plan, angles.table_angle_deg, facts.protocol.tables.target, facts.protocol.tables.organs),
    )


def _axes_of(daily: Daily | Radiographs, machine: MachineProfile) -> ImageAxes:
    """Radiographs stay with the room; a volume's axes are the profile's word."""
    return ImageAxes.ROOM if isinstance(daily, Radiographs) else machine.tables.image.axes_at_table_angle


@lru_cache(maxsize=1)
def _points_of(plan: Plan, table_angle_deg: float, target: TargetTable, organs: OrganTable) -> JudgedPoints:
    """The judged points of a plan; kept for the next daily image of the same plan, since structures take as long as a match."""
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=table_angle_deg)
    return judged_points(plan, goal, target, organs)


def _judge_both(case: _Case, matched: Matched, findings: Findings, markers: MarkerLook | None) -> tuple[_Judgement, Match | None]:
    """What the correction rests on, anatomy or markers, and its match; the other beside it."""
    if markers is None:
        return _judge(case, matched, findings), matched.match
    seen = markers.judge(matched.match, partial(_unbelievable, case.facts.protocol.tables.evidence))
    if not markers.decides:
        judgement = _judge(case, matched, findings + seen.findings)
        return replace(judgement, checked=judgement.checked + seen.words, markers=seen.answer), matched.match
    if seen.refusing or markers.match is None:
        lacking = MatchRecord(mode=MARKERS, region=MARKERS)
        words = FACTS_CHECKED + seen.words
        return _Judgement(findings + seen.findings, seen.refusing, words, markers=seen.answer, record=lacking), markers.match
    by_markers, words = Matched(markers.match, case.plan.isocentre_mm), FACTS_CHECKED + seen.words
    unseen = target_unsought(case.facts.protocol.tables.match)
    judgement = _judge_pose(case, by_markers, findings + seen.findings, words, unseen)
    record = replace(judgement.record, mode=MARKERS, region=MARKERS)
    return replace(judgement, markers=seen.answer, record=record), markers.match


def _unbelievable(table: EvidenceTable, match: Match) -> Findings:
    return judge_radiographs(match, table) if isinstance(match, RadiographMatch) else judge_evidence(match, table)


def _judge(case: _Case, matched: Matched, findings: Findings) -> _Judgement:
    """Evidence first; tolerances only for a match that can be believed, and only the re-set-up limit where it is exceeded."""
    tables, match = case.facts.protocol.tables, matched.match
    beside: Findings = ()
    if isinstance(match, RadiographMatch):
        words, unbelievable = radiograph_words(match, tables.evidence), judge_radiographs(match, tables.evidence)
        about_match, beside = unrestricted_findings(tables.match) + unbelievable, target_findings(tables.match)
    else:
        words = evidence_words(match, tables.evidence)
        about_match, unbelievable = judge_match(matched, tables.evidence)
    checked = FACTS_CHECKED + words
    findings += about_match
    record = match_record(matched, tables.evidence, None)
    if unbelievable:
        return _Judgement(findings, unbelievable, checked, record=record)
    if isinstance(match, RadiographMatch) and match.in_plane is not None:
        if not isinstance(case.daily, Radiographs):
            raise InputError("the matcher gave the match of a radiograph for a cone-beam CT; match the image that is given")
        if far := beyond_resetup(match.in_plane, tables.resetup):
            return _Judgement(findings + far, far, checked + IN_PLANE_CHECKED[:1], record=record)
        seen = partial_findings(match.in_plane, case.daily.images[0].camera(case.facts.machine.kv), tables.setup)
        return _Judgement(findings + seen + beside, (), checked + IN_PLANE_CHECKED, record=record, partial=True)
    return _judge_pose(case, matched, findings, checked, beside)


def _judge_pose(case: _Case, matched: Matched, findings: Findings, checked: tuple[str, ...], beside: Findings = ()) -> _Judgement:
    """What follows from a pose that is believed."""
    tables, match = case.facts.protocol.tables, matched.match
    record = match_record(matched, tables.evidence, None)
    proposal = _propose(case, match)
    more, refusing = check_proposal(case.facts, proposal)
    if refusing:
        # What would remain after a move that is not offered is of no use to anyone.
        named = checked + checked_words(ProposalCheck, refusing_only=True)
        return _Judgement(findings + refusing, refusing, named, record=record)
    target = target_record(matched, tables.evidence, np.array(proposal.match_point.position_mm))
    named = checked + checked_words(ProposalCheck) + (("soft tissue of the target beside the match",) if target else ())
    record = match_record(matched, tables.evidence, target)
    beside += judge_target(target, tables.match.target_position)
    return _Judgement(findings + more + beside, (), named, proposal, record)


def _propose(case: _Case, match: Match) -> Proposal:
    plan = case.plan
    correction = correction_motion(
        match.plan_from_daily,
        plan_isocentre_mm=plan.isocentre_mm,
        daily_isocentre_mm=case.isocentre_mm,
        plan_position=plan.position,
        daily_position=case.daily.position,
        table_angle_deg=case.angles.table_angle_deg,
        image_table_angle_deg=case.angles.image_table_angle_deg,
        image_axes=_axes_of(case.daily, case.facts.machine),
    )
    return propose(
        correction,
        covariance_in_fixed(match.covariance, case.fixed_from_plan),
        points=case.points,
        fixed_from_plan=case.fixed_from_plan,
        couch=case.facts.machine.couch,
        couch_start=case.couch_start,
        table_angle_deg=case.angles.image_table_angle_deg,
        scan_offset_mm=case.facts.scan_offset_mm,
    )


def _answer(
    case: _Case, judgement: _Judgement, *, device: str, seconds: Mapping[str, float] | None = None, match: Match | None = None
) -> Answer:
    """An accepted answer where there is a proposal, else a refused one, which carries none of it."""
    facts, proposal = case.facts, judgement.proposal
    outcome = Outcome.PARTIAL if judgement.partial else Outcome.REFUSED if proposal is None else Outcome.ACCEPTED
    files = tuple(image.source for image in case.daily.images) if isinstance(case.daily, Radiographs) else ()
    return Answer(
        outcome=outcome,
        reason=" ".join(finding.sentence for finding in judgement.refusing) or _held(judgement),
        radiographs=radiographs_answer(match, files, believed=judgement.partial) if isinstance(match, RadiographMatch) else None,
        modality=RADIOGRAPHS if isinstance(case.daily, Radiographs) else CONE_BEAM,
        verdict=verdict(outcome, judgement.findings),
        plan_from_daily=match.plan_from_daily if match and proposal else None,
        correction=proposal.correction if proposal else None,
        couch=proposal.couch if proposal else None,
        match_point=proposal.match_point if proposal else None,
        residuals=proposal.residuals if proposal else None,
        findings=judgement.findings,
        evidence=match.evidence if match else None,
        checked=judgement.checked,
        start=case.start,
        plan_isocentre_mm=_point(case.plan.isocentre_mm),
        daily_isocentre_mm=_point(case.isocentre_mm),
        daily_isocentre_from=case.isocentre_from,
        position=case.plan.position,
        table_angle_deg=case.angles.table_angle_deg,
        image_table_angle_deg=case.angles.image_table_angle_deg,
        table_angle_from=case.angles.planned_by,
        scan_offset_mm=facts.scan_offset_mm,
        machine=facts.machine.name,
        protocol=facts.protocol.name,
        calibration=(facts.machine.file.words, facts.protocol.file.words),
        research=facts.machine.research or facts.protocol.research,
        device=device,
        seconds=dict(seconds or {}),
        plan_fingerprint=case.plan.fingerprint,
        match=judgement.record,
        markers=judgement.markers,
    )


def _held(judgement: _Judgement) -> str:
    """Why the match was not refused."""
    if judgement.partial:
        return "One radiograph does not show the depth."
    return BY_HAND if judgement.record.manual else BELIEVED


def _point(point_mm: NDArray[np.float64]) -> Shift:
    x, y, z = point_mm.tolist()
    return x, y, z
