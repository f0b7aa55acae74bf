"""The table of checks: each is a pure function of frozen facts. To add one is to add its function and a row."""

from __future__ import annotations

from collections.abc import Iterable

from igrt.verification.checks import identity, isocentre_check, match_point, provenance, resetup, residual, setup_error
from igrt.verification.checks.facts import Check, FactCheck, Facts, Findings, ProposalCheck
from igrt.verification.correction import Proposal
from igrt.verification.findings import Level

__all__ = ["CHECKS", "Check", "FactCheck", "Facts", "Findings", "ProposalCheck", "check_facts", "check_proposal", "checked_words"]

CHECKS: tuple[Check, ...] = (
    FactCheck("patient of plan and daily image", identity.find, refuses=True),
    FactCheck("frame of reference of plan and daily image", provenance.find_frame_of_reference),
    FactCheck("whether the image holds an earlier correction", provenance.find_image_pose),
    FactCheck("whether profile and protocol are proven", provenance.find_research),
    FactCheck("age and result of the isocentre check", isocentre_check.find),
    FactCheck("intended scan offset", provenance.find_scan_offset),
    ProposalCheck("re-set-up limit", resetup.find, refuses=True),
    ProposalCheck("match point and judged structures", match_point.find),
    ProposalCheck("length of the set-up shift", setup_error.find_translation),
    ProposalCheck("set-up shift along each axis", setup_error.find_axes),
    ProposalCheck("set-up rotation", setup_error.find_rotation),
    ProposalCheck("limits of the couch", residual.find_couch_limits),
    ProposalCheck("residual at the targets", residual.find_target),
    ProposalCheck("residual at the organs", residual.find_organs),
)


def check_facts(facts: Facts) -> tuple[Findings, Findings]:
    """All findings about the facts, and those that refuse."""
    return _gather((check.find(facts), check.refuses) for check in CHECKS if isinstance(check, FactCheck))


def check_proposal(facts: Facts, proposal: Proposal) -> tuple[Findings, Findings]:
    """All findings about the proposal, and those that refuse."""
    return _gather((check.find(facts, proposal), check.refuses) for check in CHECKS if isinstance(check, ProposalCheck))


def checked_words(kind: type[Check], *, refusing_only: bool = False) -> tuple[str, ...]:
    """What the checks of one kind check, in words."""
    return tuple(check.what for check in CHECKS if isinstance(check, kind) and (check.refuses or not refusing_only))


def _gather(found: Iterable[tuple[Findings, bool]]) -> tuple[Findings, Findings]:
    rows = list(found)
    refusing = tuple(finding for findings, refuses in rows if refuses for finding in findings if finding.level is Level.STOP)
    return tuple(finding for findings, _ in rows for finding in findings), refusing
