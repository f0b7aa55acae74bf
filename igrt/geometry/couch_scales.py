"""Couch positions as a vendor's console shows them, to and from IEC 61217: one table of scales, docs/couch-scales.md has the sources.

The bus, the guard and everything else speak IEC 61217 in mm and degrees; the adapter of a linac converts once, at its edge. A scale is
here where public sources agree on it, and only as far as they agree: a reading beyond that is refused, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from igrt.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisScale:
    """One axis: shown = offset + sign * iec / unit, modulo `wrap` where the console wraps.

    `unit` is mm (or degrees) of one shown unit; `offset` and `wrap` are in shown units. `lowest` and `highest` are the IEC 61217 values
    (mm or degrees) on which the sources agree; where the scale wraps they span less than one turn of it, so that no reading has two
    meanings.
    """

    unit: float
    sign: int
    offset: float
    lowest: float
    highest: float
    wrap: float | None = None

    def __post_init__(self) -> None:
        if self.wrap is not None and not self.highest - self.lowest <= self.wrap * self.unit:
            raise ValueError(f"from {self.lowest} to {self.highest} a reading that wraps at {self.wrap} has two meanings; narrow the range")

    def shown(self, value: float, *, name: str) -> float:
        """What the console shows for an IEC 61217 value; InputError where the scale is not known to reach it."""
        if not self.lowest <= value <= self.highest:
            raise InputError(
                f"{name} is {value}; this scale is known from {self.lowest:g} to {self.highest:g} in IEC 61217, convert no other"
            )
        shown = self.offset + self.sign * value / self.unit
        return shown if self.wrap is None else shown % self.wrap

    def value(self, shown: float, *, name: str) -> float:
        """The IEC 61217 value (mm or degrees) of a reading; InputError where the reading has no meaning, or none that is agreed on."""
        if not math.isfinite(shown):
            raise InputError(f"{name} reads {shown}; give the finite number that the console shows")
        if self.wrap is None:
            return self._within(self.sign * (shown - self.offset) * self.unit, shown, name)
        if not 0.0 <= shown <= self.wrap:
            raise InputError(f"{name} reads {shown}; this scale shows 0 to {self.wrap:g}, look for another scale or unit")
        turn = self.wrap * self.unit
        value = self.sign * (shown - self.offset) * self.unit
        return self._within(self.lowest + (value - self.lowest) % turn, shown, name)

    def _within(self, value: float, shown: float, name: str) -> float:
        if not self.lowest <= value <= self.highest:
            raise InputError(
                f"{name} reads {shown}, which is no agreed position between {self.lowest:g} and {self.highest:g} in IEC 61217; "
                "look for another scale or unit, or for a wrap that is not known"
            )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCouch:
    """As the console shows it, in the units of its scale."""

    lateral: float
    longitudinal: float
    vertical: float
    table_angle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IecCouch:
    """IEC 61217 table top and patient support."""

    lateral_mm: float
    longitudinal_mm: float
    vertical_mm: float
    table_angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchScale:
    """A vendor's scale. Pitch and roll have none here: no public source says how any but IEC 61217 counts them."""

    lateral: AxisScale
    longitudinal: AxisScale
    vertical: AxisScale
    table_angle: AxisScale

    def iec(self, shown: ShownCouch) -> IecCouch:
        """What the console shows, in IEC 61217; InputError naming the axis that cannot be converted."""
        return IecCouch(
            lateral_mm=self.lateral.value(shown.lateral, name="lateral"),
            longitudinal_mm=self.longitudinal.value(shown.longitudinal, name="longitudinal"),
            vertical_mm=self.vertical.value(shown.vertical, name="vertical"),
            table_angle_deg=self.table_angle.value(shown.table_angle, name="table angle"),
        )

    def shown(self, couch: IecCouch) -> ShownCouch:
        """IEC 61217 as the console shows it; InputError naming the axis that cannot be converted."""
        return ShownCouch(
            lateral=self.lateral.shown(couch.lateral_mm, name="lateral_mm"),
            longitudinal=self.longitudinal.shown(couch.longitudinal_mm, name="longitudinal_mm"),
            vertical=self.vertical.shown(couch.vertical_mm, name="vertical_mm"),
            table_angle=self.table_angle.shown(couch.table_angle_deg, name="table_angle_deg"),
        )


CM = 10.0
_ANGLE = {"unit": 1.0, "lowest": -180.0, "highest": 180.0, "wrap": 360.0}
_TRAVEL = {"unit": CM, "lowest": -2500.0, "highest": 2500.0}

SCALES: Mapping[str, CouchScale] = {
    "iec61217": CouchScale(
        lateral=AxisScale(unit=1.0, sign=1, offset=0.0, lowest=-2500.0, highest=2500.0),
        longitudinal=AxisScale(unit=1.0, sign=1, offset=0.0, lowest=-2500.0, highest=2500.0),
        vertical=AxisScale(unit=1.0, sign=1, offset=0.0, lowest=-2500.0, highest=2500.0),
        table_angle=AxisScale(sign=1, offset=0.0, **_ANGLE),
    ),
    "varian_standard": CouchScale(
        lateral=AxisScale(unit=CM, sign=1, offset=100.0, lowest=-500.0, highest=500.0),
        longitudinal=AxisScale(sign=1, offset=0.0, **_TRAVEL),
        vertical=AxisScale(unit=CM, sign=-1, offset=100.0, lowest=-900.0, highest=900.0),
        table_angle=AxisScale(sign=-1, offset=180.0, **_ANGLE),
    ),
    "varian_iec": CouchScale(
        lateral=AxisScale(unit=CM, sign=1, offset=0.0, lowest=-500.0, highest=500.0, wrap=1000.0),
        longitudinal=AxisScale(sign=1, offset=0.0, **_TRAVEL),
        # Above the isocentre the sources disagree (995 or 1005 for 5 cm), so that no reading of a couch above it is converted.
        vertical=AxisScale(unit=CM, sign=-1, offset=0.0, lowest=-900.0, highest=0.0, wrap=1000.0),
        table_angle=AxisScale(sign=-1, offset=0.0, **_ANGLE),
    ),
}


def scale(name: str) -> CouchScale:
    """A row of the table; InputError where there is none, for a scale is not guessed."""
    try:
        return SCALES[name]
    except KeyError:
        raise InputError(f"couch scale {name!r} is not known; known are {', '.join(SCALES)}, convert any other to one of them") from None
