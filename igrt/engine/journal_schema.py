"""The journal's file: SQLite in write-ahead mode, its tables and triggers by version, and the lock that makes one writer.

A new file goes through the same steps as an old one that is upgraded. Rows, payloads and names of patients stand in tables of
their own: rows are never changed or removed; payloads and names go once a row says that their patient was erased. Rows that mention a
patient and are not theirs stand in `mentions` when their payload goes too.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from igrt.engine.journal_rows import JournalError, JournalFailedError, JournalFullError, Row

APPLICATION_ID = 0x69677274  # "igrt"
BUSY_S = 5.0
PAGE_ROWS = 256

_ROWS_AND_PATIENTS = (
    """CREATE TABLE journal (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, utc_unix_s REAL NOT NULL, monotonic_s REAL NOT NULL, session TEXT NOT NULL,
        subject BLOB, payload_sha256 BLOB NOT NULL, previous_sha256 BLOB NOT NULL, sha256 BLOB NOT NULL)""",
    "CREATE TABLE payloads (number INTEGER PRIMARY KEY, salt BLOB NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE patients (subject BLOB PRIMARY KEY, salt BLOB NOT NULL, patient_id TEXT NOT NULL UNIQUE)",
    "CREATE TABLE unscrubbed (number INTEGER PRIMARY KEY)",
    "CREATE INDEX journal_erasures ON journal (subject) WHERE kind = 'patient_erased'",
    "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    "CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    # INSERT OR REPLACE would otherwise delete without firing the trigger above.
    """CREATE TRIGGER journal_in_order BEFORE INSERT ON journal
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM journal)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    "CREATE TRIGGER payloads_no_update BEFORE UPDATE ON payloads BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    """CREATE TRIGGER payloads_kept BEFORE DELETE ON payloads
        WHEN NOT EXISTS (SELECT 1 FROM journal AS erasure JOIN journal AS told USING (subject)
            WHERE erasure.kind = 'patient_erased' AND told.number = OLD.number AND erasure.number > told.number)
        BEGIN SELECT RAISE(ABORT, 'a payload goes only with its patient, erased by command'); END""",
    """CREATE TRIGGER payloads_in_order BEFORE INSERT ON payloads WHEN NEW.number IS NOT (SELECT max(number) FROM journal)
            OR EXISTS (SELECT 1 FROM payloads WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    "CREATE TRIGGER patients_no_update BEFORE UPDATE ON patients BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    """CREATE TRIGGER patients_kept BEFORE DELETE ON patients
        WHEN NOT EXISTS (SELECT 1 FROM journal WHERE kind = 'patient_erased' AND subject = OLD.subject)
        BEGIN SELECT RAISE(ABORT, 'a patient goes only when erased by command'); END""",
    """CREATE TRIGGER patients_once BEFORE INSERT ON patients
        WHEN EXISTS (SELECT 1 FROM patients WHERE subject = NEW.subject OR patient_id = NEW.patient_id)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
)
_REPLIES = (
    "ALTER TABLE journal ADD COLUMN request_id TEXT",
    "CREATE UNIQUE INDEX journal_replies ON journal (request_id) WHERE request_id IS NOT NULL",
)
_MENTIONS = (
    "CREATE TABLE mentions (number INTEGER PRIMARY KEY, erasure INTEGER NOT NULL)",
    "CREATE TRIGGER mentions_no_update BEFORE UPDATE ON mentions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    "CREATE TRIGGER mentions_no_delete BEFORE DELETE ON mentions BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    """CREATE TRIGGER mentions_of_an_erasure BEFORE INSERT ON mentions
        WHEN EXISTS (SELECT 1 FROM mentions WHERE number = NEW.number)
            OR NOT EXISTS (SELECT 1 FROM journal WHERE number = NEW.erasure AND kind = 'patient_erased' AND number > NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    "DROP TRIGGER payloads_kept",
    """CREATE TRIGGER payloads_kept BEFORE DELETE ON payloads
        WHEN NOT EXISTS (SELECT 1 FROM mentions WHERE number = OLD.number)
            AND NOT EXISTS (SELECT 1 FROM journal AS erasure JOIN journal AS told USING (subject)
                WHERE erasure.kind = 'patient_erased' AND told.number = OLD.number AND erasure.number > told.number)
        BEGIN SELECT RAISE(ABORT, 'a payload goes only with its patient, erased by command'); END""",
)
STEPS = (_ROWS_AND_PATIENTS, _REPLIES, _MENTIONS)
VERSION = len(STEPS)
_HAS_REPLIES = 2


class WriterLock:
    """Held by the one writer for as long as it has the journal open; the lock file stays."""

    def __init__(self, journal: Path) -> None:
        """JournalError where another program holds it, or the folder cannot be written."""
        path = journal.with_name(journal.name + ".lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot be opened ({error.strerror}); give a journal in a folder that can be written") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise JournalError(f"{journal}: another program writes this journal; stop it, or give another journal") from error

    def release(self) -> None:
        """Let another write."""
        os.close(self._handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create_private(path: Path) -> None:
    """An empty file for this user alone, unless it is there; SQLite gives the files beside it the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def told(path: Path, error: sqlite3.Error) -> JournalError:
    """SQLite's error as ours."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return JournalFullError(f"{path}: no space is left on the disk and nothing was written; free space, then try again")
    return JournalFailedError(f"{path}: the journal failed ({error}); look at the disk, verify the journal, then open it again")


def open_to_write(path: Path) -> sqlite3.Connection:
    """The journal, made or upgraded where it needs to be; JournalError where it is another file's, newer or unprotected."""
    try:
        create_private(path)
    except OSError as error:
        raise JournalError(f"{path}: cannot be opened ({error.strerror}); give the path of a journal") from error
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S
    )
    try:
        version = version_of(connection, path, new_too=True)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise JournalError(f"{path}: this disk cannot hold a write-ahead log; put the journal on a local disk")
        connection.execute("PRAGMA synchronous = FULL")
        if version < VERSION:
            _upgrade(connection, version)
        why = protection_missing(connection, VERSION)
        if why:
            raise JournalError(f"{path}: {why}; verify the journal and restore a backup")
        sync_folder(path.absolute().parent)
        if connection.execute("SELECT count(*) FROM unscrubbed").fetchone() != (0,):
            scrub(connection)
    except sqlite3.Error as error:
        connection.close()
        raise told(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """The journal as it is, also while it is written; JournalError where there is none, or SQLite cannot open it."""
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal; give the path of one")
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_S)
    except sqlite3.Error as error:
        raise told(path, error) from error


