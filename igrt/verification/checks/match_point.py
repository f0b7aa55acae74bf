"""The output says so where the point to match is not the centroid of a clinical target, and where no organ is judged."""

from __future__ import annotations

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.correction import Proposal
from igrt.verification.findings import Finding, Level
from igrt.verification.points import MatchRule, PointKind


def find(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """Inform of a PTV that stands in and of organs that are missing; at the protocol's level where there is no target."""
    findings = []
    if proposal.match_point.rule is MatchRule.ISOCENTRE:
        sentence = "There is no target structure, so the isocentre alone is judged."
        findings.append(found("match_point_isocentre", sentence, level=facts.protocol.tables.target.missing))
    elif proposal.match_point.rule in (MatchRule.PTV, MatchRule.SEVERAL_PTV):
        sentence = f"The match point is the {proposal.match_point.rule}."
        findings.append(found("match_point_ptv", sentence, level=Level.INFORM))
    if not any(residual.kind is PointKind.ORGAN for residual in proposal.residuals):
        reach = facts.protocol.tables.organs.reach_mm
        findings.append(found("no_organs", f"No organ within {reach:g} mm of the match point is judged.", level=Level.INFORM))
    return tuple(findings)
