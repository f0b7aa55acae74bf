"""What the process that reads a plan for fetching says of it."""

from __future__ import annotations

from msgspec import Struct

from igrt.bus.messages import ImageGrid


class Part(Struct, frozen=True, kw_only=True):
    """One content within the file."""

    start_bytes: int
    total_bytes: int
    sha256: str
    grid: ImageGrid | None = None


class PlanContents(Struct, frozen=True, kw_only=True, tag=True):
    """All of them, and of which plan."""

    fingerprint: str
    plan_ct: Part
    contours: Part


class Unreadable(Struct, frozen=True, kw_only=True, tag=True):
    """Why there are none."""

    sentence: str
