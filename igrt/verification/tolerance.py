"""Three limits in one unit, and which of them a value exceeds."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from igrt.verification.findings import Level
from igrt.verification.schema import Table


class Tolerance(Table, frozen=True):
    """Three limits in one unit; a value at a limit is within it."""

    inform: Annotated[float, Meta(ge=0, le=1000, description="Above this the output says so")]
    warn: Annotated[float, Meta(ge=0, le=1000, description="Above this the verdict is caution at best")]
    stop: Annotated[float, Meta(ge=0, le=1000, description="Above this the verdict is stop")]

    def exceeded(self, value: float) -> tuple[Level, float] | None:
        """The highest level whose limit `value` exceeds, and that limit; None within all. NaN exceeds every limit."""
        for level, limit in ((Level.STOP, self.stop), (Level.WARN, self.warn), (Level.INFORM, self.inform)):
            if not value <= limit:
                return level, limit
        return None
