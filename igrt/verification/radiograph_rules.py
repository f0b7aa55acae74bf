"""Whether a match of radiographs can be believed, and what one radiograph alone can say. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import numpy as np

from igrt.geometry.camera import XrayCamera
from igrt.geometry.words import AXES, axis_words
from igrt.registration.projection import InPlane, RadiographMatch, receptor_axes
from igrt.verification.codes import found
from igrt.verification.evidence_rules import evidence_words, judge_evidence
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.figures import beyond_decimals
from igrt.verification.findings import Finding, Level
from igrt.verification.protocol import MatchTable, ResetupTable, SetupTable


class RadiographLimits(NamedTuple):
    """What a match of radiographs must show: keys of the protocol's `[evidence]` on the radiographs' own scale."""

    overlap_min: float
    similarity_min: float
    inliers_min: float
    second_start_offset_min_mm: float
    second_start_offset_min_deg: float
    second_start_difference_max_mm: float
    translation_sd_max_mm: float
    rotation_sd_max_deg: float
    observability_min: float
    samples_min: int


# Properties of the registration, not of a site: docs/decisions/radiograph-match.md has what right and wrong matches show.
EVIDENCE = RadiographLimits(
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
DERIVED_BY = "docs/decisions/radiograph-match.md, and the protocol where it is stricter"
LEAVE_ONE_OUT_MAX_MM = 1.0
# What a partial answer adds to the list of what was checked.
IN_PLANE_CHECKED = ("re-set-up limit within the radiograph's plane", "set-up shift and turn within the radiograph's plane")


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


def evidence_table(site: EvidenceTable) -> EvidenceTable:
    """The protocol's table with `EVIDENCE` in it, tightened where the protocol is stricter in what radiographs share with cone-beam images.

    Similarity, overlap, inliers and the second start's distance stay: radiographs are compared on a scale of their own.
    """
    stricter = EVIDENCE._replace(
        second_start_difference_max_mm=min(EVIDENCE.second_start_difference_max_mm, site.second_start_difference_max_mm),
        translation_sd_max_mm=min(EVIDENCE.translation_sd_max_mm, site.translation_sd_max_mm),
        rotation_sd_max_deg=min(EVIDENCE.rotation_sd_max_deg, site.rotation_sd_max_deg),
        observability_min=max(EVIDENCE.observability_min, site.observability_min),
        samples_min=max(EVIDENCE.samples_min, site.samples_min),
    )
    return msgspec.structs.replace(site, **stricter._asdict(), derived_by=DERIVED_BY)


def judge_radiographs(match: RadiographMatch, site: EvidenceTable) -> tuple[Finding, ...]:
    """Stop-level findings, one for each rule that does not hold; of one radiograph only what it can show is judged."""
    findings = judge_evidence(_shown(match), evidence_table(site))
    if match.partial or match.leave_one_out_mm <= LEAVE_ONE_OUT_MAX_MM:
        return findings
    value = match.leave_one_out_mm if math.isfinite(match.leave_one_out_mm) else None
    sentence = "The match cannot be believed: without one of the radiographs it would lie elsewhere."
    return (*findings, found("evidence_leave_one_out", sentence, level=Level.STOP, value=value, limit=LEAVE_ONE_OUT_MAX_MM, unit="mm"))


def radiograph_words(match: RadiographMatch, site: EvidenceTable) -> tuple[str, ...]:
    """Each rule with what was measured and its limit."""
    words = evidence_words(_shown(match), evidence_table(site))
    if match.partial:
        return words
    return (*words, f"move without one of the images {match.leave_one_out_mm:.3g} mm (at most {LEAVE_ONE_OUT_MAX_MM:g} mm)")


def unrestricted_findings(table: MatchTable) -> tuple[Finding, ...]:
    """Inform where the protocol restricts the match, which radiographs cannot do."""
    if (table.mode, table.region, table.freedom) == (MatchTable().mode, MatchTable().region, MatchTable().freedom):
        return ()
    asked = f"{table.region}, {table.mode}, {table.freedom}"
    sentence = f"The protocol asks for a match of {asked}; radiographs are matched whole and grey, with all motions that they show."
    return (found("match_unrestricted", sentence, level=Level.INFORM),)


def target_findings(table: MatchTable) -> tuple[Finding, ...]:
    """Warn where the protocol asks where the soft tissue of the target lies, which radiographs do not show."""
    if table.target_position is None:
        return ()
    return (found("target_position_unknown", "Radiographs do not show the soft tissue of the target.", level=Level.WARN),)


def beyond_resetup(in_plane: InPlane, limits: ResetupTable) -> tuple[Finding, ...]:
    """Stop-level findings, which refuse: what one radiograph shows is already too far for a correction by couch."""
    shift_mm, turn_deg = _size(in_plane)
    findings = []
    if not shift_mm <= limits.translation_mm:
        said = f"The patient is at least {shift_mm:.1f} mm from the planned place: set the patient up again and image again."
        findings.append(found("resetup_translation", said, level=Level.STOP, value=shift_mm, limit=limits.translation_mm, unit="mm"))
    if not turn_deg <= limits.rotation_deg:
        said = f"The patient is turned by at least {turn_deg:.1f}°: set the patient up again and image again."
        findings.append(found("resetup_rotation", said, level=Level.STOP, value=turn_deg, limit=limits.rotation_deg, unit="°"))
    return tuple(findings)


def partial_findings(in_plane: InPlane, camera: XrayCamera, setup: SetupTable) -> tuple[Finding, ...]:
    """Warn that the depth is not measured; the shift and the turn that are seen are judged as set-up errors, at the protocol's levels."""
    sentence = f"One radiograph asks for {in_plane_words(in_plane, camera)}; the depth, along the beam, is N/A."
    findings = [found("one_radiograph", sentence, level=Level.WARN)]
    shift_mm, turn_deg = _size(in_plane)
    if exceeded := setup.translation_mm.exceeded(shift_mm):
        level, limit = exceeded
        said = f"The patient is at least {shift_mm:.{beyond_decimals(shift_mm, limit)}f} mm from the planned place, more than {limit:g} mm."
        findings.append(found("setup_translation", said, level=level, value=shift_mm, limit=limit, unit="mm"))
    if exceeded := setup.rotation_deg.exceeded(turn_deg):
        level, limit = exceeded
        said = f"The patient is turned by at least {turn_deg:.{beyond_decimals(turn_deg, limit)}f}°, more than {limit:g}°."
        findings.append(found("setup_rotation", said, level=level, value=turn_deg, limit=limit, unit="°"))
    return tuple(findings)


