"""The event stream: numbers events, keeps the alerts that stand, gives messages their headers, and writes down before it tells."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.alerts import ALERTS, ClearedBy
from igrt.engine.journal import AlreadyAnsweredError, Clock, Entry, Journal, JournalError, JournalFullError, system_clock
from igrt.engine.log_events import log_event
from igrt.engine.record import EVENT, STATE

_EventT = TypeVar("_EventT", bound=m.Event)


class Stream:
    """One engine's run. `publish` sends a frame to every subscriber and never waits.

    With a journal, what is told together is written down together, with `keep()` where that changed, and published once it is on
    disk. Where the journal fails, nothing is published any more and `failure` says why. The clock is read once for all that is
    told together: the time that a decision was made by is the time in the headers of what it brought about, and so in the journal.
    """

    def __init__(
        self, publish: Callable[[bytes], None], journal: Journal | None = None, *, session: str | None = None, clock: Clock = system_clock
    ) -> None:
        self.session = session or uuid.uuid4().hex
        self.number = 0
        self.patient_id: str | None = None
        self.plan_fingerprint: str | None = None
        self.alerts: dict[str, m.AlertState] = {}
        self.failure: Exception | None = None
        self.keep: Callable[[], bytes] = bytes
        self.make_room: Callable[[], bool] = bool
        self._publish, self._journal, self._clock = publish, journal, clock
        self._now: tuple[float, float] | None = None
        self._frames: list[bytes] = []
        self._entries: list[Entry] = []
        self._kept = b""
        self._together = 0

    def header(self) -> m.Header:
        """For a message of this engine, now."""
        header = m.new_header(session=self.session, patient_id=self.patient_id, plan_fingerprint=self.plan_fingerprint)
        utc_unix_s, monotonic_s = self._now or self._clock()
        return msgspec.structs.replace(header, utc_unix_s=utc_unix_s, monotonic_s=monotonic_s)

    @property
    def now_s(self) -> float:
        """The monotonic clock, standing still inside `together`."""
        return (self._now or self._clock())[1]

    @property
    def utc_unix_s(self) -> float:
        """UTC since 1970, read together with `now_s`."""
        return (self._now or self._clock())[0]

    @property
    def journal_head(self) -> str:
        """The number and hash of the journal's last row."""
        return str(self._journal.head) if self._journal else ""

    def welcome(self) -> bytes:
        """What a new subscriber hears first; it outlives the plan, so it names none."""
        return m.encode(m.Welcome(header=m.new_header(session=self.session)))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is told and noted inside is written down as one, and only then published. WireError where the journal fails."""
        self._together += 1
        self._now = self._now or self._clock()
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._now = None
            self._settle()

    def tell(self, kind: type[_EventT], **fields: Any) -> _EventT:
        """Number an event, write it down and publish it."""
        self.number += 1
        event = kind(header=self.header(), number=self.number, **fields)
        self._frames.append(m.encode(event))
        log_event(event)
        self.note(Entry(EVENT, m.encode(blanked(event)), patient_id=self.patient_id or None))
        return event

    def note(self, entry: Entry) -> None:
        """Write something down that is not published."""
        self._entries.append(entry)
        self._settle()

    def beat(self) -> None:
        """The heartbeat."""
        if not self.failure:
            self._publish(m.encode(m.Heartbeat(header=self.header(), last_number=self.number, journal_head=self.journal_head)))

    def alert(self, code: str, **fields: object) -> None:
        """Raise an alert of the table; one that stands with the same sentence is not raised again."""
        state = ALERTS[code].state(**fields)
        if self.alerts.get(code) != state:
            self.alerts[code] = state
            self.tell(m.Alert, alert=state)

    def clear(self, code: str, *, by: str | None = None) -> None:
        """Clear an alert where it stands; `by` is the person who did."""
        if self.alerts.pop(code, None) is not None:
            self.tell(m.AlertCleared, code=code, by=by)

    def clear_all(self, by: ClearedBy) -> None:
        """Clear every standing alert that `by` may clear."""
        for code in [c for c in self.alerts if ALERTS[c].cleared_by is by]:
            self.clear(code)

    def _settle(self) -> None:
        """Write down, then publish."""
        if self._together or not self._entries:
            return
        frames, entries = self._frames, self._entries
        self._frames, self._entries = [], []
        if self.failure:
            return
        if self._journal:
            kept = self.keep()
            if kept != self._kept:
                entries.append(Entry(STATE, kept, patient_id=self.patient_id or None))
            try:
                self._write(self._journal, entries)
            except (JournalError, AlreadyAnsweredError) as error:
                self.failure = error
                raise WireError("disk_failed", str(error)) from error
            self._kept = kept
        for frame in frames:
            self._publish(frame)

    def _write(self, journal: Journal, entries: Sequence[Entry]) -> None:
        """Once more where the disk was full and `make_room` freed something."""
        try:
            journal.append_all(entries)
        except JournalFullError:
            if not self.make_room():
                raise
            journal.append_all(entries)


def blanked(message: m.Message) -> m.Message:
    """As the journal keeps it: without its token, and a plan's request without the patient before."""
    if isinstance(message, m.LoadPlan):
        return of_nobody(message)
    if isinstance(message, m.Approved | m.Claim):
        return msgspec.structs.replace(message, token="")
    return message


def of_nobody(request: m.LoadPlan) -> m.LoadPlan:
    """Without the patient who was in hand when it came: it is about another."""
    return msgspec.structs.replace(request, header=msgspec.structs.replace(request.header, patient_id=None, plan_fingerprint=None))
