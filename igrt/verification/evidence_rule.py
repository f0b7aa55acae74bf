"""A row of the table of evidence rules: a measure of the match, its limit, and what is said where it does not hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from igrt.registration.match import Evidence, Match, measured
from igrt.verification.codes import found
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.figures import figure
from igrt.verification.findings import Finding, Level

# Begins every finding that names a measure and its limit alone.
UNBELIEVABLE = "The match cannot be believed: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row: `value` must lie at or above (`at_least`) or at or below the limit, which the protocol gives.

    `applies` says of which matches it is asked; a measure that could not be taken where it is asked refuses. `override` says whether a
    pose set by hand may set it aside. `sentence` tells a therapist what it means that the rule does not hold, where there is more
    to say than the measure.
    """

    code: str
    what: str
    value: Callable[[Evidence], float]
    limit: Callable[[EvidenceTable], float]
    unit: str = ""
    at_least: bool = True
    applies: Callable[[Match], bool] = lambda _match: True
    override: bool = True
    sentence: Callable[[Match, str], str] | None = None

    def holds(self, evidence: Evidence, table: EvidenceTable) -> bool:
        """False for NaN, and for a measure that could not be taken."""
        value, limit = self.value(evidence), self.limit(table)
        return measured(value) and (value >= limit if self.at_least else value <= limit)

    def words(self, evidence: Evidence, table: EvidenceTable) -> str:
        """Such as `overlap 0.98 (at least 0.60)`."""
        return f"{self.what} {self._value(evidence)} ({self._bound(table)})"

    def finding(self, match: Match, table: EvidenceTable) -> Finding:
        """That it does not hold, of level stop."""
        value = self.value(match.evidence)
        known = measured(value) and math.isfinite(value)
        if known and self.sentence is not None:
            said = self.sentence(match, f"{self._value(match.evidence)}, {self._bound(table)}")
        else:
            said = f"{UNBELIEVABLE}{self.words(match.evidence, table)}."
        return found(self.code, said, level=Level.STOP, value=value if known else None, limit=self.limit(table), unit=self.unit)

    def _value(self, evidence: Evidence) -> str:
        value = self.value(evidence)
        return f"{figure(value)}{self._unit}" if measured(value) else "could not be measured"

    def _bound(self, table: EvidenceTable) -> str:
        return f"{'at least' if self.at_least else 'at most'} {figure(self.limit(table))}{self._unit}"

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""
