"""Where a journal's chain breaks, what was done to it: a row changed, removed, inserted or moved.

Without the rows that are gone this is inference, so every rule says what it rests on. Whoever can rewrite the file can also
rewrite every hash after a change; only a head written down elsewhere shows that.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from igrt.engine.journal_rows import Head, Row

_FARTHEST_REMOVED = 100_000


class FaultKind(StrEnum):
    """What is wrong with a journal."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: the row that it is about, None where the file as a whole is meant, and a sentence."""

    kind: FaultKind
    number: int | None
    sentence: str


def why_broken(connection: sqlite3.Connection, row: Row, *, after: Head) -> Fault | None:
    """What is wrong where `row` stands as the next after `after`; None where it is the next."""
    place, linked, sealed = after.number + 1, row.previous_sha256 == after.sha256, row.seal() == row.sha256
    if linked and sealed and row.number == place:
        return None
    if linked:
        return Fault(FaultKind.CHANGED, place, f"row {place} was changed: it is not what its hash says")
    was = _written_as(connection, row, place)
    if _stands_later(connection, row, after):
        if was is not None and was > place:
            return Fault(FaultKind.REORDERED, was, f"row {was} was moved: it stands in place {place}")
        return _inserted(place, place)
    parent = _stands_earlier(connection, row, after)
    if parent is not None:
        return _inserted(parent + 1, after.number)
    if was is not None and was > place:
        gone = f"row {place} was" if was == place + 1 else f"rows {place} to {was - 1} were"
        return Fault(FaultKind.REMOVED, place, f"{gone} removed")
    if sealed and after.number:
        return Fault(
            FaultKind.CHANGED, after.number, f"row {after.number} was changed and hashed anew: row {place} was written after another"
        )
    return Fault(FaultKind.CHANGED, place, f"row {place} was changed: it does not follow the row before")


def _inserted(first: int, last: int) -> Fault:
    what = f"row {first} was" if first == last else f"rows {first} to {last} were"
    return Fault(FaultKind.INSERTED, first, f"{what} inserted")


def _written_as(connection: sqlite3.Connection, row: Row, place: int) -> int | None:
    """The number with which the row's hash holds: its own, or the one that it had before somebody numbered the rows anew."""
    (last,) = connection.execute("SELECT max(number) FROM journal").fetchone()
    numbers = (row.number, place, *range(1, last + _FARTHEST_REMOVED))
    return next((n for n in numbers if row.seal(number=n) == row.sha256), None)


def _stands_later(connection: sqlite3.Connection, row: Row, after: Head) -> bool:
    """Whether the row that was written after `after` is there, behind this one."""
    query = "SELECT count(*) FROM journal WHERE previous_sha256 = ? AND number > ?"
    return bool(connection.execute(query, (after.sha256, row.number)).fetchone()[0])


def _stands_earlier(connection: sqlite3.Connection, row: Row, after: Head) -> int | None:
    """The number of the row that this one was written after, where others have come between; 0 for the start."""
    query = "SELECT min(number) FROM journal WHERE sha256 = ? AND number < ?"
    (found,) = connection.execute(query, (row.previous_sha256, after.number)).fetchone()
    return None if found is None else int(found)
