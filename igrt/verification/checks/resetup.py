"""Beyond the re-set-up limit no correction is offered."""

from __future__ import annotations

import math

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.correction import Proposal
from igrt.verification.findings import Finding, Level


def find(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """Stop where the shift is too long or the turn too large for a correction by couch."""
    limits, setup = facts.protocol.tables.resetup, proposal.setup
    shift_mm = math.hypot(setup.lateral_mm, setup.longitudinal_mm, setup.vertical_mm)
    findings = []
    if not shift_mm <= limits.translation_mm:
        sentence = f"The patient is {shift_mm:.1f} mm from the planned place: set the patient up again and image again."
        findings.append(
            found("resetup_translation", sentence, level=Level.STOP, value=shift_mm, limit=limits.translation_mm, unit="mm")
        )  # fmt: skip
    if not proposal.turn_deg <= limits.rotation_deg:
        sentence = f"The patient is turned by {proposal.turn_deg:.1f}°: set the patient up again and image again."
        findings.append(
            found("resetup_rotation", sentence, level=Level.STOP, value=proposal.turn_deg, limit=limits.rotation_deg, unit="°")
        )  # fmt: skip
    return tuple(findings)
