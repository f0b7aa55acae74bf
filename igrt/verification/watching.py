"""Watching during the beam: frames of the patient against the verified set-up, from the first one to the hold. Pure; clocks are passed in.

Nothing is fine by silence. A state other than `FINE` begins with the watch itself, and `FINE` needs a judged frame within tolerance that
is younger than the time allowed without one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

from igrt.errors import InputError
from igrt.registration.marker_tracking import SeenDisplacement

DEVIATIONS = 2.0  # of the displacement that are added to it before it is held against the tolerance


class Watch(StrEnum):
    """What is known now."""

    UNKNOWN = "unknown"
    FINE = "fine"
    BEYOND = "beyond"


class WatchAlert(StrEnum):
    """Why the beam is to be held."""

    DISPLACED = "displaced"
    UNKNOWN = "unknown_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """A displacement beyond `tolerance_mm` for `beyond_s` is an alert, and so is no judged frame for `unknown_s`.

    A judged frame holds for `fresh_s`; then what it said is unknown. InputError where a limit is not positive and finite, or a frame would
    hold longer than not knowing is allowed.
    """

    tolerance_mm: float
    beyond_s: float
    unknown_s: float
    fresh_s: float

    def __post_init__(self) -> None:
        for name in ("tolerance_mm", "unknown_s", "fresh_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"watching: {name} is {getattr(self, name)}; give a positive number")
        if not (math.isfinite(self.beyond_s) and self.beyond_s >= 0):
            raise InputError(f"watching: beyond_s is {self.beyond_s}; give 0 or more seconds")
        if not self.fresh_s <= self.unknown_s:
            raise InputError(f"watching: fresh_s is {self.fresh_s}, longer than unknown_s {self.unknown_s}; a frame must not hold longer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame: its number from the imager, when it was taken and when its answer was there (s, one monotonic clock), and what it shows.

    `seen` None: it could not be judged.
    """

    number: int
    taken_s: float
    answered_s: float
    seen: SeenDisplacement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A request to hold the beam: why, since when it was so (s), when it was asked for, and `delay_s` from that moment on.

    `delay_s` counts from when it was due: the set time after the exposure that first showed the displacement, or after the last one that
    was judged. So it holds imaging, computing and waiting.
    """

    why: WatchAlert
    since_s: float
    asked_s: float
    delay_s: float
    displacement_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the frames: judged, not to be judged, dropped (passed over by a later number), late (of those, come after all)."""

    judged: int = 0
    unjudged: int = 0
    dropped: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The state; each step gives the next. `hold` stays until the watch begins anew, for a person clears it, not a frame."""

    limits: WatchLimits
    began_s: float
    now_s: float
    last_number: int | None = None
    judged_taken_s: float | None = None
    length_mm: float | None = None
    beyond_since_s: float | None = None
    counts: Counts = field(default_factory=Counts)
    hold: Hold | None = None

    @classmethod
    def begin(cls, limits: WatchLimits, *, now_s: float) -> Watching:
        """At the first moment, when nothing is known. InputError where the clock is no number."""
        if not math.isfinite(now_s):
            raise InputError(f"watching begins at {now_s}; give the time of a monotonic clock")
        return cls(limits=limits, began_s=now_s, now_s=now_s)

    @property
    def state(self) -> Watch:
        """What is known now: `FINE` only by a judged frame within tolerance that is still fresh."""
        if self.judged_taken_s is None or not self.now_s - self.judged_taken_s <= self.limits.fresh_s:
            return Watch.UNKNOWN
        return Watch.FINE if self.beyond_since_s is None else Watch.BEYOND

    @property
    def sentence(self) -> str:
        """For people: what is seen, and that the depth is not."""
        if self.state is Watch.UNKNOWN or self.length_mm is None:
            return "The patient's place is not known now."
        how = "within" if self.state is Watch.FINE else "beyond"
        return (
            f"Seen in the image's plane {self.length_mm:.1f} mm from the verified place, with {DEVIATIONS:g} deviations {how} "
            f"{self.limits.tolerance_mm:g} mm; along the beam unknown."
        )

    def tick(self, now_s: float) -> Watching:
        """Time passes without a frame. A clock that stands back or is no number changes no time, and holds: nothing is known by it.

        What was known before is forgotten then, for how old it is cannot be told.
        """
        if not now_s >= self.now_s:
            held = self._held(WatchAlert.UNKNOWN, since_s=self._known_until_s(), asked_s=self.now_s)
            return replace(held, judged_taken_s=None, length_mm=None, began_s=self.now_s)
        return replace(self, now_s=now_s)._due()

    def with_frame(self, frame: Frame) -> Watching:
        """A frame and its answer. What comes late tells nothing any more; numbers that were left out are counted as dropped."""
        state = self.tick(frame.answered_s)
        if state.last_number is not None and frame.number <= state.last_number:
            return replace(state, counts=replace(state.counts, late=state.counts.late + 1))
        missed = 0 if state.last_number is None else frame.number - state.last_number - 1
        counts = replace(state.counts, dropped=state.counts.dropped + missed)
        state = replace(state, last_number=frame.number)
        if not state._judges(frame):
            return replace(state, counts=replace(counts, unjudged=counts.unjudged + 1))._due()
        assert frame.seen is not None
        reach = frame.seen.length_mm + DEVIATIONS * max(frame.seen.across_sd_mm, frame.seen.along_sd_mm)
        beyond = None
        if not reach <= state.limits.tolerance_mm:
            beyond = frame.taken_s if state.beyond_since_s is None else state.beyond_since_s
        return replace(
            state,
            counts=replace(counts, judged=counts.judged + 1),
            judged_taken_s=frame.taken_s,
            length_mm=frame.seen.length_mm,
            beyond_since_s=beyond,
        )._due()

    def _judges(self, frame: Frame) -> bool:
        """Whether a frame says anything: finite, taken before its answer and within the watch, and not before one already judged."""
        if frame.seen is None or not frame.seen.finite:
            return False
        earliest = self.began_s if self.judged_taken_s is None else self.judged_taken_s
        return earliest <= frame.taken_s <= frame.answered_s <= self.now_s

    def _known_until_s(self) -> float:
        return self.began_s if self.judged_taken_s is None else self.judged_taken_s

    def _due(self) -> Watching:
        """The hold where one has become due; a displacement goes on while nothing is known."""
        if self.beyond_since_s is not None and self.now_s - self.beyond_since_s >= self.limits.beyond_s:
            due = self.beyond_since_s + self.limits.beyond_s
            return self._held(WatchAlert.DISPLACED, since_s=self.beyond_since_s, asked_s=self.now_s, due_s=due)
        if self.now_s - self._known_until_s() >= self.limits.unknown_s:
            since = self._known_until_s()
            return self._held(WatchAlert.UNKNOWN, since_s=since, asked_s=self.now_s, due_s=since + self.limits.unknown_s)
        return self

    def _held(self, why: WatchAlert, *, since_s: float, asked_s: float, due_s: float | None = None) -> Watching:
        if self.hold is not None:
            return self
        delay = asked_s - (asked_s if due_s is None else due_s)
        length = self.length_mm if why is WatchAlert.DISPLACED else None
        return replace(self, hold=Hold(why=why, since_s=since_s, asked_s=asked_s, delay_s=delay, displacement_mm=length))
