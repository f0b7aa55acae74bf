"""How a measure is written in a sentence."""

from __future__ import annotations

import math


def figure(value: float) -> str:
    """Three significant digits, whole numbers without a point, and words for what is not finite."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"
