"""The chain closed: where the couch reads back that it stands, against where it was sent, with what went wrong named by axis. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from igrt.errors import InputError
from igrt.geometry.angles import wrap_deg
from igrt.geometry.couch import motion_from_positions
from igrt.geometry.couch_model import ANGLES, TRANSLATIONS, CouchModel, CouchPosition, YawAxis
from igrt.geometry.motion import frozen_array, require_finite_fields
from igrt.geometry.words import AXES, axis_words
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level

# Within this of 0 the table's axes are said in words of the room; no correction yaws as far.
ROOM_WORDS_DEG = 10.0
# No couch reads as much (mm or degrees); NaN is not within it either.
LARGEST_READING = 1e5


class SixReadings(Protocol):
    """What a couch reads back: absolute, IEC 61217; None or NaN where an axis does not."""

    @property
    def lateral_mm(self) -> float | None:
        """Along x of the table."""

    @property
    def longitudinal_mm(self) -> float | None:
        """Along y of the table."""

    @property
    def vertical_mm(self) -> float | None:
        """Along z of the table."""

    @property
    def pitch_deg(self) -> float | None:
        """Gantry end up."""

    @property
    def roll_deg(self) -> float | None:
        """Right side down."""

    @property
    def yaw_deg(self) -> float | None:
        """Counter-clockwise seen from above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTolerance:
    """How far from the target a couch may stand, a value at a limit being within it. The defaults are also the most that may be given.

    `shift_mm` and `turn_deg` hold for each axis. `place_mm` holds for the tissue at the reference point: 0.2 degrees within the
    tolerance of a pitch move it 2 mm where the table's origin is 600 mm away.
    """

    shift_mm: float = 0.5
    turn_deg: float = 0.2
    place_mm: float = 1.0

    def __post_init__(self) -> None:
        require_finite_fields(self, "chain tolerance", error=InputError)
        for name, most in (("shift_mm", 0.5), ("turn_deg", 0.2), ("place_mm", 1.0)):
            if not 0.0 < getattr(self, name) <= most:
                raise InputError(f"chain tolerance: {name} is {getattr(self, name):g}; give more than 0 and at most {most:g}")


DEFAULT_TOLERANCE = ChainTolerance()


class _Axis(NamedTuple):
    """One axis of a move: `asked` and `made` from where it started, `off` the difference, `target` and `start` absolute; mm or degrees."""

    name: str
    start: float
    target: float
    asked: float
    made: float
    off: float
    limit: float

    def way(self, move: float) -> float:
        """A displacement as this axis counts it: a turn within half a circle."""
        return wrap_deg(move) if self.name in ANGLES else move

    def is_near(self, move: float, other: float) -> bool:
        """Whether two displacements are the same within the limit."""
        return abs(self.way(move - other)) <= self.limit

    def is_told_from_asked(self, move: float) -> bool:
        """Whether a reading within the limit of this displacement cannot be one within the limit of what was asked."""
        return abs(self.way(move - self.asked)) > 2.0 * self.limit


class _Mistake(NamedTuple):
    """A known mistake: the displacement that it makes of a move, on which axes, and how it is said."""

    code: str
    axes: tuple[str, ...]
    makes: Callable[[_Axis], float]
    words: str


