"""What the correction rests on, the anatomy or implanted markers, and the judgement of it with the other beside."""

from __future__ import annotations

from dataclasses import replace

from igrt.images.radiographs import Radiographs
from igrt.registration.match import Match
from igrt.registration.projection import RadiographMatch
from igrt.verification.case import Case
from igrt.verification.checks import Findings
from igrt.verification.evidence_rules import FINAL, final_of, judge_evidence
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.findings import Override
from igrt.verification.judgement import Judgement, judge, judge_proposal
from igrt.verification.marker_case import MarkerLook
from igrt.verification.marker_rules import MarkersJudged, target_unsought
from igrt.verification.matching import Matched
from igrt.verification.radiograph_rules import judge_radiographs
from igrt.verification.record import MARKERS, MatchRecord


def judge_resting(case: Case, matched: Matched, known: Judgement, markers: MarkerLook | None) -> tuple[Judgement, Match | None]:
    """The judgement, and the match that its proposal follows from; `markers` is None where the protocol has none."""
    if markers is None:
        return judge(case, matched, known), matched.match
    lacks = _unbelievable(matched.match, case.facts.protocol.tables.evidence)
    seen = markers.judge(matched.match, " ".join(finding.sentence for finding in lacks))
    if markers.decides:
        # Not even where the anatomy's match failed: at the markers' pose nobody asks anew whose image it is.
        final = tuple(finding for finding in lacks if finding.code in FINAL)
        return _on_markers(case, known, markers, seen, final, Override.NONE if final_of(lacks) else Override.MANUAL_POSE)
    judgement = judge(case, matched, _with_markers(known, seen))
    return replace(judgement, checked=judgement.checked + seen.words), matched.match


def judge_alone(case: Case, lacks: str, known: Judgement, markers: MarkerLook) -> tuple[Judgement, Match | None]:
    """As `judge_resting`, of markers that decide where the anatomy has no match at all: `lacks` says why."""
    return _on_markers(case, known, markers, markers.judge(None, lacks))


def _on_markers(
    case: Case, known: Judgement, markers: MarkerLook, seen: MarkersJudged, final: Findings = (), way: Override = Override.NONE
) -> tuple[Judgement, Match | None]:
    """What follows where markers decide; `final` is what the anatomy lacks and nobody sets aside, `way` what is left then."""
    known = replace(_with_markers(known, seen), checked=known.checked + seen.words, record=MatchRecord(mode=MARKERS, region=MARKERS))
    if final:  # nor do markers
        return replace(known, findings=known.findings + final).refused(final, way), markers.match
    if seen.refusing or markers.match is None:
        by_hand = Override.NONE if isinstance(case.daily, Radiographs) else Override.MANUAL_POSE
        return known.refused(seen.refusing, by_hand), markers.match
    judgement = judge_proposal(case, Matched(markers.match, case.plan.isocentre_mm), known)
    if not judgement.refusing:
        unsought = target_unsought(case.facts.protocol.tables.match)
        judgement = replace(judgement, findings=judgement.findings + unsought)
    return replace(judgement, record=replace(judgement.record, mode=MARKERS, region=MARKERS)), markers.match


def _with_markers(known: Judgement, seen: MarkersJudged) -> Judgement:
    return replace(known, findings=known.findings + seen.findings, markers=seen.answer)


def _unbelievable(match: Match, table: EvidenceTable) -> Findings:
    return judge_radiographs(match, table) if isinstance(match, RadiographMatch) else judge_evidence(match, table)
