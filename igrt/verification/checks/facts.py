"""What a check sees, and what a row of the table of checks holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from igrt.errors import InputError
from igrt.images.records import PlanIdentity
from igrt.verification.correction import Proposal
from igrt.verification.findings import Finding
from igrt.verification.machine import MachineProfile
from igrt.verification.protocol import Protocol

Findings = tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known before a registration; `now` has a time zone, `scan_offset_mm` is in fixed axes."""

    machine: MachineProfile
    protocol: Protocol
    plan: PlanIdentity
    daily_patient_id: str | None
    daily_frame_of_reference_uid: str | None
    scan_offset_mm: tuple[float, float, float]
    now: datetime

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError(f"now is {self.now} without a time zone; give one, such as datetime.now(UTC)")
        shift = tuple(float(value) for value in self.scan_offset_mm)
        if len(shift) != 3 or not all(map(math.isfinite, shift)):
            raise InputError(f"scan_offset_mm is {self.scan_offset_mm}; give lateral, longitudinal and vertical in mm")
        object.__setattr__(self, "scan_offset_mm", shift)


@dataclass(frozen=True, slots=True)
class FactCheck:
    """A check of the facts; where it `refuses`, a finding of level stop refuses the match."""

    what: str
    find: Callable[[Facts], Findings]
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class ProposalCheck:
    """A check of the proposal that follows from an accepted match; refuses as a `FactCheck` does."""

    what: str
    find: Callable[[Facts, Proposal], Findings]
    refuses: bool = False


Check = FactCheck | ProposalCheck
