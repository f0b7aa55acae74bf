"""From a match to everything that is said of it: evidence first, tolerances only for what can be believed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from igrt.errors import InputError
from igrt.geometry.setup import correction_motion
from igrt.images.radiographs import Radiographs
from igrt.registration.match import Match
from igrt.registration.projection import InPlane, RadiographMatch
from igrt.verification.anatomy import changed_anatomy
from igrt.verification.case import Case
from igrt.verification.checks import FactCheck, Findings, ProposalCheck, check_facts, check_proposal, checked_words
from igrt.verification.correction import Proposal, covariance_in_fixed, propose
from igrt.verification.evidence_rules import evidence_words, final_of
from igrt.verification.findings import Override
from igrt.verification.marker_rules import MarkersAnswer
from igrt.verification.matching import Matched, judge_match, judge_target, match_record, target_record
from igrt.verification.notes import told
from igrt.verification.radiograph_rules import (
    IN_PLANE_CHECKED,
    beyond_resetup,
    judge_radiographs,
    partial_findings,
    radiograph_words,
    target_findings,
    unrestricted_findings,
)
from igrt.verification.record import MatchRecord

FACTS_CHECKED = checked_words(FactCheck)
TARGET_CHECKED = ("soft tissue of the target beside the match",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All findings, those that refuse, what was checked in words, and the proposal where nothing refuses.

    `partial` is a single radiograph that is believed; `override` the way that a refusal leaves open, None where nothing refuses; `markers`
    what is said of implanted markers.
    """

    findings: Findings
    refusing: Findings = ()
    checked: tuple[str, ...] = FACTS_CHECKED
    proposal: Proposal | None = None
    record: MatchRecord = field(default_factory=MatchRecord)
    partial: bool = False
    override: Override | None = None
    markers: MarkersAnswer | None = None

    def refused(self, refusing: Findings, override: Override) -> Judgement:
        """Refused by these of its findings."""
        return replace(self, refusing=refusing, override=override)


def judge_facts(case: Case) -> Judgement:
    """What is known without a match; with `refusing` where it makes a match pointless."""
    findings, refusing = check_facts(case.facts)
    known = Judgement(findings=findings + told((*case.plan.notes, *case.daily.notes)))
    return known.refused(refusing, Override.NONE) if refusing else known


def judge(case: Case, matched: Matched, known: Judgement) -> Judgement:
    """`known` of the facts and all that the match adds; of a match that refuses, tolerances are not looked at."""
    judgement = _judge_evidence(matched, known, case)
    if judgement.refusing:
        return judgement
    match = matched.match
    if isinstance(match, RadiographMatch) and match.in_plane is not None:
        return _judge_in_plane(case, match.in_plane, judgement)
    return judge_proposal(case, matched, judgement)


def _judge_evidence(matched: Matched, known: Judgement, case: Case) -> Judgement:
    tables, match = case.facts.protocol.tables, matched.match
    if isinstance(match, RadiographMatch):
        words, refusing = radiograph_words(match, tables.evidence), judge_radiographs(match, tables.evidence)
        findings, override = unrestricted_findings(tables.match) + refusing, Override.NONE  # no hand sets a pose on radiographs
    else:
        words = evidence_words(match, tables.evidence)
        findings, refusing = judge_match(matched, tables.evidence)
        findings += changed_anatomy(match, case.plan, tables.evidence.region_residual_mm)
        by_hand = matched.automatic is not None
        override = Override.MANUAL_POSE if not final_of(refusing) and not by_hand else Override.NONE
    judged = replace(
        known, findings=known.findings + findings, checked=known.checked + words, record=match_record(matched, tables.evidence, None)
    )
    return judged.refused(refusing, override) if refusing else judged


def _judge_in_plane(case: Case, in_plane: InPlane, judgement: Judgement) -> Judgement:
    """A single radiograph: partial at best, for its depth is not measured."""
    if not isinstance(case.daily, Radiographs):
        raise InputError("the matcher gave the match of a radiograph for a cone-beam CT; match the image that is given")
    tables, findings, checked = case.facts.protocol.tables, judgement.findings, judgement.checked
    if far := beyond_resetup(in_plane, tables.resetup):
        return replace(judgement, findings=findings + far, checked=checked + IN_PLANE_CHECKED[:1]).refused(far, Override.NONE)
    seen = partial_findings(in_plane, case.daily.images[0].camera(case.facts.machine.kv), tables.setup)
    findings += seen + target_findings(tables.match)
    return replace(judgement, findings=findings, checked=checked + IN_PLANE_CHECKED, partial=True)


def judge_proposal(case: Case, matched: Matched, judgement: Judgement) -> Judgement:
    """The correction that follows, what the couch makes of it, and the tolerances."""
    tables, proposal = case.facts.protocol.tables, _propose(case, matched.match)
    findings, refusing = check_proposal(case.facts, proposal)
    if refusing:
        # What would remain after a move that is not offered is of no use to anyone.
        named = judgement.checked + checked_words(ProposalCheck, refusing_only=True)
        return replace(judgement, findings=judgement.findings + refusing, checked=named).refused(refusing, Override.NONE)
    target = target_record(matched, tables.evidence, np.array(proposal.match_point.position_mm))
    beside = target_findings(tables.match) if isinstance(matched.match, RadiographMatch) else ()
    return replace(
        judgement,
        findings=judgement.findings + findings + beside + judge_target(target, tables.match.target_position),
        checked=judgement.checked + checked_words(ProposalCheck) + (TARGET_CHECKED if target else ()),
        proposal=proposal,
        record=match_record(matched, tables.evidence, target),
    )


def _propose(case: Case, match: Match) -> Proposal:
    plan = case.plan
    correction = correction_motion(
        match.plan_from_daily,
        plan_isocentre_mm=plan.isocentre_mm,
        daily_isocentre_mm=case.isocentre_mm,
        plan_position=plan.position,
        daily_position=case.daily.position,
        table_angle_deg=case.angles.table_angle_deg,
        image_table_angle_deg=case.angles.image_table_angle_deg,
        image_axes=case.image_axes,
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
