"""Whether a match can be believed. Decided before any tolerance is looked at; what does not hold refuses the match. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from igrt.registration.match import Evidence, Match
from igrt.registration.options import Freedom
from igrt.registration.projection import RadiographMatch
from igrt.verification import evidence_sentences as sentences
from igrt.verification.codes import found
from igrt.verification.evidence_rule import UNBELIEVABLE, Rule
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.figures import figure
from igrt.verification.findings import Finding, Level

# A covariance is symmetric up to rounding, and its least eigenvalue no more negative than rounding makes it.
COVARIANCE_ROUNDING = 1e-9
# Of the whole body, where a part was matched: above every stranger at 0.21 and below every right pair that is rigid at 0.80; two breath
# holds of one deformed lung show 0.53 (docs/decisions/match-options.md).
WHOLE_SIMILARITY_MIN = 0.4


def _has_shifts(match: Match) -> bool:
    return match.options.freedom is not Freedom.ROTATIONS


def _has_turns(match: Match) -> bool:
    return match.options.freedom is not Freedom.TRANSLATIONS


def _of_a_volume(match: Match) -> bool:
    return not isinstance(match, RadiographMatch)


def _of_all(match: Match) -> bool:
    """A cone-beam CT of which everything was matched in every motion: another answer can be told from a part that is free to differ."""
    return _of_a_volume(match) and not match.options.restricted and match.options.freedom is Freedom.SIX


# In the order in which what does not hold is told: what a therapist can see first.
RULES: tuple[Rule, ...] = (
    Rule(
        code="evidence_identity",
        what="identity of the patient",
        value=lambda e: e.identity,
        limit=lambda t: t.identity_min,
        applies=_of_a_volume,
        override=False,
        sentence=sentences.another_patient,
    ),
    Rule(
        code="evidence_mirror",
        what="lead over the image mirrored left to right",
        value=lambda e: e.mirror_margin,
        limit=lambda t: t.mirror_margin_min,
        applies=_of_a_volume,
        override=False,
        sentence=sentences.mirrored,
    ),
    Rule(
        code="evidence_stretch",
        what="stretch of the image against the plan",
        value=lambda e: e.stretch,
        limit=lambda t: t.stretch_max,
        at_least=False,
        applies=_of_a_volume,
        override=False,
        sentence=sentences.stretched,
    ),
    Rule(
        code="evidence_vertebra",
        what="lead over the vertebrae above and below",
        value=lambda e: e.vertebra_margin,
        limit=lambda t: t.vertebra_margin_min,
        applies=_of_a_volume,
        sentence=sentences.another_vertebra,
    ),
    Rule(
        code="evidence_regions",
        what="disagreement of parts of the anatomy",
        value=lambda e: e.region_residual_mm,
        limit=lambda t: t.region_residual_max_mm,
        unit="mm",
        at_least=False,
        applies=_of_all,
        sentence=sentences.not_rigid,
    ),
    Rule(
        code="evidence_target",
        what="distance of what lies at the isocentre from where the rest has it",
        value=lambda e: e.target_residual_mm,
        limit=lambda t: t.target_residual_max_mm,
        unit="mm",
        at_least=False,
        applies=_of_all,
        sentence=sentences.target_elsewhere,
    ),
    Rule(
        code="evidence_second_metric",
        what="distance to where another measure of likeness sees the patient",
        value=lambda e: e.second_metric_offset_mm,
        limit=lambda t: t.second_metric_offset_max_mm,
        unit="mm",
        at_least=False,
        applies=_of_all,
        sentence=sentences.second_metric_elsewhere,
    ),
    Rule(
        code="evidence_swap",
        what="difference to the match with plan and image exchanged",
        value=lambda e: e.swap_difference_mm,
        limit=lambda t: t.swap_difference_max_mm,
        unit="mm",
        at_least=False,
        applies=_of_all,
        sentence=sentences.swap_elsewhere,
    ),
    Rule(
        code="evidence_rival",
        what="lead over the best other position",
        value=lambda e: e.rival_margin,
        limit=lambda t: t.rival_margin_min,
        applies=_of_all,
        sentence=sentences.another_position,
    ),
    Rule(
        code="evidence_overlap",
        what="overlap of the daily anatomy with the planning CT",
        value=lambda e: e.overlap,
        limit=lambda t: t.overlap_min,
    ),
    Rule(code="evidence_similarity", what="similarity of the images", value=lambda e: e.similarity, limit=lambda t: t.similarity_min),
    Rule(code="evidence_inliers", what="share of samples that agree", value=lambda e: e.inliers, limit=lambda t: t.inliers_min),
    Rule(
        code="evidence_second_start_offset",
        what="shift of the second start",
        value=lambda e: e.second_start_offset_mm,
        limit=lambda t: t.second_start_offset_min_mm,
        unit="mm",
        applies=_has_shifts,
    ),
    Rule(
        code="evidence_second_start_offset",
        what="turn of the second start",
        value=lambda e: e.second_start_offset_deg,
        limit=lambda t: t.second_start_offset_min_deg,
        unit="°",
        applies=_has_turns,
    ),
    Rule(
        code="evidence_second_start",
        what="difference between the answers of two starts",
        value=lambda e: e.second_start_difference_mm,
        limit=lambda t: t.second_start_difference_max_mm,
        unit="mm",
        at_least=False,
    ),
    Rule(
        code="evidence_translation_sd",
        what="standard deviation of the position along the worst axis",
        value=lambda e: _largest(e.translation_sd_mm),
        limit=lambda t: t.translation_sd_max_mm,
        unit="mm",
        at_least=False,
    ),
    Rule(
        code="evidence_rotation_sd",
        what="standard deviation of the angle about the worst axis",
        value=lambda e: _largest(e.rotation_sd_deg),
        limit=lambda t: t.rotation_sd_max_deg,
        unit="°",
        at_least=False,
    ),
    Rule(
        code="evidence_observability",
        what="observability of the worst motion",
        value=lambda e: e.observability,
        limit=lambda t: t.observability_min,
    ),
    Rule(code="evidence_samples", what="samples", value=lambda e: e.samples, limit=lambda t: t.samples_min),
)


# What nobody sets aside.
FINAL = frozenset(rule.code for rule in RULES if not rule.override)
# A pose that lacks one of these is wrong itself: what identity, side and size are there says nothing of the patient.
FAILED = frozenset(
    {
        "evidence_not_converged",
        "evidence_similarity",
        "evidence_second_start",
        "evidence_translation_sd",
        "evidence_rotation_sd",
    }
)


def judge_evidence(match: Match, table: EvidenceTable) -> tuple[Finding, ...]:
    """Stop-level findings, one for each rule that does not hold; empty where the match is accepted."""
    evidence = match.evidence
    not_finite = [field for field, values in _numbers(evidence) if not all(map(math.isfinite, values))]
    unbelievable = [
        found("evidence_not_finite", f"The match's {name} is not a finite number, so it cannot be believed.", level=Level.STOP)
        for name in not_finite
    ]
    if not _is_covariance(match.covariance):
        sentence = "The match's covariance is not that of any pose, so it cannot be believed."
        unbelievable.append(found("evidence_not_finite", sentence, level=Level.STOP))
    if not evidence.converged:
        unbelievable.append(found("evidence_not_converged", "The registration did not settle on a pose.", level=Level.STOP))
    whole = match.whole_similarity
    if _asks_for_the_whole(match) and not (whole is not None and whole >= WHOLE_SIMILARITY_MIN):
        unbelievable.append(_another_body(match))
    rules = [rule for rule in RULES if rule.applies(match)]
    return (*(rule.finding(match, table) for rule in rules if not rule.holds(evidence, table)), *unbelievable)


def final_of(refusing: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that nobody sets aside with a pose of their own; none of a match that failed, for at that pose the same is asked again."""
    failed = any(finding.code in FAILED for finding in refusing)
    return () if failed else tuple(finding for finding in refusing if finding.code in FINAL)


