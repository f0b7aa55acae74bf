"""How a measure is written in a sentence."""

from __future__ import annotations

import math


def figure(value: float) -> str:
    """Three significant digits, whole numbers without a point, and words for what is not finite."""
    if not math.isfinite(value):
        return "not a number"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"


def beyond_decimals(value: float, limit: float) -> int:
    """How many decimals it takes, one to three, to read that |value| is beyond `limit`: 3.04 beyond 3 is not written as 3.0."""
    for decimals in (1, 2):
        if float(f"{abs(value):.{decimals}f}") != limit:
            return decimals
    return 3
