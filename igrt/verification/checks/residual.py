"""What remains after the couch's real move, with its 95 % uncertainty, at targets and organs."""

from __future__ import annotations

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.correction import PointResidual, Proposal
from igrt.verification.findings import Finding, Level
from igrt.verification.points import PointKind
from igrt.verification.tolerance import Tolerance


def find_target(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """The worst target point, or the isocentre where there is no target, against `residual.target_mm`."""
    judged = [residual for residual in proposal.residuals if residual.kind is not PointKind.ORGAN]
    return _find("residual_target", max(judged, key=lambda residual: residual.total_mm), facts.protocol.tables.residual.target_mm)


def find_organs(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """The worst point of each organ against `residual.organ_mm`."""
    judged = [residual for residual in proposal.residuals if residual.kind is PointKind.ORGAN]
    tolerance = facts.protocol.tables.residual.organ_mm
    return tuple(finding for residual in judged for finding in _find("residual_organ", residual, tolerance))


def find_couch_limits(_facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """Inform of every axis that the couch's limits held back; the residuals judge what that leaves."""
    if not proposal.couch.limited:
        return ()
    axes = ", ".join(proposal.couch.limited)
    sentence = f"Limits of the couch {proposal.couch.model} hold back: {axes}."
    return (found("couch_limited", sentence, level=Level.INFORM),)


def _find(code: str, residual: PointResidual, tolerance: Tolerance) -> tuple[Finding, ...]:
    exceeded = tolerance.exceeded(residual.total_mm)
    if exceeded is None:
        return ()
    level, limit = exceeded
    sentence = (
        f"After the couch's move {residual.name} would be {residual.residual_mm:.1f} mm off "
        f"(± {residual.uncertainty95_mm:.1f} mm in 95 % of cases), more than {limit:g} mm."
    )
    return (found(code, sentence, level=level, value=residual.total_mm, limit=limit, unit="mm"),)
