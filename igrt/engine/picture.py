"""The picture of the states, drawn from their table: `python -m igrt.engine.picture > docs/pictures/states.svg`.

The way of a correction runs down the middle, what ends it stands on the right. A step that many states share is a coloured dot in each
of them, and a line of the legend.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from igrt.engine.states import TRANSITIONS, State, Trigger

WAY = (
    State.IDLE,
    State.READY,
    State.ACQUIRING,
    State.REGISTERING,
    State.PROPOSED,
    State.APPROVED,
    State.CLAIMED,
    State.MOVING,
    State.IN_POSITION,
    State.DELIVERING,
)
ENDS = (State.REFUSED, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.INTERRUPTED)
SHARED_BY = 5
_COLOURS = ("#0f766e", "#b45309", "#6d28d9", "#b91c1c", "#1d4ed8", "#4d7c0f")
_WIDTH, _HEIGHT, _BOX, _TALL, _STEP, _TOP = 900, 1010, 150, 40, 84, 36
_WAY_X, _ENDS_X, _RETURN_X, _FAR_X = 230, 600, 110, 840
# Beside which state of the way an end stands.
_BESIDE: Mapping[State, State] = {
    State.REFUSED: State.REGISTERING,
    State.REJECTED: State.PROPOSED,
    State.EXPIRED: State.APPROVED,
    State.WITHDRAWN: State.CLAIMED,
    State.INTERRUPTED: State.IN_POSITION,
}
_STYLE = (
    "text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#0f172a}"
    ".small{font-size:12px;fill:#475569;paint-order:stroke;stroke:#ffffff;stroke-width:4px}"
    ".box{fill:#f1f5f9;stroke:#334155;stroke-width:1.4}.end{fill:#fff7ed;stroke:#9a3412}"
    ".line{fill:none;stroke:#475569;stroke-width:1.4;marker-end:url(#head)}"
)


def shared() -> dict[tuple[Trigger, State], list[State]]:
    """The steps of many states, by trigger and where they lead: drawn as dots. A step down the way is always drawn as a line."""
    found: dict[tuple[Trigger, State], list[State]] = {}
    for (source, trigger), target in TRANSITIONS.items():
        if not _is_down_the_way(source, target):
            found.setdefault((trigger, target), []).append(source)
    return {step: sources for step, sources in found.items() if len(sources) >= SHARED_BY}


def lines() -> dict[tuple[State, State], list[Trigger]]:
    """The steps drawn as lines."""
    dots = shared()
    drawn: dict[tuple[State, State], list[Trigger]] = {}
    for (source, trigger), target in TRANSITIONS.items():
        if _is_down_the_way(source, target) or (trigger, target) not in dots:
            drawn.setdefault((source, target), []).append(trigger)
    return drawn


def svg() -> str:
    """The whole picture."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img">',
        "<title>The states of a session and what moves it from one to the next</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#475569"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *sorted(_arrows(), key=lambda part: part.startswith("<text")),  # words last: their rims keep lines off them
        *(part for state in (*WAY, *ENDS) for part in _box(state)),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _is_down_the_way(source: State, target: State) -> bool:
    return source in WAY and target in WAY and WAY.index(target) == WAY.index(source) + 1


def _corner(state: State) -> tuple[int, int]:
    """Left and top of a state's box."""
    if state in WAY:
        return _WAY_X, _TOP + _STEP * WAY.index(state)
    return _ENDS_X, _corner(_BESIDE[state])[1]


def _middle(state: State) -> int:
    return _corner(state)[1] + _TALL // 2


def _box(state: State) -> Iterator[str]:
    x, y = _corner(state)
    yield f'<rect class="box{" end" if state in ENDS else ""}" x="{x}" y="{y}" width="{_BOX}" height="{_TALL}" rx="8"/>'
    yield f'<text x="{x + _BOX // 2}" y="{y + 18}" text-anchor="middle">{state}</text>'
    own = [index for index, sources in enumerate(shared().values()) if state in sources]
    first = x + _BOX // 2 - 7 * (len(own) - 1)
    for place, index in enumerate(own):
        yield f'<circle cx="{first + 14 * place}" cy="{y + 30}" r="4.5" fill="{_COLOURS[index]}"/>'


def _arrows() -> Iterator[str]:
    for (source, target), triggers in lines().items():
        words, (x, y), (_, to_y) = ", ".join(triggers), _corner(source), _corner(target)
        if _is_down_the_way(source, target):
            centre = x + _BOX // 2
            yield _line(f"M{centre} {y + _TALL}V{to_y}")
            yield _words(centre + 10, y + _TALL + 27, words)
        elif source in WAY and target in WAY:
            yield _line(f"M{x} {_middle(source)}H{_RETURN_X}V{_middle(target)}H{x}")
            yield _words(_RETURN_X - 8, (_middle(source) + _middle(target)) // 2, words, anchor="end")
        elif source in WAY:
            yield _line(f"M{x + _BOX} {_middle(source) + 4}L{_ENDS_X} {_middle(target) + 4}")
            if _is_first(source, target):
                yield _words(_ENDS_X - 16, _middle(target) - 8, words, anchor="end")
        elif abs(_middle(source) - _middle(target)) < _STEP:
            yield _line(f"M{_ENDS_X} {_middle(source) - 12}H{_WAY_X + _BOX}")
            yield _words((_WAY_X + _BOX + _ENDS_X) // 2, _middle(source) - 18, words, anchor="middle")
        else:
            yield _line(f"M{_ENDS_X + _BOX} {_middle(source)}H{_FAR_X}V{_middle(target)}H{_WAY_X + _BOX}")
            yield _words(_FAR_X - 8, _middle(target) - 8, words, anchor="end")


def _is_first(source: State, target: State) -> bool:
    """Whether this is the first of the lines to this end, which carries the words for all of them."""
    return next(one for one, other in lines() if other is target and one in WAY) is source


def _legend() -> Iterator[str]:
    y = _TOP + _STEP * len(WAY) + 8
    for index, ((trigger, target), _) in enumerate(shared().items()):
        yield f'<circle cx="{_WAY_X + 8}" cy="{y - 4}" r="4.5" fill="{_COLOURS[index]}"/>'
        yield f'<text x="{_WAY_X + 22}" y="{y}">{trigger} leads to {target}</text>'
        y += 24


def _line(path: str) -> str:
    return f'<path class="line" d="{path}"/>'


def _words(x: int, y: int, words: str, *, anchor: str = "start") -> str:
    return f'<text class="small" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    sys.stdout.write(svg())