def in_plane_words(in_plane: InPlane, camera: XrayCamera) -> str:
    """The motion that sets right what one radiograph shows, in the room's words: from either side of the patient they are the same."""
    across, along = receptor_axes(camera)
    shift_mm = in_plane.across_mm * across + in_plane.along_mm * along
    parts = np.concatenate([shift_mm, in_plane.turn_deg * camera.view_axis_fixed]).tolist()
    moving = [axis_words(axis, value) for axis, value in zip(AXES, parts, strict=True) if f"{abs(value):.1f}" != "0.0"]
    return ", ".join(moving) or "no motion of 0.1 mm or 0.1° or more"


def _shown(match: RadiographMatch) -> RadiographMatch:
    """With the evidence of what is measured: of one radiograph the standard deviations within its plane."""
    plane = match.in_plane
    if plane is None:
        return match
    shift_sd = max(plane.across_sd_mm, plane.along_sd_mm)
    return replace(match, evidence=replace(match.evidence, translation_sd_mm=(shift_sd,) * 3, rotation_sd_deg=(plane.turn_sd_deg,) * 3))


def _size(in_plane: InPlane) -> tuple[float, float]:
    """Length of the shift and angle of the turn that are seen: the patient's are no smaller."""
    return math.hypot(in_plane.across_mm, in_plane.along_mm), abs(in_plane.turn_deg)
