"""The journal: what the engine did and was told, in order, on disk before anybody hears of it.

`append` returns once its rows survive a power cut; only then is an event published or a reply sent. Rows of one `append_all`
are there together or not at all, so a reply stands beside the events that it caused, and a request that is repeated, even
after a crash, gets the first reply.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from igrt.bus.wire import monotonic_s
from igrt.engine.journal_redaction import redact
from igrt.engine.journal_rows import (
    ERASED_KIND,
    NO_ROW,
    AlreadyAnsweredError,
    Entry,
    Erasure,
    Head,
    JournalError,
    JournalFailedError,
    JournalFullError,
    Row,
    commitment,
    new_salt,
)
from igrt.engine.journal_schema import (
    FROM_ROWS,
    VERSION,
    WriterLock,
    columns,
    open_to_read,
    open_to_write,
    rows_after,
    scrub,
    told,
    version_of,
)

__all__ = [
    "AlreadyAnsweredError",
    "Clock",
    "Entry",
    "Erasure",
    "Head",
    "Journal",
    "JournalError",
    "JournalFailedError",
    "JournalFullError",
    "Row",
    "read_rows",
    "system_clock",
]

Clock = Callable[[], tuple[float, float]]


def system_clock() -> tuple[float, float]:
    """UTC since 1970 and the monotonic clock, seconds."""
    return time.time(), monotonic_s()


class Journal:
    """A journal open for writing by this program alone. Used by one thread at a time."""

    def __init__(self, path: Path, *, session: str, clock: Clock = system_clock) -> None:
        """Open or make; JournalError where another program writes it, it is newer than this software, or not whole."""
        self.path, self._session, self._clock = path, session, clock
        self._failed: str | None = None
        self._lock = WriterLock(path)
        try:
            self._connection = open_to_write(path)
            try:
                self._head = self._checked_last()
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and its lock."""
        with suppress(sqlite3.Error):  # every acknowledged row is on disk already; what failed is found at the next opening
            self._connection.close()
        self._lock.release()

    @property
    def head(self) -> Head:
        """Of the last row on disk."""
        return self._head

    def append(self, kind: str, payload: bytes, *, patient_id: str | None = None, request_id: str | None = None) -> Row:
        """One row, on disk when this returns; errors as of `append_all`."""
        (row,) = self.append_all([Entry(kind, payload, patient_id=patient_id, request_id=request_id)])
        return row

    def append_all(self, entries: Sequence[Entry]) -> tuple[Row, ...]:
        """Rows that are on disk together when this returns, or not at all.

        Credentials in a payload are replaced; the rows hold what was kept. JournalFullError where the disk is full,
        JournalFailedError where it failed, AlreadyAnsweredError for a second reply to a request, ValueError for a payload
        that is no MessagePack.
        """
        kept = [redact(entry.payload) for entry in entries]
        self._not_answered([entry.request_id for entry in entries if entry.request_id is not None])
        rows: list[Row] = []
        with self._transaction() as now:
            for entry, payload in zip(entries, kept, strict=True):
                head = rows[-1].head if rows else self._head
                subject = self._subject(entry.patient_id)
                rows.append(self._insert(head, now, entry.kind, payload, subject=subject, request_id=entry.request_id))
        if rows:
            self._head = rows[-1].head
        return tuple(rows)

    def reply(self, request_id: str) -> Row | None:
        """The row of the reply to a request; its payload is None where it was erased with its patient."""
        query = f"SELECT {columns(VERSION)} {FROM_ROWS} WHERE request_id = ?"
        with self._telling():
            values = self._connection.execute(query, (request_id,)).fetchone()
        return Row(*values[:-1]) if values else None

    def rows(self, since: int = 0) -> Iterator[Row]:
        """Rows after number `since`, in order."""
        with self._telling():
            yield from rows_after(self._connection, VERSION, since)

    def subject_of(self, patient_id: str) -> bytes | None:
        """What stands for a patient in their rows; None where the journal knows no such patient."""
        return self._known_subject(patient_id)

    def erase_patient(self, patient_id: str, *, mentions: Collection[int] = ()) -> Erasure | None:
        """Delete what the journal holds of a patient, and tell in a row that it was done; None where there is nothing to delete.

        Their rows stay, without payload and without a way back to the patient; so do the rows `mentions`, of others or of nobody, whose
        payloads name the patient. The file is written anew, so this takes as long as its size asks for. Backups made before still
        hold the data.
        """
        subject = self._known_subject(patient_id)
        others = self._payloads_not_of(subject, mentions)
        if subject is None and not others:
            return None
        subject = subject or commitment(new_salt(), patient_id.encode())
        with self._transaction() as now:
            query = "SELECT count(*) FROM journal JOIN payloads USING (number) WHERE subject = ?"
            (payloads,) = self._connection.execute(query, (subject,)).fetchone()
            payloads += len(others)
            told = {"payloads": payloads} | ({"mentions": others} if others else {})
            row = self._insert(self._head, now, ERASED_KIND, msgspec.msgpack.encode(told), subject=subject)
            self._connection.executemany("INSERT INTO mentions VALUES (?, ?)", [(number, row.number) for number in others])
            self._connection.executemany("DELETE FROM payloads WHERE number = ?", [(number,) for number in others])
            before = "SELECT number FROM journal WHERE subject = ? AND number < ?"
            self._connection.execute(f"DELETE FROM payloads WHERE number IN ({before})", (subject, row.number))  # noqa: S608 - a constant
            self._connection.execute("DELETE FROM patients WHERE subject = ?", (subject,))
            self._connection.execute("INSERT INTO unscrubbed VALUES (?)", (row.number,))
        self._head = row.head
        return Erasure(row.number, row.utc_unix_s, payloads, scrubbed=scrub(self._connection))

    def _payloads_not_of(self, subject: bytes | None, numbers: Collection[int]) -> list[int]:
        """Those of `numbers` whose payload is there and another's; ValueError for the row of an erasure, which stays."""
        wanted, others = set(numbers), []
        with self._telling():
            for number, kind, whose in self._connection.execute(
                "SELECT number, kind, subject FROM journal JOIN payloads USING (number) ORDER BY number"
            ):
                if number in wanted and kind == ERASED_KIND:
                    raise ValueError(f"row {number} tells of an erasure and stays")
                if number in wanted and (whose is None or whose != subject):
                    others.append(int(number))
        return others

    # ------------------------------------------------------------------------------------------------ writing

    @contextmanager
    def _transaction(self) -> Iterator[tuple[float, float]]:
        """All or nothing; gives the time that its rows share."""
        with self._telling():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                if self._last() != self._head:
                    raise self._fails(f"{self.path}: another program wrote into this journal; find out which, then open it again")
                utc_unix_s, monotonic_s = self._clock()
                yield float(utc_unix_s), float(monotonic_s)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Our errors for SQLite's. After any but a full disk, what is on disk is known only by opening anew."""
        if self._failed:
            raise JournalFailedError(self._failed)
        try:
            yield
        except sqlite3.Error as error:
            ours = told(self.path, error)
            if not isinstance(ours, JournalFullError):
                self._failed = str(ours)
            raise ours from error

    def _fails(self, sentence: str) -> JournalFailedError:
        self._failed = sentence
        return JournalFailedError(sentence)

    def _not_answered(self, request_ids: Sequence[str]) -> None:
        for request_id in request_ids:
            if request_ids.count(request_id) > 1 or self.reply(request_id):
                raise AlreadyAnsweredError(f"request {request_id} has a reply already; send that one")

    def _last(self) -> Head:
        """As it stands in the file."""
        found = self._connection.execute("SELECT number, sha256 FROM journal ORDER BY number DESC LIMIT 1").fetchone()
        return Head(*found) if found else NO_ROW

    def _checked_last(self) -> Head:
        """Nothing is written after a row that is not what its hash says: the journal would hide where it broke."""
        with self._telling():
            head = self._last()
            for row in rows_after(self._connection, VERSION, head.number - 1):
                if row.seal() != row.sha256:
                    raise JournalError(f"{self.path}: row {row.number}, the last, was changed; verify the journal and restore a backup")
        return head

    def _known_subject(self, patient_id: str) -> bytes | None:
        with self._telling():
            found = self._connection.execute("SELECT subject FROM patients WHERE patient_id = ?", (patient_id,)).fetchone()
        return bytes(found[0]) if found else None

    def _subject(self, patient_id: str | None) -> bytes | None:
        if patient_id is None:
            return None
        subject = self._known_subject(patient_id)
        if subject is None:
            salt = new_salt()
            subject = commitment(salt, patient_id.encode())
            self._connection.execute("INSERT INTO patients VALUES (?, ?, ?)", (subject, salt, patient_id))
        return subject

    def _insert(
        self, head: Head, now: tuple[float, float], kind: str, payload: bytes, *, subject: bytes | None, request_id: str | None = None
    ) -> Row:
        salt, (utc_unix_s, monotonic_s) = new_salt(), now
        row = Row(
            number=head.number + 1,
            kind=kind,
            utc_unix_s=utc_unix_s,
            monotonic_s=monotonic_s,
            session=self._session,
            subject=subject,
            request_id=request_id,
            payload_sha256=commitment(salt, payload),
            previous_sha256=head.sha256,
            sha256=b"",
            payload=payload,
        )
        row = dataclasses.replace(row, sha256=row.seal())
        self._connection.execute(
            "INSERT INTO journal"
            " (number, kind, utc_unix_s, monotonic_s, session, subject, request_id, payload_sha256, previous_sha256, sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (row.number, kind, utc_unix_s, monotonic_s, row.session, subject, request_id, row.payload_sha256, head.sha256, row.sha256),
        )
        self._connection.execute("INSERT INTO payloads VALUES (?, ?, ?)", (row.number, salt, payload))
        return row


def read_rows(path: Path, *, since: int = 0) -> Iterator[Row]:
    """Rows of any journal after number `since`, also of one that is being written; JournalError where it cannot be read."""
    with closing(open_to_read(path)) as connection:
        try:
            yield from rows_after(connection, version_of(connection, path), since)
        except sqlite3.Error as error:
            raise told(path, error) from error
