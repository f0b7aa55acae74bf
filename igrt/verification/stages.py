"""The stages of an answer: told as they go, and timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class Stages:
    """Tells progress and keeps the seconds of each stage."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """One stage; what it yields is told the share that is done."""
        self.progress(name, 0.0)
        began = time.perf_counter()
        yield lambda _, share: self.progress(name, share)
        self.seconds[name] = time.perf_counter() - began
        self.progress(name, 1.0)
