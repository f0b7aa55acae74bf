"""From a judgement to the answer that is handed on; an accepted one alone carries a proposal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from igrt.images.radiographs import Radiographs
from igrt.registration.match import Match
from igrt.registration.projection import RadiographMatch
from igrt.verification.case import Case, Shift
from igrt.verification.compared import compared_of
from igrt.verification.evidence_rules import reason_of
from igrt.verification.findings import OVERRIDE_WORDS, Outcome
from igrt.verification.judgement import Judgement
from igrt.verification.radiograph_rules import RadiographsAnswer, radiographs_answer
from igrt.verification.record import CONE_BEAM, MARKERS, RADIOGRAPHS, Answer
from igrt.verification.verdict import verdict

BELIEVED = "The match holds against every evidence rule."
BY_MARKERS = "The match of the markers holds against every rule of theirs."
BY_HAND = "The pose was set by hand; the findings say what it lacks."
ONE_RADIOGRAPH = "One radiograph does not show the depth."


def conclude(case: Case, judgement: Judgement, *, device: str, seconds: Mapping[str, float], match: Match | None = None) -> Answer:
    """An accepted answer where there is a proposal, else a partial or a refused one, which carries none of it."""
    facts, proposal = case.facts, judgement.proposal
    outcome = Outcome.PARTIAL if judgement.partial else Outcome.REFUSED if proposal is None else Outcome.ACCEPTED
    return Answer(
        outcome=outcome,
        reason=_reason(judgement),
        override=judgement.override,
        radiographs=_radiographs(case, match, judgement),
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
        seconds=dict(seconds),
        plan_fingerprint=case.plan.fingerprint,
        match=judgement.record,
        markers=judgement.markers,
        compared=compared_of(match, judgement.findings),
    )


def _reason(judgement: Judgement) -> str:
    """Why it is refused, and the way that is left; or why it is not."""
    if judgement.override is not None:
        return f"{reason_of(judgement.refusing)} {OVERRIDE_WORDS[judgement.override]}"
    if judgement.partial:
        return ONE_RADIOGRAPH
    if judgement.record.mode == MARKERS:
        return BY_MARKERS
    return BY_HAND if judgement.record.manual else BELIEVED


def _radiographs(case: Case, match: Match | None, judgement: Judgement) -> RadiographsAnswer | None:
    if not isinstance(match, RadiographMatch):
        return None
    files = tuple(image.source for image in case.daily.images) if isinstance(case.daily, Radiographs) else ()
    return radiographs_answer(match, files, believed=judgement.partial)


def _point(point_mm: NDArray[np.float64]) -> Shift:
    x, y, z = point_mm.tolist()
    return x, y, z
