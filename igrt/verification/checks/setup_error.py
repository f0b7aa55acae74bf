"""How large the set-up error was, which the correction takes away: a large one is looked into before it is corrected."""

from __future__ import annotations

import math

from igrt.geometry.words import axis_words
from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.correction import Proposal
from igrt.verification.figures import beyond_decimals
from igrt.verification.findings import Finding


def find_translation(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """The length of the shift, intended offset taken out, against `setup.translation_mm`."""
    setup = proposal.setup
    shift_mm = math.hypot(setup.lateral_mm, setup.longitudinal_mm, setup.vertical_mm)
    exceeded = facts.protocol.tables.setup.translation_mm.exceeded(shift_mm)
    if exceeded is None:
        return ()
    level, limit = exceeded
    sentence = f"The patient is {shift_mm:.{beyond_decimals(shift_mm, limit)}f} mm from the planned place, more than {limit:g} mm."
    return (found("setup_translation", sentence, level=level, value=shift_mm, limit=limit, unit="mm"),)


def find_axes(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """Each shift for which the protocol has a tolerance of its own."""
    findings = []
    for axis in ("lateral", "longitudinal", "vertical"):
        tolerance, value = getattr(facts.protocol.tables.axis, f"{axis}_mm"), getattr(proposal.setup, f"{axis}_mm")
        exceeded = tolerance.exceeded(abs(value)) if tolerance else None
        if exceeded:
            level, limit = exceeded
            asked = axis_words(axis, value, decimals=beyond_decimals(value, limit))
            sentence = f"The {axis} set-up error asks for {asked}, more than {limit:g} mm."
            findings.append(found("setup_axis", sentence, level=level, value=value, limit=limit, unit="mm"))
    return tuple(findings)


def find_rotation(facts: Facts, proposal: Proposal) -> tuple[Finding, ...]:
    """The largest of pitch, roll and yaw against `setup.rotation_deg`."""
    axis, value = max(((axis, getattr(proposal.setup, f"{axis}_deg")) for axis in ("pitch", "roll", "yaw")), key=lambda turn: abs(turn[1]))
    exceeded = facts.protocol.tables.setup.rotation_deg.exceeded(abs(value))
    if exceeded is None:
        return ()
    level, limit = exceeded
    asked = axis_words(axis, value, decimals=beyond_decimals(value, limit))
    sentence = f"The patient is turned: the correction asks for {asked}, more than {limit:g}°."
    return (found("setup_rotation", sentence, level=level, value=value, limit=limit, unit="°"),)
