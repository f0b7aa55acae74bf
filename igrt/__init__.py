"""Image guidance for radiotherapy: register the day's images to the plan, correct the couch, refuse rather than answer wrong.

    answer = igrt.verify(igrt.load_plan("plan/"), igrt.load_daily("cbct/"))

The names below are loaded when they are first used, so that `import igrt` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igrt.answer import verify
    from igrt.bus.client import Client
    from igrt.images.load import load_daily, load_plan
    from igrt.images.today import load_today
    from igrt.verification.second_solver import second_opinion

__all__ = ["Client", "load_daily", "load_plan", "load_today", "second_opinion", "verify"]

_HOMES = {
    "Client": "igrt.bus.client",
    "load_daily": "igrt.images.load",
    "load_plan": "igrt.images.load",
    "load_today": "igrt.images.today",
    "second_opinion": "igrt.verification.second_solver",
    "verify": "igrt.answer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'igrt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
