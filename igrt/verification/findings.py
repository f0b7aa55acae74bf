"""The vocabulary of an answer: one table each for outcomes, levels and verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Whether there is an answer: partial is a single radiograph, which cannot show all axes."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    REFUSED = "refused"


class Override(StrEnum):
    """What a person may do about a refusal: judge a pose of their own instead, or nothing."""

    MANUAL_POSE = "manual pose"
    NONE = "none"


class Level(StrEnum):
    """What a finding asks for: to be known, to be looked at, or to stop."""

    INFORM = "inform"
    WARN = "warn"
    STOP = "stop"


class Priority(StrEnum):
    """Alert priority after IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATION = "information"


class Verdict(StrEnum):
    """What the therapist is told."""

    PROCEED = "proceed"
    CAUTION = "caution"
    STOP = "stop"
    REFUSED = "refused"

    @property
    def exit_code(self) -> int:
        """Of `igrt verify`; 4 is bad input and bad usage, 5 a defect of igrt."""
        return _VERDICTS[self][0]

    @property
    def priority(self) -> Priority:
        """Of the alert that tells it."""
        return _VERDICTS[self][1]


_VERDICTS = {
    Verdict.PROCEED: (0, Priority.INFORMATION),
    Verdict.CAUTION: (1, Priority.LOW),
    Verdict.STOP: (2, Priority.MEDIUM),
    Verdict.REFUSED: (3, Priority.HIGH),
}
# What a refusal says of the way that it leaves open.
OVERRIDE_WORDS = {
    Override.MANUAL_POSE: "A pose set by hand may take its place, and is judged too.",
    Override.NONE: "No pose set by hand sets this aside.",
}
EXIT_BAD_INPUT = 4
EXIT_DEFECT = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: `value` against `limit` in `unit`, where there is a number (None where there is none)."""

    code: str
    sentence: str
    value: float | None
    limit: float | None
    unit: str
    level: Level

    def __post_init__(self) -> None:
        for field in ("value", "limit"):
            number = getattr(self, field)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"finding {self.code}: {field} is {number}; give a finite number or None")
