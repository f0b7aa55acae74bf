"""The event stream: numbers events, keeps the alerts that stand, and gives messages their headers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from igrt.bus import messages as m
from igrt.engine.alerts import ALERTS, ClearedBy

_EventT = TypeVar("_EventT", bound=m.Event)


class Stream:
    """One engine's run. `publish` sends a frame to every subscriber and never waits."""

    def __init__(self, publish: Callable[[bytes], None]) -> None:
        self.session = uuid.uuid4().hex
        self.number = 0
        self.patient_id: str | None = None
        self.plan_fingerprint: str | None = None
        self.alerts: dict[str, m.AlertState] = {}
        self._publish = publish

    def header(self) -> m.Header:
        """For a message of this engine, now."""
        return m.new_header(session=self.session, patient_id=self.patient_id, plan_fingerprint=self.plan_fingerprint)

    def welcome(self) -> bytes:
        """What a new subscriber hears first; it outlives the plan, so it names none."""
        return m.encode(m.Welcome(header=m.new_header(session=self.session)))

    def tell(self, kind: type[_EventT], **fields: Any) -> _EventT:
        """Number an event and publish it."""
        self.number += 1
        event = kind(header=self.header(), number=self.number, **fields)
        self._publish(m.encode(event))
        return event

    def beat(self) -> None:
        """The heartbeat."""
        self._publish(m.encode(m.Heartbeat(header=self.header(), last_number=self.number)))

    def alert(self, code: str, **fields: object) -> None:
        """Raise an alert of the table; one that stands with the same sentence is not raised again."""
        state = ALERTS[code].state(**fields)
        if self.alerts.get(code) != state:
            self.alerts[code] = state
            self.tell(m.Alert, alert=state)

    def clear(self, code: str) -> None:
        """Clear an alert where it stands."""
        if self.alerts.pop(code, None) is not None:
            self.tell(m.AlertCleared, code=code)

    def clear_all(self, by: ClearedBy) -> None:
        """Clear every standing alert that `by` may clear."""
        for code in [c for c in self.alerts if ALERTS[c].cleared_by is by]:
            self.clear(code)
