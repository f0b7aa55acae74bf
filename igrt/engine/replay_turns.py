"""The journal as turns: rows that were written down together, for one thing that came to the engine brought them about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import EVENTS, REQUESTS, WireError, decode
from igrt.engine.journal import Row
from igrt.engine.record import EVENT, REPLY, REQUEST, STATE
from igrt.errors import InputError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Turn:
    """Rows of one transaction, in order."""

    rows: tuple[Row, ...]

    @property
    def number(self) -> int:
        """Of its first row."""
        return self.rows[0].number

    @property
    def erased(self) -> bool:
        """Whether something of it was erased with its patient."""
        return any(row.payload is None for row in self.rows)

    def payload(self, kind: str) -> bytes | None:
        """Of its one row of that kind; None where it has none."""
        return next((row.payload for row in self.rows if row.kind == kind), None)

    def read(self, kind: str, schema: type[_T]) -> _T | None:
        """Its one row of that kind; InputError where it cannot be read."""
        payload = self.payload(kind)
        try:
            return None if payload is None else msgspec.msgpack.decode(payload, type=schema)
        except msgspec.MsgspecError as error:
            raise self._unreadable(kind, str(error)) from error

    @cached_property
    def events(self) -> tuple[m.Event, ...]:
        """What was published; InputError where this igrt knows no such event."""
        return tuple(self._message(row, EVENTS, m.Event) for row in self.rows if row.kind == EVENT)

    @cached_property
    def request(self) -> m.Message | None:
        """The request that brought it about, its token blanked."""
        return next((self._message(row, REQUESTS, m.Message) for row in self.rows if row.kind == REQUEST), None)

    def first(self, kind: type[_T]) -> _T | None:
        """Its first event of that type."""
        return next((event for event in self.events if isinstance(event, kind)), None)

    @cached_property
    def told(self) -> list[dict[str, Any]]:
        """What it brought about, as plain values: every row but the request and the state, each with its kind as `row`."""
        return plain_rows((row.kind, row.payload or b"") for row in self.rows)

    @cached_property
    def clock(self) -> tuple[float, float] | None:
        """UTC and monotonic clock (s), as read for all that was told in it; None where nothing was."""
        for row in self.rows:
            if row.kind in (EVENT, REPLY) and row.payload is not None:
                header = msgspec.msgpack.decode(row.payload, type=_Headed).header
                return header.utc_unix_s, header.monotonic_s
        return None

    def _message(self, row: Row, kinds: Mapping[str, type[m.Message]], wanted: type[_T]) -> _T:
        try:
            message = decode(row.payload or b"", kinds)
        except WireError as error:
            raise self._unreadable(row.kind, error.sentence) from error
        assert isinstance(message, wanted)
        return message

    def _unreadable(self, kind: str, why: str) -> InputError:
        return InputError(f"row {self.number} of the journal ({kind}) cannot be read ({why}); replay it with the igrt that wrote it")


class _Clocks(msgspec.Struct):
    utc_unix_s: float
    monotonic_s: float


class _Headed(msgspec.Struct):
    header: _Clocks


def turns(rows: Iterable[Row]) -> Iterator[Turn]:
    """In the order in which they were written; rows of one turn share session and time."""
    for _, together in groupby(rows, key=lambda row: (row.session, row.utc_unix_s, row.monotonic_s)):
        yield Turn(tuple(together))


def plain_rows(rows: Iterable[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Kinds and payloads as plain values, without request and state."""
    return [{"row": kind} | msgspec.msgpack.decode(payload) for kind, payload in rows if kind not in (REQUEST, STATE)]
