"""docs/engine.md, made from the tables of the engine: `python -m igrt.engine.docs > docs/engine.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from igrt.engine.alerts import ALERTS
from igrt.engine.states import MEANING, TRANSITIONS

_TEXT = """# The engine: states and alerts

Made by `python -m igrt.engine.docs > docs/engine.md` from the tables in `igrt/engine/states.py` and `igrt/engine/alerts.py`; a
test compares.

## States

A correction is released in one place, from `approved` to `claimed`, where the guard (docs/guard.md) decides. Whatever breaks off goes to
`interrupted`; whoever leaves `claimed`, `moving` or `delivering` early has told the linac to hold. Between two claims lies an answer.
"""

_PICTURE = """![The states: the way from idle to delivering, and what ends it](pictures/states.svg)

Made by `python -m igrt.engine.picture > docs/pictures/states.svg` from the table of transitions; a test compares. A coloured dot is a
step that many states share; the picture's last lines name them.
"""


def markdown() -> str:
    """The whole document."""
    return "\n".join(
        [
            _TEXT,
            _PICTURE,
            _table(("state", "meaning"), ((f"`{s}`", words) for s, words in MEANING.items())),
            "## Transitions\n\nWhatever is not here is not allowed.\n",
            _table(("from", "when", "to"), ((f"`{a}`", f"`{t}`", f"`{b}`") for (a, t), b in TRANSITIONS.items())),
            "## Alerts\n\nPriorities are those of IEC 60601-1-8. What stands in braces is filled in when the alert is raised.\n",
            _table(
                ("code", "priority", "sentence", "what to do", "cleared by"),
                ((f"`{r.code}`", r.priority.value, r.sentence, r.remedy, r.cleared_by.value) for r in ALERTS.values()),
            ),
        ]
    )


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (titles, tuple("---" for _ in titles), *rows)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