_ALL = (*TRANSLATIONS, *ANGLES)
# The nearest that explains a move is named, and the first of equals. The later rows are of a target that was read on another scale.
_MISTAKES: Sequence[_Mistake] = (
    _Mistake("chain_sign", _ALL, lambda axis: -axis.asked, "the {axis} axis has the wrong sign"),
    _Mistake("chain_stayed", _ALL, lambda _: 0.0, "the {axis} axis did not move"),
    _Mistake("chain_scale", TRANSLATIONS, lambda axis: axis.asked * 10.0, "the {axis} axis took millimetres for centimetres"),
    _Mistake("chain_scale", TRANSLATIONS, lambda axis: axis.asked / 10.0, "the {axis} axis took centimetres for millimetres"),
    _Mistake("chain_scale", ANGLES, lambda axis: math.radians(axis.asked), "the {axis} axis took radians for degrees"),
    _Mistake("chain_scale", ANGLES, lambda axis: math.degrees(axis.asked), "the {axis} axis took degrees for radians"),
    _Mistake("chain_sign", _ALL, lambda axis: -axis.target - axis.start, "the scale of the {axis} axis has the wrong sign"),
    _Mistake("chain_sign", ("yaw",), lambda axis: 180.0 - axis.target - axis.start, "the scale of the {axis} axis counts down from 180°"),
    _Mistake("chain_scale", TRANSLATIONS, lambda axis: axis.target * 10.0 - axis.start, "the {axis} axis stands at ten times the target"),
    _Mistake("chain_scale", TRANSLATIONS, lambda axis: axis.target / 10.0 - axis.start, "the {axis} axis stands at a tenth of the target"),
)


def close_chain(
    *,
    start: CouchPosition,
    target: CouchPosition,
    achieved: SixReadings,
    model: CouchModel,
    table_angle_deg: float,
    reference_mm: ArrayLike = (0.0, 0.0, 0.0),
    tolerance: ChainTolerance = DEFAULT_TOLERANCE,
) -> tuple[Finding, ...]:
    """Findings of level stop where the couch does not stand where it was sent; none where it does.

    `start` is the read-back before the move and `table_angle_deg` the turntable's, used where the table top yaws. An axis that went the
    wrong way, was taken for another, or went a multiple is named so; what cannot be told from one move is said as what was seen. Last
    comes the tissue at `reference_mm` (3,) (fixed mm, where it belongs), which small errors far away add up to.
    """
    readings = {field: getattr(achieved, field) for field in _FIELDS.values()}
    unreadable = [field for field, value in readings.items() if value is None or not abs(value) <= LARGEST_READING]
    if unreadable:
        return tuple(_unreadable(field, readings[field]) for field in unreadable)
    stands = CouchPosition(**readings)
    axes = [_axis(name, start, target, stands, tolerance) for name in _ALL]
    off = [axis for axis in axes if not abs(axis.off) <= axis.limit]
    table_deg = start.yaw_deg if model.yaw_axis is YawAxis.TURNTABLE else table_angle_deg
    in_room = abs(wrap_deg(table_deg)) <= ROOM_WORDS_DEG
    pairs = _exchanged(off)
    alone = [axis for axis in off if not any(axis in pair for pair in pairs)]
    findings = [_stop(*_swapped(pair, in_room), pair[0]) for pair in pairs] + [_stop(*_wrong(axis, in_room), axis) for axis in alone]
    moved = motion_from_positions(target, stands, model, table_angle_deg=table_angle_deg)
    reference = frozen_array(reference_mm, (3,), "reference_mm")
    return (*findings, *_misplaced(float(np.linalg.norm(moved.apply(reference) - reference)), tolerance.place_mm))


_FIELDS = {axis: f"{axis}_mm" for axis in TRANSLATIONS} | {axis: f"{axis}_deg" for axis in ANGLES}


def _axis(name: str, start: CouchPosition, target: CouchPosition, stands: CouchPosition, tolerance: ChainTolerance) -> _Axis:
    field = _FIELDS[name]
    return _Axis(
        name=name,
        start=getattr(start, field),
        target=getattr(target, field),
        asked=getattr(target.minus(start), field),
        made=getattr(stands.minus(start), field),
        off=getattr(stands.minus(target), field),
        limit=tolerance.turn_deg if name in ANGLES else tolerance.shift_mm,
    )


def _exchanged(off: Sequence[_Axis]) -> list[tuple[_Axis, _Axis]]:
    """The pairs of shifts, or of turns, that each made what was asked of the other, as it was or turned round; an axis in one pair only.

    Two axes that each went by the opposite of what was asked of them both are two wrong signs, not an exchange.
    """
    pairs: list[tuple[_Axis, _Axis]] = []
    for one, other in combinations(off, 2):
        alike = (one.name in ANGLES) == (other.name in ANGLES)
        free = not any(axis in pair for axis in (one, other) for pair in pairs)
        signs = one.is_near(one.made, -one.asked) and other.is_near(other.made, -other.asked)
        if alike and free and not signs and _took(one, other.asked) and _took(other, one.asked):
            pairs.append((one, other))
    return pairs