def reason_of(refusing: Iterable[Finding]) -> str:
    """Why it is refused: what a therapist can see, then all that names a measure alone, as one sentence."""
    sentences = [finding.sentence for finding in refusing]
    measures = [sentence.removeprefix(UNBELIEVABLE).removesuffix(".") for sentence in sentences if sentence.startswith(UNBELIEVABLE)]
    told = [sentence for sentence in sentences if not sentence.startswith(UNBELIEVABLE)]
    return " ".join([*told, *([f"{UNBELIEVABLE}{'; '.join(measures)}."] if measures else [])])


def evidence_words(match: Match, table: EvidenceTable) -> tuple[str, ...]:
    """Each rule with what was measured and its limit, for the list of what was checked."""
    words = [rule.words(match.evidence, table) for rule in RULES if rule.applies(match)]
    if _asks_for_the_whole(match):
        words.append(_whole_words(match))
    return (*words, f"converged: {'yes' if match.evidence.converged else 'no'}", f"limits set by: {table.derived_by}")


def _asks_for_the_whole(match: Match) -> bool:
    return match.options.restricted or match.whole_similarity is not None


def _whole_words(match: Match) -> str:
    similarity = match.whole_similarity
    said = "could not be measured" if similarity is None else figure(similarity)
    return f"similarity of the whole body {said} (at least {figure(WHOLE_SIMILARITY_MIN)})"


def _another_body(match: Match) -> Finding:
    similarity = match.whole_similarity
    known = similarity is not None and math.isfinite(similarity)
    sentence = f"{UNBELIEVABLE}{_whole_words(match)}."
    return found("evidence_whole", sentence, level=Level.STOP, value=similarity if known else None, limit=WHOLE_SIMILARITY_MIN)


def _numbers(evidence: Evidence) -> list[tuple[str, tuple[float, ...]]]:
    named = [(field.name, getattr(evidence, field.name)) for field in fields(evidence)]
    return [(name, value if isinstance(value, tuple) else (value,)) for name, value in named]


def _largest(values: tuple[float, ...]) -> float:
    """The largest; NaN where one is NaN or a standard deviation is negative."""
    return max(values) if all(value >= 0 for value in values) else math.nan


def _is_covariance(covariance: NDArray[np.float64]) -> bool:
    """Symmetric and without a negative variance, up to rounding; a match's covariance is finite."""
    scale = max(float(np.trace(covariance)), 0.0)
    symmetric = float(np.abs(covariance - covariance.T).max()) <= COVARIANCE_ROUNDING * scale
    return symmetric and scale > 0 and float(np.linalg.eigvalsh(covariance)[0]) >= -COVARIANCE_ROUNDING * scale
