"""Lines and points on linear or logarithmic axes as an SVG text, without a plotting library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from scatter import COLOURS

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 440, 70, 250, 20, 50


@dataclass(frozen=True)
class Series:
    """A line through points."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, drawn from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """Place of a value; what lies off the axis lies at its end."""
        low, high, here = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high, min(max(value, self.low), self.high)))
        return self.begin + (self.end - self.begin) * (here - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        """Decades, or fifths."""
        if self.logarithmic:
            return [10.0**n for n in range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)]
        return [self.low + (self.high - self.low) * n / 5 for n in range(6)]


def svg(series: Sequence[Series], names: tuple[str, str], *, logarithmic: bool = False) -> str:
    """One colour a series, in the order of the list."""
    x, y = (
        _axis([v for s in series for v in getattr(s, which)], begin, end, logarithmic)
        for which, begin, end in (("x", LEFT, WIDTH - RIGHT), ("y", HEIGHT - BOTTOM, TOP))
    )
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in x.ticks:
        parts.append(f'<path d="M{x.at(tick):.1f} {TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.at(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks:
        parts.append(f'<path d="M{LEFT} {y.at(tick):.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(names[0])}</text>')
    parts.append(f'<text transform="translate(18 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(names[1])}</text>')
    for n, each in enumerate(series):
        colour, dashes = COLOURS[n % len(COLOURS)], ' stroke-dasharray="6 3"' if n >= len(COLOURS) else ""
        path = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in zip(each.x, each.y, strict=True))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dashes}/>')
        parts.append(f'<path d="M{right + 8} {TOP + 10 + 20 * n}h20" stroke="{colour}" stroke-width="2.5"{dashes}/>')
        parts.append(f'<text x="{right + 34}" y="{TOP + 14 + 20 * n}">{escape(each.name)}</text>')
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    return f"{head}\n{body}\n</svg>\n"


def _axis(values: Sequence[float], begin: float, end: float, logarithmic: bool) -> Axis:
    if not logarithmic:
        low, high = math.floor(10 * min(values)) / 10, math.ceil(10 * max(values)) / 10
        return Axis(low, high if high > low else low + 1, begin, end, logarithmic)
    shown = [v for v in values if v > 0] or [1.0]
    return Axis(10.0 ** math.floor(math.log10(min(shown))), 10.0 ** math.ceil(math.log10(max(shown) * 1.0001)), begin, end, logarithmic)