def _took(axis: _Axis, move: float) -> bool:
    """Whether the axis made a move that was not asked of it, as it was or turned round."""
    return any(axis.is_near(axis.made, taken) and axis.is_told_from_asked(taken) for taken in (move, -move))


def _swapped(pair: tuple[_Axis, _Axis], in_room: bool) -> tuple[str, str]:
    one, other = pair
    reason = f"the {one.name} and {other.name} axes are taken for each other"
    turned = [axis.name for axis, move in ((one, other.asked), (other, one.asked)) if not axis.is_near(axis.made, move)]
    if turned:
        reason += f", {' and '.join(turned)} with the wrong sign"
    made, asked = (" and ".join(_said(axis.name, move, in_room) for axis, move in zip(pair, moves, strict=True)) for moves in _moves(pair))
    return "chain_swapped", f"The couch {_verb(one)} {made} where {asked} was asked: {reason}."


def _moves(pair: tuple[_Axis, _Axis]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(axis.made for axis in pair), tuple(axis.asked for axis in pair)


def _wrong(axis: _Axis, in_room: bool) -> tuple[str, str]:
    """Code and sentence for an axis that is off by itself."""
    code, reason = _reason(axis)
    made, asked = _said(axis.name, axis.made, in_room), _said(axis.name, axis.asked, in_room)
    return code, f"The couch {_verb(axis)} {made} where {asked} was asked: {reason}."


def _reason(axis: _Axis) -> tuple[str, str]:
    """The known mistake that comes nearest to what the axis made, or else what was seen."""
    possible = [mistake for mistake in _MISTAKES if axis.name in mistake.axes]
    mistake = min(possible, key=lambda row: abs(axis.way(row.makes(axis) - axis.made)))
    if axis.is_near(mistake.makes(axis), axis.made) and axis.is_told_from_asked(mistake.makes(axis)):
        return mistake.code, mistake.words.format(axis=axis.name)
    if abs(axis.asked) <= axis.limit:
        return "chain_stray", f"the {axis.name} axis moved by itself"
    part = axis.made / axis.asked
    if part < 0.0 and not abs(axis.made) <= axis.limit:
        return "chain_sign", f"the {axis.name} axis went the wrong way"
    if part < 1.0:
        return "chain_short", f"the {axis.name} axis stopped after {part:.2f} of the way, or its scale is wrong"
    return "chain_scale", f"the {axis.name} axis went {part:.2f} times as far"


def _verb(axis: _Axis) -> str:
    return "turned" if axis.name in ANGLES else "moved"


def _said(axis: str, move: float, in_room: bool) -> str:
    """Such as "5.0 mm toward gantry", or "longitudinal +5.0 mm (table axes)" where those are not the room's."""
    if in_room:
        return axis_words(axis, move).removeprefix(f"{AXES[axis].subject} ")
    return f"{axis} {move:+.1f}{AXES[axis].unit} (table axes)"


def _stop(code: str, sentence: str, axis: _Axis) -> Finding:
    return found(code, sentence, level=Level.STOP, value=axis.off, limit=axis.limit, unit=AXES[axis.name].unit.strip())


def _unreadable(field: str, value: float | None) -> Finding:
    return found("chain_unreadable", f"The couch reads back {value} as its {field}: where it stands is not known.", level=Level.STOP)


def _misplaced(distance_mm: float, limit_mm: float) -> tuple[Finding, ...]:
    if distance_mm <= limit_mm:
        return ()
    sentence = f"As the couch stands, the tissue to be treated is {distance_mm:.1f} mm from where the target would have put it."
    return (found("chain_place", sentence, level=Level.STOP, value=distance_mm, limit=limit_mm, unit="mm"),)
