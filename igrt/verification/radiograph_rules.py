"""Whether a match of radiographs can be believed, and what one radiograph alone can say. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from igrt.registration.projection import InPlane, RadiographMatch
from igrt.verification.codes import found
from igrt.verification.evidence_rules import evidence_words, judge_evidence
from igrt.verification.findings import Finding, Level
from igrt.verification.protocol import EvidenceTable, Tolerance

# Properties of the registration, not of a site: docs/decisions/radiograph-match.md has what right and wrong matches show.
EVIDENCE = EvidenceTable(
    overlap_min=0.5,
    similarity_min=0.8,
    inliers_min=0.5,
    second_start_offset_min_mm=20.0,
    second_start_offset_min_deg=5.0,
    second_start_difference_max_mm=1.0,
    translation_sd_max_mm=0.5,
    rotation_sd_max_deg=0.5,
    observability_min=0.015,
    samples_min=2000,
)
LEAVE_ONE_OUT_MAX_MM = 1.0


@dataclass(frozen=True, slots=True)
class RadiographAnswer:
    """One radiograph of an answer: the file, its source angle, and how it agrees with the planning CT at the pose."""

    file: str
    source_angle_deg: float
    similarity: float
    overlap: float
    pull_mm: float


@dataclass(frozen=True, slots=True)
class RadiographsAnswer:
    """What an answer from radiographs says beside the rest; `in_plane` for a single one, whose depth is not measured."""

    images: tuple[RadiographAnswer, ...]
    leave_one_out_mm: float | None
    in_plane: InPlane | None


def radiographs_answer(match: RadiographMatch, files: tuple[str, ...], *, believed: bool) -> RadiographsAnswer:
    """For the record; the in-plane values only where the match is believed."""
    images = tuple(
        RadiographAnswer(file, view.source_angle_deg, view.similarity, view.overlap, view.pull_mm)
        for file, view in zip(files, match.views, strict=True)
    )
    return RadiographsAnswer(images, None if match.partial else match.leave_one_out_mm, match.in_plane if believed else None)


def judge_radiographs(match: RadiographMatch) -> tuple[Finding, ...]:
    """Stop-level findings, one for each rule that does not hold; of one radiograph only what it can show is judged."""
    findings = judge_evidence(_shown(match), EVIDENCE)
    if match.partial or match.leave_one_out_mm <= LEAVE_ONE_OUT_MAX_MM:
        return findings
    value = match.leave_one_out_mm if math.isfinite(match.leave_one_out_mm) else None
    sentence = "The match cannot be believed: without one of the radiographs it would lie elsewhere."
    return (*findings, found("evidence_leave_one_out", sentence, level=Level.STOP, value=value, limit=LEAVE_ONE_OUT_MAX_MM, unit="mm"))


def radiograph_words(match: RadiographMatch) -> tuple[str, ...]:
    """Each rule with what was measured and its limit."""
    words = evidence_words(_shown(match), EVIDENCE)
    if match.partial:
        return words
    return (*words, f"move without one of the images {match.leave_one_out_mm:.3g} mm (at most {LEAVE_ONE_OUT_MAX_MM:g} mm)")


def partial_findings(in_plane: InPlane, tolerance: Tolerance) -> tuple[Finding, ...]:
    """Warn that the depth is not measured, and judge the shift that is seen as a set-up error, at warn or stop."""
    sentence = (
        f"One radiograph shows the patient {_signed(in_plane.across_mm)} mm across and {_signed(in_plane.along_mm)} mm along its receptor, "
        f"turned by {_signed(in_plane.turn_deg)}°; the depth, along the beam, is N/A."
    )
    findings = [found("one_radiograph", sentence, level=Level.WARN)]
    shift_mm = math.hypot(in_plane.across_mm, in_plane.along_mm)
    exceeded = tolerance.exceeded(shift_mm)
    if exceeded is not None:
        level, limit = exceeded
        said = f"The patient is at least {shift_mm:.1f} mm from the planned place, more than {limit:g} mm."
        findings.append(found("setup_translation", said, level=level, value=shift_mm, limit=limit, unit="mm"))
    return tuple(findings)


def _shown(match: RadiographMatch) -> RadiographMatch:
    """With the evidence of what is measured: of one radiograph the standard deviations within its plane."""
    plane = match.in_plane
    if plane is None:
        return match
    shift_sd = max(plane.across_sd_mm, plane.along_sd_mm)
    return replace(match, evidence=replace(match.evidence, translation_sd_mm=(shift_sd,) * 3, rotation_sd_deg=(plane.turn_sd_deg,) * 3))


def _signed(value: float) -> str:
    return f"{value:+.1f}"
