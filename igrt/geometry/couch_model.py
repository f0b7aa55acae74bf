"""A couch as its makers describe it: degrees of freedom, ranges and steps; and an absolute position of it (docs/geometry.md, "Couch")."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from igrt.errors import InputError
from igrt.geometry.angles import wrap_deg
from igrt.geometry.motion import frozen_array, require_finite_fields

TRANSLATIONS = ("lateral", "longitudinal", "vertical")
ANGLES = ("pitch", "roll", "yaw")
# The angles that a couch of so many degrees of freedom can turn; every couch shifts along all three axes.
TURNED_ANGLES: dict[int, tuple[str, ...]] = {6: ("pitch", "roll", "yaw"), 4: ("yaw",), 3: ()}
# Where a limit or a count of steps is reached up to rounding of floats.
TOLERANCE = 1e-9


class YawAxis(StrEnum):
    """Which part of the couch yaws for a correction: the turntable (IEC support) or the table top about its own origin."""

    TURNTABLE = "turntable"
    TABLETOP = "tabletop"


@dataclass(frozen=True, slots=True)
class AxisRange:
    """The absolute positions that an axis can take (mm or degrees): from minimum to maximum, multiples of `step` (0: any)."""

    minimum: float
    maximum: float
    step: float

    def __post_init__(self) -> None:
        require_finite_fields(self, "axis range", error=InputError)
        if not self.minimum < self.maximum:
            raise InputError(f"axis range: minimum {self.minimum:g} is not below maximum {self.maximum:g}; swap or correct them")
        if not 0.0 <= self.step <= self.maximum - self.minimum:
            raise InputError(
                f"axis range: step is {self.step:g}; give 0 (any position) or a step of at most the range, {self.maximum - self.minimum:g}"
            )

    def clamp(self, value: float) -> float:
        """The nearest value within the range."""
        return min(max(value, self.minimum), self.maximum)

    def settle(self, value: float) -> float:
        """The nearest position that the axis can take: within the range and on a multiple of the step."""
        if self.step == 0.0:
            return self.clamp(value)
        lowest = math.ceil(self.minimum / self.step - TOLERANCE)
        highest = math.floor(self.maximum / self.step + TOLERANCE)
        return self.clamp(min(max(round(value / self.step), lowest), highest) * self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchModel:
    """A couch: its degrees of freedom (6, 4 or 3), which part yaws, the range of every axis (absolute, IEC 61217 scale).

    `yaw` is the turntable's range, or the table top's own where `yaw_axis` is `TABLETOP`. `turntable_axis_mm` is a point of the
    vertical axis that the turntable really turns about, in fixed coordinates (its z is of no consequence).
    """

    name: str
    degrees_of_freedom: int
    yaw_axis: YawAxis
    lateral: AxisRange
    longitudinal: AxisRange
    vertical: AxisRange
    pitch: AxisRange
    roll: AxisRange
    yaw: AxisRange
    turntable_axis_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.degrees_of_freedom not in TURNED_ANGLES:
            raise InputError(f"couch {self.name}: degrees_of_freedom is {self.degrees_of_freedom}; give 6, 4 or 3")
        if self.yaw_axis not in list(YawAxis):
            raise InputError(f"couch {self.name}: yaw_axis is {self.yaw_axis!r}; give one of {', '.join(YawAxis)}")
        object.__setattr__(self, "yaw_axis", YawAxis(self.yaw_axis))
        for axis in TRANSLATIONS + ANGLES:
            if not isinstance(getattr(self, axis), AxisRange):
                raise InputError(f"couch {self.name}: {axis} is not a range; give minimum, maximum and step")
        try:
            axis_mm = frozen_array(self.turntable_axis_mm, (3,), f"couch {self.name}: turntable_axis_mm")
        except (TypeError, ValueError) as error:
            raise InputError(f"couch {self.name}: turntable_axis_mm is {self.turntable_axis_mm!r}; give three finite numbers") from error
        object.__setattr__(self, "turntable_axis_mm", tuple(axis_mm.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchPosition:
    """An absolute couch position, or a difference of two, in table axes on the IEC 61217 scale; all finite.

    `yaw_deg` is the patient support angle; for a couch whose table top yaws, the table top's own angle on the turntable.
    """

    lateral_mm: float
    longitudinal_mm: float
    vertical_mm: float
    pitch_deg: float
    roll_deg: float
    yaw_deg: float

    def __post_init__(self) -> None:
        require_finite_fields(self, "couch position", error=InputError)

    def minus(self, other: CouchPosition) -> CouchPosition:
        """The difference axis by axis, angles within (-180, 180]."""
        lengths = {f"{axis}_mm": getattr(self, f"{axis}_mm") - getattr(other, f"{axis}_mm") for axis in TRANSLATIONS}
        angles = {f"{axis}_deg": wrap_deg(getattr(self, f"{axis}_deg") - getattr(other, f"{axis}_deg")) for axis in ANGLES}
        return CouchPosition(**lengths, **angles)
