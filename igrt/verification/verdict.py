"""From outcome and findings to the one word that the therapist reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from igrt.verification.findings import Finding, Level, Outcome, Verdict

_VERDICT_OF_LEVEL = {Level.INFORM: Verdict.PROCEED, Level.WARN: Verdict.CAUTION, Level.STOP: Verdict.STOP}
_SEVERITY = tuple(Verdict)  # from the mildest to the gravest, the order of the exit codes


def verdict(outcome: Outcome, findings: Iterable[Finding]) -> Verdict:
    """The gravest of what outcome and findings ask for: a refused match is refused, a partial one caution at best."""
    base = {Outcome.ACCEPTED: Verdict.PROCEED, Outcome.PARTIAL: Verdict.CAUTION, Outcome.REFUSED: Verdict.REFUSED}[outcome]
    return max([base, *(_VERDICT_OF_LEVEL[finding.level] for finding in findings)], key=_SEVERITY.index)
