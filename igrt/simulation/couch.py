"""A couch that is not there: it drives its axes, one speed each, and carries what lies on it by trigonometry of its own.

A couch target that geometry's matrices gave is applied here without them, so that a mistake made there is not made here too: points are
carried one at a time in plain numbers, and a turn adds an angle to a bearing. Lengths are mm, angles degrees, room axes IEC 61217 fixed
(x right seen facing the gantry, y toward the gantry, z up). The order of the turns is that of docs/geometry.md, "The chain".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Point = tuple[float, float, float]

SHIFTS = ("lateral_mm", "longitudinal_mm", "vertical_mm")
TURNS = ("pitch_deg", "roll_deg", "yaw_deg")
AXES = SHIFTS + TURNS
SHIFT_SPEED_MM_S = 20.0
TURN_SPEED_DEG_S = 1.0
# What a couch of so many degrees of freedom can turn.
_TURNED: Mapping[int, tuple[str, ...]] = {6: TURNS, 4: ("yaw_deg",), 3: ()}


class SixAxes(Protocol):
    """Six numbers by axis: an absolute couch position, or a displacement."""

    @property
    def lateral_mm(self) -> float:
        """Along x of the table."""

    @property
    def longitudinal_mm(self) -> float:
        """Along y of the table."""

    @property
    def vertical_mm(self) -> float:
        """Along z of the table."""

    @property
    def pitch_deg(self) -> float:
        """Gantry end up."""

    @property
    def roll_deg(self) -> float:
        """Right side down."""

    @property
    def yaw_deg(self) -> float:
        """Counter-clockwise seen from above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """One axis: where its travel ends, the steps it stops at (0: anywhere), and its speed; mm or degrees, and seconds."""

    lowest: float = -math.inf
    highest: float = math.inf
    step: float = 0.0
    speed_per_s: float

    def __post_init__(self) -> None:
        if not self.lowest < self.highest or not self.step >= 0.0 or not self.speed_per_s > 0.0:
            raise ValueError(f"drive {self}: give lowest < highest, a step of 0 or more and a speed above 0")

    def stop_for(self, asked: float) -> float:
        """Where the axis comes to rest when it is sent to `asked`: on a step, and held by the end of its travel."""
        stop = round(asked / self.step) * self.step if self.step else asked
        return min(max(stop, self.lowest), self.highest)


