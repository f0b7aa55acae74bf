"""Directions of the room in words, beside the numbers: the same whatever the patient position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class AxisWords(NamedTuple):
    """How one axis of a motion is said: before the number, its unit, and after it by sign."""

    subject: str
    unit: str
    positive: str
    negative: str
    zero: str


# IEC 61217 fixed axes (docs/geometry.md): x to the right seen facing the gantry, y toward the gantry, z up.
AXES: Mapping[str, AxisWords] = {
    "lateral": AxisWords("couch", " mm", "to the right, seen facing the gantry", "to the left, seen facing the gantry", "laterally"),
    "longitudinal": AxisWords("couch", " mm", "toward gantry", "away from gantry", "longitudinally"),
    "vertical": AxisWords("couch", " mm", "up", "down", "vertically"),
    "pitch": AxisWords("pitch", "°", "gantry end up", "gantry end down", ""),
    "roll": AxisWords("roll", "°", "right side down, seen facing the gantry", "left side down, seen facing the gantry", ""),
    "yaw": AxisWords("yaw", "°", "counter-clockwise seen from above", "clockwise seen from above", ""),
}


def axis_words(axis: str, value: float, *, decimals: int = 1) -> str:
    """Such as "couch 5.0 mm toward gantry": a motion of `value` (mm or degrees, fixed axes) along or about a row of `AXES`.

    What rounds to zero has no direction. ValueError where `value` is not finite, KeyError where there is no such axis.
    """
    if not math.isfinite(value):
        raise ValueError(f"{axis} is {value}; give a finite number")
    row = AXES[axis]
    number = f"{abs(value):.{decimals}f}"
    signed = row.positive if value > 0 else row.negative
    direction = row.zero if float(number) == 0.0 else signed
    return f"{row.subject} {number}{row.unit} {direction}".rstrip()
