"""The engine's limits on time and disk."""

from __future__ import annotations

from dataclasses import dataclass

from igrt.guard.policy import LIFETIME_S


@dataclass(frozen=True, slots=True)
class Limits:
    """When silence and shortage become alerts, how much of the disk is never filled, and the most that an image lives."""

    stall_s: float = 10.0
    hold_s: float = 2.0
    lifetime_s: float = LIFETIME_S
    clock_jump_s: float = 1.0
    reserve_bytes: int = 1 << 30
    disk_low_bytes: int = 5 << 30
