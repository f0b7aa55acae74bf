"""Whether an image must show that a correction was right before the beam, and when to give up correcting. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from igrt.errors import InputError
from igrt.geometry.setup import Correction
from igrt.verification.codes import found
from igrt.verification.correction import whole_angle_deg
from igrt.verification.figures import beyond_decimals
from igrt.verification.findings import Finding, Level

SHIFT_MM = 10.0
TURN_DEG = 2.0
ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """When a verification image is required; the defaults of the three limits are also the most that may be given.

    `always`: after the first correction of a set-up, however small. `shift_mm` and `turn_deg`: after a correction by more than that, its
    whole length or angle. `rounds`: so many verification images may be taken of one set-up.
    """

    always: bool = False
    shift_mm: float = SHIFT_MM
    turn_deg: float = TURN_DEG
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        for name, most in (("shift_mm", SHIFT_MM), ("turn_deg", TURN_DEG)):
            if not 0.0 <= getattr(self, name) <= most:
                raise InputError(f"verification image: {name} is {getattr(self, name)}; give 0 to {most:g}")
        if self.rounds not in range(1, ROUNDS + 1):
            raise InputError(f"verification image: rounds is {self.rounds}; give a whole number from 1 to {ROUNDS}")


DEFAULT_POLICY = ImagePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A correction that the couch has made, or was making when it stopped; `limited` are the axes that a limit held back.

    `made` is the motion of the patient about the isocentre, not that of the table's origin.
    """

    made: Correction
    manual_match: bool
    overridden: bool
    limited: tuple[str, ...]
    interrupted: bool

    @property
    def shift_mm(self) -> float:
        """Length of the shift."""
        return math.hypot(self.made.lateral_mm, self.made.longitudinal_mm, self.made.vertical_mm)

    @property
    def turn_deg(self) -> float:
        """Whole angle of the turn."""
        return whole_angle_deg(self.made.motion.rotation)


class _Cause(NamedTuple):
    """What makes an image necessary, in words, and the measure over its limit where it is one."""

    words: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""


def verification_image(move: Move, *, images_taken: int, policy: ImagePolicy = DEFAULT_POLICY) -> tuple[Finding, ...]:
    """Why an image is required after this move, one finding of level warn for each cause; empty where none is.

    `images_taken` are the verification images of this set-up so far, the one that led to this move included. Once there are as many as
    the policy allows and a further one would be required, there is one finding of level stop instead: set the patient up again.
    ValueError where the count is negative.
    """
    if images_taken < 0:
        raise ValueError(f"images_taken is {images_taken}; give 0 or more")
    causes = list(_causes(move, policy, first=images_taken == 0))
    if causes and images_taken >= policy.rounds:
        why = "; ".join(cause.words for cause in causes)
        sentence = f"After {images_taken} verification images a further one would be required: {why}."
        taken, most = float(images_taken), float(policy.rounds)
        return (found("verification_rounds", sentence, level=Level.STOP, value=taken, limit=most, unit="images"),)
    return tuple(
        found(
            "verification_image",
            f"A verification image is required before the beam: {cause.words}.",
            level=Level.WARN,
            value=cause.value,
            limit=cause.limit,
            unit=cause.unit,
        )
        for cause in causes
    )


def _causes(move: Move, policy: ImagePolicy, *, first: bool) -> Iterator[_Cause]:
    """Each asks for an image by itself."""
    if policy.always and first:
        yield _Cause("the protocol asks for it after the first correction")
    if not move.shift_mm <= policy.shift_mm:
        decimals = beyond_decimals(move.shift_mm, policy.shift_mm)
        words = f"the patient was moved by {move.shift_mm:.{decimals}f} mm, more than {policy.shift_mm:g} mm"
        yield _Cause(words, move.shift_mm, policy.shift_mm, "mm")
    if not move.turn_deg <= policy.turn_deg:
        decimals = beyond_decimals(move.turn_deg, policy.turn_deg)
        words = f"the patient was turned by {move.turn_deg:.{decimals}f}°, more than {policy.turn_deg:g}°"
        yield _Cause(words, move.turn_deg, policy.turn_deg, "°")
    if move.manual_match:
        yield _Cause("the match was made by hand")
    if move.overridden:
        yield _Cause("a verdict was set aside")
    if move.limited:
        yield _Cause(f"limits of the couch held back {', '.join(move.limited)}")
    if move.interrupted:
        yield _Cause("the move was interrupted")