def _require_axes(names: Iterable[str], what: str) -> None:
    for name in names:
        if name not in AXES:
            raise ValueError(f"{what} names the axis {name!r}; give one of {', '.join(AXES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanics:
    """How a couch is built.

    `drives` are the axes that can move; any other stays. `top_yaws`: the table top yaws by itself, on a turntable that stays.
    `turntable_axis_mm` is where the vertical axis of the turntable passes in the room, `eccentric_mm` and `eccentric_deg` are the
    eccentric's between turntable and table top.
    """

    drives: Mapping[str, Drive]
    top_yaws: bool = False
    turntable_axis_mm: tuple[float, float] = (0.0, 0.0)
    eccentric_mm: float = 0.0
    eccentric_deg: float = 0.0

    def __post_init__(self) -> None:
        _require_axes(self.drives, "drives")


def simple_mechanics(
    *,
    degrees_of_freedom: int = 6,
    step_mm: float = 0.0,
    step_deg: float = 0.0,
    top_yaws: bool = False,
    turntable_axis_mm: tuple[float, float] = (0.0, 0.0),
) -> Mechanics:
    """A couch of 6, 4 or 3 degrees of freedom without ends of travel, all shifts and all turns alike."""
    if degrees_of_freedom not in _TURNED:
        raise ValueError(f"degrees_of_freedom is {degrees_of_freedom}; give 6, 4 or 3")
    drives = {axis: Drive(step=step_mm, speed_per_s=SHIFT_SPEED_MM_S) for axis in SHIFTS}
    drives |= {axis: Drive(step=step_deg, speed_per_s=TURN_SPEED_DEG_S) for axis in _TURNED[degrees_of_freedom]}
    return Mechanics(drives=drives, top_yaws=top_yaws, turntable_axis_mm=turntable_axis_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the way a couch makes a move. Axes are named as in `AXES`.

    The displacement that was asked for is `swapped` between two axes, turned round on the axes `flipped`, multiplied by `scale`; where the
    axis comes to rest, `offset` is added; and the move breaks off `after` this part of its time.
    """

    flipped: frozenset[str] = frozenset()
    swapped: tuple[str, str] | None = None
    scale: Mapping[str, float] = field(default_factory=dict)
    offset: Mapping[str, float] = field(default_factory=dict)
    after: float = 1.0

    def __post_init__(self) -> None:
        for name in ("flipped", "swapped", "scale", "offset"):
            _require_axes(getattr(self, name) or (), name)
        if self.swapped is not None and (len({axis in SHIFTS for axis in self.swapped}) != 1 or self.swapped[0] == self.swapped[1]):
            raise ValueError(f"fault: swapped is {self.swapped}; give two shifts or two turns")
        for name in ("scale", "offset"):
            for axis, value in getattr(self, name).items():
                if not math.isfinite(value):
                    raise ValueError(f"fault: {name} of {axis} is {value}; give a finite number")
        if not 0.0 <= self.after <= 1.0:
            raise ValueError(f"fault: after is {self.after}; give a part of the move's time, 0 to 1")

    def displacement(self, asked: Mapping[str, float]) -> dict[str, float]:
        """What the couch is driven by instead of `asked`."""
        driven = dict(asked)
        if self.swapped is not None:
            one, other = self.swapped
            driven[one], driven[other] = asked[other], asked[one]
        return {axis: value * self.scale.get(axis, 1.0) * (-1.0 if axis in self.flipped else 1.0) for axis, value in driven.items()}


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCouch:
    """A couch where it stands: absolute, in table axes. `turntable_deg` is the turntable's angle where the table top yaws by itself."""

    mechanics: Mechanics
    lateral_mm: float
    longitudinal_mm: float
    vertical_mm: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    turntable_deg: float = 0.0

    def __post_init__(self) -> None:
        for axis in (*AXES, "turntable_deg"):
            if not math.isfinite(getattr(self, axis)):
                raise ValueError(f"simulated couch: {axis} is {getattr(self, axis)}; give a finite number")

    def reading(self) -> dict[str, float]:
        """What the couch reads back: the six axes by name."""
        return {axis: getattr(self, axis) for axis in AXES}

    def move_to(self, target: SixAxes, *, fault: Fault = NO_FAULT) -> Run:
        """The move to an absolute target; ValueError where the target is not finite. What the couch cannot do it leaves undone."""
        asked = {axis: getattr(target, axis) - getattr(self, axis) for axis in AXES}
        for axis, value in asked.items():
            if not math.isfinite(value):
                raise ValueError(f"simulated couch: the target's {axis} is {getattr(target, axis)}; give a finite number")
        driven = fault.displacement(asked)
        stops = self.reading()
        for axis, drive in self.mechanics.drives.items():
            stops[axis] = drive.stop_for(stops[axis] + driven[axis]) + fault.offset.get(axis, 0.0)
        return Run(start=self, stops=stops, after=fault.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A move: every axis starts at once and runs at its own speed until it stops; it breaks off `after` a part of the time."""

    start: SimulatedCouch
    stops: Mapping[str, float]
    after: float

    @property
    def duration_s(self) -> float:
        """Until the last axis stops, or the move breaks off."""
        drives = self.start.mechanics.drives
        return self.after * max((abs(self._way(axis)) / drive.speed_per_s for axis, drive in drives.items()), default=0.0)

    @property
    def end(self) -> SimulatedCouch:
        """The couch when it has come to rest."""
        return self.at(self.duration_s)

    def at(self, seconds: float) -> SimulatedCouch:
        """The couch this long after the start, at rest from `duration_s` on; ValueError where the time is negative or NaN."""
        if not seconds >= 0.0:
            raise ValueError(f"a move is asked for at {seconds} s; give 0 or more")
        run_s = min(seconds, self.duration_s)
        places = self.start.reading() | {axis: self._place(axis, run_s) for axis in self.start.mechanics.drives}
        return SimulatedCouch(mechanics=self.start.mechanics, turntable_deg=self.start.turntable_deg, **places)

    def _way(self, axis: str) -> float:
        way: float = self.stops[axis] - getattr(self.start, axis)
        return way

    def _place(self, axis: str, run_s: float) -> float:
        way, run = self._way(axis), self.start.mechanics.drives[axis].speed_per_s * run_s
        # The part of the way that is left is less than rounding: the axis is there.
        if run >= abs(way) * (1.0 - 1e-12):
            return self.stops[axis]
        here: float = getattr(self.start, axis)
        return here + math.copysign(run, way)


def room_from_table(point_mm: Sequence[float], couch: SimulatedCouch) -> Point:
    """Where a point fixed to the table top is in the room."""
    build = couch.mechanics
    top_yaw_deg, turntable_deg = (couch.yaw_deg, couch.turntable_deg) if build.top_yaws else (0.0, couch.yaw_deg)
    x, y, z = turned(point_mm, pitch_deg=couch.pitch_deg, roll_deg=couch.roll_deg, yaw_deg=top_yaw_deg)
    x, y, z = x + couch.lateral_mm, y + couch.longitudinal_mm, z + couch.vertical_mm
    x, y = swung(x, y, build.eccentric_deg)
    aside, along = build.turntable_axis_mm
    x, y = swung(x - aside, y + build.eccentric_mm - along, turntable_deg)
    return x + aside, y + along, z


def table_from_room(point_mm: Sequence[float], couch: SimulatedCouch) -> Point:
    """Where a point of the room is on the table top: the way of `room_from_table` back."""
    build = couch.mechanics
    top_yaw_deg, turntable_deg = (couch.yaw_deg, couch.turntable_deg) if build.top_yaws else (0.0, couch.yaw_deg)
    x, y, z = point_mm
    aside, along = build.turntable_axis_mm
    x, y = swung(x - aside, y - along, -turntable_deg)
    x, y = swung(x + aside, y + along - build.eccentric_mm, -build.eccentric_deg)
    x, y, z = x - couch.lateral_mm, y - couch.longitudinal_mm, z - couch.vertical_mm
    x, y = swung(x, y, -top_yaw_deg)
    y, z = swung(y, z, -couch.pitch_deg)
    z, x = swung(z, x, -couch.roll_deg)
    return x, y, z


def carry(points_mm: Iterable[Sequence[float]], *, start: SimulatedCouch, now: SimulatedCouch) -> tuple[Point, ...]:
    """Where points of the room that lay on the couch at `start` are now, in the room."""
    return tuple(room_from_table(table_from_room(point, start), now) for point in points_mm)


def turned(point_mm: Sequence[float], *, pitch_deg: float, roll_deg: float, yaw_deg: float) -> Point:
    """Rolled (z toward x), then pitched (y toward z), then yawed (x toward y), about the origin."""
    x, y, z = point_mm
    z, x = swung(z, x, roll_deg)
    y, z = swung(y, z, pitch_deg)
    x, y = swung(x, y, yaw_deg)
    return x, y, z


def swung(a: float, b: float, angle_deg: float) -> tuple[float, float]:
    """Two coordinates turned from the first axis toward the second: the distance stays, the bearing grows by the angle."""
    distance, bearing = math.hypot(a, b), math.atan2(b, a) + math.radians(angle_deg)
    return distance * math.cos(bearing), distance * math.sin(bearing)
