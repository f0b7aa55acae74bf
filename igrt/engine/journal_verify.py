"""Is the journal what was written? The chain is walked from the first row; reading needs no lock and disturbs no writer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from igrt.engine.journal_faults import Fault, FaultKind, why_broken
from igrt.engine.journal_rows import ERASED_KIND, NO_ROW, Erasure, Head, Row, commitment
from igrt.engine.journal_schema import FROM_ROWS, columns, open_to_read, protection_missing, version_of


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: rows that hold from the first on, the head that they end in, what was erased, and the first fault."""

    path: Path
    version: int
    rows: int
    head: Head
    erased: tuple[Erasure, ...]
    fault: Fault | None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None

    @property
    def sentence(self) -> str:
        """For a person."""
        if self.fault:
            return f"{self.path}: {self.fault.sentence}; {self.rows} rows before it hold; restore a backup and find out what happened."
        return f"{self.path}: {self.rows} rows hold, head {self.head}{''.join(_words(e) for e in self.erased)}."


def _words(e: Erasure) -> str:
    return f"; {e.payloads} payloads were erased with their patient by command at {_utc(e.utc_unix_s)}, row {e.number}"


def _utc(utc_unix_s: float) -> str:
    return datetime.fromtimestamp(utc_unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def verify(path: Path, *, head: Head | None = None) -> Verification:
    """Walk the chain; with `head`, as printed or heard earlier, also prove that no row up to it is missing or rewritten.

    JournalError where there is no journal, or one newer than this software. A head recorded nowhere proves nothing: rows
    cut off the end leave a shorter chain that holds.
    """
    with closing(open_to_read(path)) as connection:
        walk = _Walk(connection)
        version = 0
        try:
            connection.execute("BEGIN")  # one view of a journal that is being written
            version = version_of(connection, path)
            fault = walk.run(version, head)
        except (sqlite3.Error, OverflowError, UnicodeError, msgspec.MsgspecError) as error:
            fault = Fault(FaultKind.UNREADABLE, None, f"the file is damaged ({error})")
        return Verification(path, version, walk.head.number, walk.head, tuple(walk.erasures.values()), fault)


class _Told(msgspec.Struct, frozen=True):
    """What the row of an erasure says."""

    payloads: int
    mentions: tuple[int, ...] = ()


@dataclass(slots=True)
class _Patient:
    """What the walk has seen of one patient's rows before their erasure."""

    first: int
    kept: int | None = None
    missing: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Walk:
    connection: sqlite3.Connection
    head: Head = NO_ROW
    patients: dict[bytes, _Patient] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    erasures: dict[int, Erasure] = field(default_factory=dict)

    def run(self, version: int, recorded: Head | None) -> Fault | None:
        """The first fault."""
        return self._file(version) or self._chain(version, recorded) or self._cut(recorded) or self._loose_ends()

    def _file(self, version: int) -> Fault | None:
        (found,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            return Fault(FaultKind.UNREADABLE, None, f"the file is damaged ({found})")
        why = protection_missing(self.connection, version)
        return Fault(FaultKind.UNREADABLE, None, f"{why}, so rows may have been written past it") if why else None

    def _chain(self, version: int, recorded: Head | None) -> Fault | None:
        query = f"SELECT {columns(version)} {FROM_ROWS} ORDER BY j.number"
        for values in self.connection.execute(query):
            row, salt = Row(*values[:-1]), values[-1]
            fault = why_broken(self.connection, row, after=self.head) or self._payload(row, salt)
            if fault:
                return fault
            if recorded and recorded.number == row.number and recorded != row.head:
                sentence = f"row {row.number} is not the one whose head was recorded: the rows up to it were written anew"
                return Fault(FaultKind.CHANGED, row.number, sentence)
            self.head = row.head
        return None

    def _payload(self, row: Row, salt: object) -> Fault | None:
        there = False
        if isinstance(salt, bytes) and isinstance(row.payload, bytes):
            there = commitment(salt, row.payload) == row.payload_sha256
            if not there:
                return Fault(FaultKind.CHANGED, row.number, f"the payload of row {row.number} was changed")
        if row.kind == ERASED_KIND:
            return self._erased(row, row.subject, row.payload) if there and row.subject and row.payload else _payload_gone(row.number)
        if not there:
            self.missing.add(row.number)
        if row.subject is not None:
            patient = self.patients.setdefault(row.subject, _Patient(row.number))
            if there:
                patient.kept = patient.kept or row.number
            else:
                patient.missing.add(row.number)
        return None

    def _erased(self, row: Row, subject: bytes, payload: bytes) -> Fault | None:
        """The payloads that this row accounts for: its patient's, and those of others that it lists."""
        patient = self.patients.pop(subject, _Patient(row.number))
        if patient.kept:
            return _there_although_erased(patient.kept, row.number)
        mentions = set(msgspec.msgpack.decode(payload, type=_Told).mentions)
        there = min((number for number in mentions if number not in self.missing), default=None)
        if there is not None:
            return _there_although_erased(there, row.number)
        gone = (patient.missing & self.missing) | mentions
        self.missing -= gone
        self.erasures[row.number] = Erasure(row.number, row.utc_unix_s, len(gone))
        return None

    def _cut(self, recorded: Head | None) -> Fault | None:
        if recorded is None or recorded.number <= self.head.number:
            return None
        first, last = self.head.number + 1, recorded.number
        gone = f"row {first} is" if first == last else f"rows {first} to {last} are"
        return Fault(FaultKind.TRUNCATED, first, f"{gone} missing from the end")

    def _loose_ends(self) -> Fault | None:
        """What stands beside the chain: payloads without a row or command, and the names of patients."""
        (orphan,) = self.connection.execute("SELECT min(number) FROM payloads WHERE number NOT IN (SELECT number FROM journal)").fetchone()
        if orphan is not None:
            return Fault(FaultKind.INSERTED, orphan, f"a payload of row {orphan} is there and no such row")
        if self.missing:
            return _payload_gone(min(self.missing))
        named = set()
        for subject, salt, patient_id in self.connection.execute("SELECT subject, salt, patient_id FROM patients"):
            named.add(subject)
            seen = self.patients.get(subject)
            if seen is None:
                return Fault(FaultKind.INSERTED, None, "the name of a patient without rows, or of one who was erased, is there")
            if commitment(salt, str(patient_id).encode()) != subject:
                return Fault(FaultKind.CHANGED, seen.first, f"the name of the patient of row {seen.first} was changed")
        nameless = min((p.first for subject, p in self.patients.items() if subject not in named), default=None)
        if nameless is not None:
            return Fault(FaultKind.REMOVED, nameless, f"the name of the patient of row {nameless} was removed without a command")
        return None


def _there_although_erased(number: int, erasure: int) -> Fault:
    sentence = f"the payload of row {number} is there although row {erasure} tells that it was erased with a patient"
    return Fault(FaultKind.INSERTED, number, sentence)


def _payload_gone(number: int) -> Fault:
    return Fault(FaultKind.REMOVED, number, f"the payload of row {number} was removed without a command to erase its patient")
