"""A scatter plot on logarithmic axes as an SVG text: enough for time against error, without a plotting library."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 230, 20, 50
COLOURS = ("#0b6e4f", "#08a045", "#1f77b4", "#6baed6", "#d62728", "#9467bd", "#ff7f0e", "#8c564b")
Point = tuple[str, float, float]  # series, x, y


class Axis:
    """Logarithmic, over whole decades."""

    def __init__(self, values: list[float], begin: float, end: float) -> None:
        self.low, self.high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        """Place of a value."""
        return self._begin + (self._end - self._begin) * (math.log10(value) - self.low) / max(self.high - self.low, 1)

    @property
    def ticks(self) -> list[float]:
        """The decades."""
        return [10.0**n for n in range(self.low, self.high + 1)]


def svg(points: list[Point], names: tuple[str, str]) -> str:
    """One mark a point, one colour a series."""
    x = Axis([p[1] for p in points], LEFT, WIDTH - RIGHT)
    y = Axis([p[2] for p in points], HEIGHT - BOTTOM, TOP)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in x.ticks:
        parts.append(f'<path d="M{x.at(tick):.1f} {TOP}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x.at(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks:
        parts.append(f'<path d="M{LEFT} {y.at(tick):.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(names[0])}</text>')
    middle = (TOP + bottom) / 2
    parts.append(f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{escape(names[1])}</text>')
    for n, name in enumerate(dict.fromkeys(p[0] for p in points)):
        colour = COLOURS[n % len(COLOURS)]
        marks = [f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="5"/>' for series, a, b in points if series == name]
        parts.append(
            f'<g fill="{colour}" fill-opacity="0.8">{"".join(marks)}<circle cx="{right + 16}" cy="{TOP + 10 + 22 * n}" r="5"/></g>'
        )
        parts.append(f'<text x="{right + 28}" y="{TOP + 14 + 22 * n}">{escape(name)}</text>')
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">'
    return f"{head}\n{body}\n</svg>\n"
