"""The matches behind one answer: the automatic one, the one made by hand, and that of the target's soft tissue."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.device import Device
from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.images.records import Daily, Plan
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.match import Match
from igrt.registration.options import Freedom, MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.rigid import match_at, match_near, match_rigid
from igrt.verification.codes import found
from igrt.verification.correction import whole_angle_deg
from igrt.verification.evidence_rules import FINAL, final_of, judge_evidence, reason_of
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.findings import Finding, Level
from igrt.verification.protocol import TargetPositionTable
from igrt.verification.record import AutomaticRecord, HypothesisRecord, MatchRecord, TargetRecord
from igrt.verification.stages import Stages

# What tells of a small part whether its place is known; similarity and observability are of whole bodies.
TARGET_RULES = frozenset(
    {"evidence_not_finite", "evidence_not_converged", "evidence_inliers", "evidence_translation_sd", "evidence_samples"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """`match` is what the answer rests on; `automatic` is there where a hand made it, `target` where soft tissue was matched beside it.

    `target_lacks` says why the soft tissue that was asked for could not be matched at all.
    """

    match: Match
    isocentre_mm: NDArray[np.float64]
    automatic: Match | None = None
    target: Match | None = None
    target_lacks: TargetRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matching:
    """Prepares what is not prepared, and matches on one device."""

    device: Device
    stages: Stages
    options: MatchOptions
    target: MatchOptions | None
    manual: RigidMotion | None
    prepared_plan: PreparedPlan | None
    prepared_daily: PreparedDaily | None

    def __call__(self, plan: Plan, daily: Daily, start: RigidMotion) -> Matched:
        """All matches, the automatic one from `start`."""
        verbs, fixed, moving = self.device.verbs, self.prepared_plan, self.prepared_daily
        if fixed is None:
            with self.stages.stage("prepare_plan"):
                fixed = prepare_plan(plan.ct, verbs)
        if moving is None:
            with self.stages.stage("prepare_daily"):
                moving = prepare_daily(daily.volume, verbs)
        centre, options = plan.isocentre_mm, self.options
        with self.stages.stage("register") as progress:
            match = match_rigid(fixed, moving, start=start, isocentre_mm=centre, verbs=verbs, options=options, progress=progress)
            automatic = None
            if self.manual is not None:
                automatic = match
                match = match_at(fixed, moving, pose=self.manual, automatic=match, isocentre_mm=centre, verbs=verbs, options=options)
            target = lacks = None
            if self.target is not None:
                here = match.plan_from_daily
                try:
                    target = match_near(fixed, moving, start=here, isocentre_mm=centre, verbs=verbs, options=self.target)
                except InputError as problem:  # what lies beside the answer does not take the answer away
                    lacks = TargetRecord(region=self.target.region_words, reason=f"{problem}.")
        return Matched(match, centre, automatic, target, lacks)


def judge_match(matched: Matched, table: EvidenceTable) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings about the match, and those of them that refuse it.

    What an automatic match lacks refuses it. A pose set by hand is accepted, for someone answers for it, but never better than its
    evidence: what it lacks is a finding of level stop. What nobody may set aside refuses it too, there or where the automatic match
    ended: of limits that were missed by little, some pose nearby would hold.
    """
    unbelievable = judge_evidence(matched.match, table)
    if matched.automatic is None:
        return _restricted(matched.match) + unbelievable, unbelievable
    record = automatic_record(matched, matched.automatic, table)
    ended = f"would be refused ({record.reason})" if record.reason else "is believed"
    sentence = (
        f"The pose was set by hand, {record.difference_mm:.1f} mm and {record.difference_deg:.1f}° "
        f"from where the registration ended, which {ended}."
    )
    by_hand = found("match_manual", sentence, level=Level.WARN, value=record.difference_mm, unit="mm")
    final = tuple(finding for finding in unbelievable if finding.code in FINAL)
    known = {finding.code for finding in final}
    stays = tuple(finding for finding in final_of(judge_evidence(matched.automatic, table)) if finding.code not in known)
    return (by_hand, *_restricted(matched.match), *unbelievable, *stays), final + stays


def _restricted(match: Match) -> tuple[Finding, ...]:
    options = match.options
    if not options.restricted and options.freedom is Freedom.SIX:
        return ()
    looked = f"The match rests on {options.region_words}, {options.mode}, with {options.freedom} free"
    similarity = match.whole_similarity
    if similarity is None or not math.isfinite(similarity):
        return (found("match_restricted", f"{looked}.", level=Level.INFORM),)
    sentence = f"{looked}; the whole bodies resemble each other by {similarity:.2f}."
    return (found("match_restricted", sentence, level=Level.INFORM, value=similarity),)


def automatic_record(matched: Matched, automatic: Match, table: EvidenceTable) -> AutomaticRecord:
    """The automatic match beside the one made by hand."""
    between = matched.match.plan_from_daily @ automatic.plan_from_daily.inverse()
    moved_mm = largest_displacement_mm(automatic.plan_from_daily, matched.match.plan_from_daily, matched.isocentre_mm)
    reason = reason_of(judge_evidence(automatic, table))
    return AutomaticRecord(
        difference_mm=moved_mm, difference_deg=whole_angle_deg(between.rotation), reason=reason, evidence=automatic.evidence
    )


def target_record(matched: Matched, table: EvidenceTable, centroid_mm: NDArray[np.float64]) -> TargetRecord | None:
    """Where the soft tissue at the target's centre (plan mm) lies after the correction, less where the plan has it."""
    target = matched.target
    if target is None:
        return matched.target_lacks
    lacking = [finding for finding in judge_evidence(target, table) if finding.code in TARGET_RULES]
    shift = matched.match.plan_from_daily.apply(target.plan_from_daily.inverse().apply(centroid_mm)) - centroid_mm
    x, y, z = (float(value) for value in shift)
    return TargetRecord(
        region=target.options.region_words,
        shift_mm=None if lacking else (x, y, z),
        distance_mm=None if lacking else math.hypot(x, y, z),
        reason=reason_of(lacking),
        evidence=target.evidence,
    )


def judge_target(record: TargetRecord | None, table: TargetPositionTable | None) -> tuple[Finding, ...]:
    """The difference between the two matches at the target, at the level that the protocol gives it."""
    if record is None or table is None:
        return ()
    if record.distance_mm is None:
        return (found("target_position_unknown", f"The soft tissue of {record.region} gives no place: {record.reason}", level=Level.WARN),)
    level, limit = table.tolerance_mm.exceeded(record.distance_mm) or (Level.INFORM, table.tolerance_mm.inform)
    sentence = f"The soft tissue of {record.region} lies {record.distance_mm:.1f} mm from where the correction puts it."
    return (found("target_position", sentence, level=level, value=record.distance_mm, limit=limit, unit="mm"),)


def match_record(matched: Matched, table: EvidenceTable, target: TargetRecord | None) -> MatchRecord:
    """How it was matched, for the answer."""
    match = matched.match
    return MatchRecord(
        mode=str(match.options.mode),
        region=match.options.region_words,
        freedom=str(match.options.freedom),
        rotation_centre_mm=match.options.rotation_centre_mm,
        manual=matched.automatic is not None,
        whole_similarity=match.whole_similarity,
        automatic=None if matched.automatic is None else automatic_record(matched, matched.automatic, table),
        target=target,
        hypotheses=tuple(HypothesisRecord(levels=h.levels, score=h.score) for h in match.hypotheses),
        regions=match.regions,
    )
