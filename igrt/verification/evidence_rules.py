"""Whether a match can be believed. Decided before any tolerance is looked at; what does not hold refuses the match. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from igrt.registration.match import Evidence, Match
from igrt.registration.options import Freedom, MatchOptions
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level
from igrt.verification.protocol import EvidenceTable

# A covariance is symmetric up to rounding, and its least eigenvalue no more negative than rounding makes it.
COVARIANCE_ROUNDING = 1e-9
# Of the whole body, where a part was matched: above every stranger at 0.21 and below every right pair that is rigid at 0.80; two breath
# holds of one deformed lung show 0.53 (docs/decisions/match-options.md).
WHOLE_SIMILARITY_MIN = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row: `value` must lie at or above (`at_least`) or at or below the limit, which the protocol gives."""

    code: str
    what: str
    value: Callable[[Evidence], float]
    limit: Callable[[EvidenceTable], float]
    unit: str = ""
    at_least: bool = True
    applies: Callable[[MatchOptions], bool] = lambda _options: True

    def holds(self, evidence: Evidence, table: EvidenceTable) -> bool:
        """False for NaN."""
        value, limit = self.value(evidence), self.limit(table)
        return value >= limit if self.at_least else value <= limit

    def words(self, evidence: Evidence, table: EvidenceTable) -> str:
        """Such as `overlap 0.98 (at least 0.60)`."""
        bound = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what} {_figure(self.value(evidence))}{unit} ({bound} {_figure(self.limit(table))}{unit})"


RULES: tuple[Rule, ...] = (
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
        applies=lambda options: options.freedom is not Freedom.ROTATIONS,
    ),
    Rule(
        code="evidence_second_start_offset",
        what="turn of the second start",
        value=lambda e: e.second_start_offset_deg,
        limit=lambda t: t.second_start_offset_min_deg,
        unit="°",
        applies=lambda options: options.freedom is not Freedom.TRANSLATIONS,
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
    if match.whole_similarity is not None and not match.whole_similarity >= WHOLE_SIMILARITY_MIN:
        unbelievable.append(_another_body(match.whole_similarity))
    rules = [rule for rule in RULES if rule.applies(match.options)]
    return (*unbelievable, *(_finding(rule, evidence, table) for rule in rules if not rule.holds(evidence, table)))


def evidence_words(match: Match, table: EvidenceTable) -> tuple[str, ...]:
    """Each rule with what was measured and its limit, for the list of what was checked."""
    words = [rule.words(match.evidence, table) for rule in RULES if rule.applies(match.options)]
    if match.whole_similarity is not None:
        words.append(f"similarity of the whole body {_figure(match.whole_similarity)} (at least {_figure(WHOLE_SIMILARITY_MIN)})")
    return (*words, f"converged: {'yes' if match.evidence.converged else 'no'}")


def _another_body(similarity: float) -> Finding:
    finite = math.isfinite(similarity)
    sentence = (
        f"The match cannot be believed: similarity of the whole body {_figure(similarity)} (at least {_figure(WHOLE_SIMILARITY_MIN)})."
    )
    return found("evidence_whole", sentence, level=Level.STOP, value=similarity if finite else None, limit=WHOLE_SIMILARITY_MIN)


def _finding(rule: Rule, evidence: Evidence, table: EvidenceTable) -> Finding:
    value = rule.value(evidence)
    return found(
        rule.code,
        f"The match cannot be believed: {rule.words(evidence, table)}.",
        level=Level.STOP,
        value=value if math.isfinite(value) else None,
        limit=rule.limit(table),
        unit=rule.unit,
    )


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


def _figure(value: float) -> str:
    if not math.isfinite(value):
        return "not a number"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"