def version_of(connection: sqlite3.Connection, path: Path, *, new_too: bool = False) -> int:
    """The schema's version, 0 for an empty file where that may be; JournalError for what this software cannot read."""
    (application,), (version,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    if new_too and empty and not application and not version:
        return 0
    if application != APPLICATION_ID or version < 1:
        raise JournalError(f"{path}: this is no journal of igrt; give the path of one")
    if version > VERSION:
        raise JournalError(f"{path}: the journal has version {version} and this software knows {VERSION}; use the newer igrt that wrote it")
    return int(version)


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    """All steps or none."""
    connection.execute("BEGIN IMMEDIATE")
    for statements in STEPS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def scrub(connection: sqlite3.Connection) -> bool:
    """Take every byte that was deleted out of the file and its log.

    False where a reader holds the log or the disk has no room: the next opening tries again. SQLite's own secure_delete is
    not enough: when cells move between pages, copies of them stay in what is then free space.
    """
    try:
        connection.execute("VACUUM")
        (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            connection.execute("DELETE FROM unscrubbed")
    except sqlite3.Error:  # the erasure itself is done; a disk that failed is met again by the next append
        return False
    return not busy


def protection_missing(connection: sqlite3.Connection, version: int) -> str | None:
    """What keeps the journal append-only and is not there as it was made."""
    with closing(sqlite3.connect(":memory:")) as model:
        for statements in STEPS[:version]:
            for statement in statements:
                model.execute(statement)
        wanted = _protections(model)
    there = _protections(connection)
    for name in sorted(wanted.keys() | there.keys()):
        if wanted.get(name) != there.get(name):
            return f"its {name} was {'added' if name not in wanted else 'changed' if name in there else 'removed'}"
    return None


def _protections(connection: sqlite3.Connection) -> dict[str, str]:
    found = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE type IN ('trigger', 'index', 'view') AND sql IS NOT NULL")
    return {f"{kind} {name}": sql for kind, name, sql in found}


def columns(version: int) -> str:
    """The columns of a row and its payload, in the order of Row, then the salt; for FROM rows_and_payloads."""
    request_id = "request_id" if version >= _HAS_REPLIES else "NULL"
    return (
        f"j.number, kind, utc_unix_s, monotonic_s, session, subject, {request_id}, payload_sha256, previous_sha256, sha256, payload, salt"
    )


FROM_ROWS = "FROM journal AS j LEFT JOIN payloads AS p ON p.number = j.number"


def rows_after(connection: sqlite3.Connection, version: int, since: int) -> Iterator[Row]:
    """Rows whose number is above `since`, in order, a page at a time, so that a slow reader holds up no writer."""
    query = f"SELECT {columns(version)} {FROM_ROWS} WHERE j.number > ? ORDER BY j.number LIMIT {PAGE_ROWS}"
    while page := connection.execute(query, (since,)).fetchall():
        for values in page:
            yield Row(*values[:-1])
        since = page[-1][0]
