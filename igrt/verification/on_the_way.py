"""A couch on its way: whether it is anywhere between where it started and where it was sent. Pure."""

from __future__ import annotations

import math

from igrt.geometry.angles import wrap_deg
from igrt.geometry.couch_model import ANGLES, TRANSLATIONS
from igrt.verification.closing import DEFAULT_TOLERANCE, ChainTolerance, SixReadings


def astray(*, start: SixReadings, target: SixReadings, reading: SixReadings, tolerance: ChainTolerance = DEFAULT_TOLERANCE) -> list[str]:
    """By axis, in sentences, where the couch is outside the stretch from start to target: it goes the wrong way, or too far.

    An axis that reads no number is astray, for nobody knows where it goes.
    """
    found = []
    for axis in (*TRANSLATIONS, *ANGLES):
        turns = axis in ANGLES
        field, unit, limit = (f"{axis}_deg", "°", tolerance.turn_deg) if turns else (f"{axis}_mm", " mm", tolerance.shift_mm)
        at_start, there, here = (getattr(place, field) for place in (start, target, reading))
        if here is None or not math.isfinite(here):
            found.append(f"The couch does not read back its {axis} axis.")
            continue
        asked, made = (wrap_deg(there - at_start), wrap_deg(here - at_start)) if turns else (there - at_start, here - at_start)
        if not min(0.0, asked) - limit <= made <= max(0.0, asked) + limit:
            way = "too far" if asked * made > 0.0 else "the wrong way"
            found.append(f"The {axis} axis has gone {made:+.2f}{unit} of {asked:+.2f}{unit}: {way}.")
    return found
