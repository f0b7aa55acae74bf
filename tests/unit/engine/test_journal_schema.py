"""The journal's file across versions: an older one is upgraded whole or not at all, a newer one refused."""

import hashlib
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest

from igrt.engine import journal_schema
from igrt.engine.journal import Journal, JournalError, read_rows
from igrt.engine.journal_backup import backup, restore
from igrt.engine.journal_faults import FaultKind
from igrt.engine.journal_verify import verify

# Version 1 as it was, written out: it must be readable for ever, whatever becomes of the code.
VERSION_1 = """
    CREATE TABLE journal (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, utc_unix_s REAL NOT NULL, monotonic_s REAL NOT NULL, session TEXT NOT NULL,
        subject BLOB, payload_sha256 BLOB NOT NULL, previous_sha256 BLOB NOT NULL, sha256 BLOB NOT NULL);
    CREATE TABLE payloads (number INTEGER PRIMARY KEY, salt BLOB NOT NULL, payload BLOB NOT NULL);
    CREATE TABLE patients (subject BLOB PRIMARY KEY, salt BLOB NOT NULL, patient_id TEXT NOT NULL UNIQUE);
    CREATE TABLE unscrubbed (number INTEGER PRIMARY KEY);
    CREATE INDEX journal_erasures ON journal (subject) WHERE kind = 'patient_erased';
    CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER journal_in_order BEFORE INSERT ON journal
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM journal)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER payloads_no_update BEFORE UPDATE ON payloads BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER payloads_kept BEFORE DELETE ON payloads
        WHEN NOT EXISTS (SELECT 1 FROM journal AS erasure JOIN journal AS told USING (subject)
            WHERE erasure.kind = 'patient_erased' AND told.number = OLD.number AND erasure.number > told.number)
        BEGIN SELECT RAISE(ABORT, 'a payload goes only with its patient, erased by command'); END;
    CREATE TRIGGER payloads_in_order BEFORE INSERT ON payloads WHEN NEW.number IS NOT (SELECT max(number) FROM journal)
            OR EXISTS (SELECT 1 FROM payloads WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER patients_no_update BEFORE UPDATE ON patients BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER patients_kept BEFORE DELETE ON patients
        WHEN NOT EXISTS (SELECT 1 FROM journal WHERE kind = 'patient_erased' AND subject = OLD.subject)
        BEGIN SELECT RAISE(ABORT, 'a patient goes only when erased by command'); END;
    CREATE TRIGGER patients_once BEFORE INSERT ON patients
        WHEN EXISTS (SELECT 1 FROM patients WHERE subject = NEW.subject OR patient_id = NEW.patient_id)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    PRAGMA application_id = 1768387188;
    PRAGMA user_version = 1;
"""
# What version 2 added, written out as well.
VERSION_2 = """
    ALTER TABLE journal ADD COLUMN request_id TEXT;
    CREATE UNIQUE INDEX journal_replies ON journal (request_id) WHERE request_id IS NOT NULL;
    PRAGMA user_version = 2;
"""
ROWS = 5


def pack(**fields):
    return msgspec.msgpack.encode(fields)


@pytest.fixture(params=[1, 2])
def old(tmp_path, request):
    """A journal of each older version with rows of a patient, hashed here by the rule of that version."""
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        previous, salt = bytes(32), b"0123456789abcdef"
        subject = hashlib.sha256(salt + b"DOE").digest()
        connection.execute("INSERT INTO patients VALUES (?, ?, 'DOE')", (subject, salt))
        for number in range(1, ROWS + 1):
            payload = pack(i=number)
            sealed = hashlib.sha256(salt + payload).digest()
            whose = subject if number > 2 else None
            fields = [number, "event", 1_790_000_000.0 + number, float(number), "run-0", whose, sealed]
            sha256 = hashlib.sha256(previous + msgspec.msgpack.encode(fields)).digest()
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*fields, previous, sha256))
            connection.execute("INSERT INTO payloads VALUES (?, ?, ?)", (number, salt, payload))
            previous = sha256
        if request.param == 2:
            connection.executescript(VERSION_2)
    return path


def version(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_an_older_journal_is_read_and_verified_as_it_is(old, tmp_path):
    assert [msgspec.msgpack.decode(row.payload)["i"] for row in read_rows(old)] == [1, 2, 3, 4, 5]
    verification = verify(old)
    assert (verification.holds, verification.version, verification.rows) == (True, version(old), ROWS)
    assert version(old) < journal_schema.VERSION
    assert backup(old, tmp_path / "copy.sqlite").holds
    assert version(tmp_path / "copy.sqlite") == version(old)


def test_opening_to_write_upgrades_and_the_chain_goes_on(old):
    before, head = list(read_rows(old)), verify(old).head
    with Journal(old, session="run-1") as journal:
        assert journal.head == head
        assert list(journal.rows()) == before
        reply = journal.append("reply", pack(ok=True), request_id="r1", patient_id="DOE")
        assert reply.previous_sha256 == head.sha256
        assert reply.subject == before[-1].subject
        assert journal.reply("r1") == reply
        assert version(old) == 3
        assert verify(old, head=head).holds
        assert journal.erase_patient("DOE", mentions=[1]).payloads == 5
    assert verify(old).holds


def test_an_upgrade_that_fails_leaves_the_older_version(old, monkeypatch):
    before, was = list(read_rows(old)), version(old)
    steps = (*journal_schema.STEPS, ("CREATE TABLE more (x)", "CREATE TABLE more (x)"))
    with monkeypatch.context() as patched:
        patched.setattr(journal_schema, "STEPS", steps)
        patched.setattr(journal_schema, "VERSION", len(steps))
        with pytest.raises(JournalError, match="table more already exists"):
            Journal(old, session="s")
    assert version(old) == was
    assert list(read_rows(old)) == before
    with Journal(old, session="s") as journal:
        assert journal.head == before[-1].head


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from igrt.engine import journal_schema
from igrt.engine.journal import Journal

class Killing(sqlite3.Connection):
    \"""Kills its process before the statement `at` of those that an upgrade has.\"""
    at, done = 0, 0

    def execute(self, sql, *parameters):
        if self.in_transaction:
            Killing.done += 1
            if Killing.done == Killing.at:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *parameters)

connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, **({"factory": Killing} | k))
Killing.at = int(sys.argv[2])
Journal(Path(sys.argv[1]), session="s").close()
"""


@pytest.mark.parametrize("old", [2], indirect=True)
def test_an_upgrade_that_is_killed_leaves_one_version_or_the_other(old):
    before, seen = list(read_rows(old)), []
    for at in range(1, 60):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(old), str(at)], check=False, timeout=60).returncode
        seen.append(version(old))
        assert verify(old).holds
        assert list(read_rows(old)) == before
        if not killed:
            break
        assert killed == -signal.SIGKILL
    assert seen[:-1] == [2] * (len(seen) - 1)
    assert (len(seen) > 6, seen[-1]) == (True, 3)


def test_a_changed_row_of_an_older_version_is_found(old):
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DROP TRIGGER journal_no_update")
        connection.execute("UPDATE journal SET session = '' WHERE number = 3")
        connection.execute(
            "CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
        )
    fault = verify(old).fault
    assert (fault.kind, fault.number) == (FaultKind.CHANGED, 3)


def test_a_newer_journal_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "j.sqlite"
    Journal(path, session="s").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 4")
    before = path.read_bytes()
    for use in (
        lambda: Journal(path, session="s"),
        lambda: verify(path),
        lambda: list(read_rows(path)),
        lambda: backup(path, tmp_path / "copy"),
    ):
        with pytest.raises(JournalError, match="has version 4 and this software knows 3; use the newer igrt that wrote it"):
            use()
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (x)")
    before = path.read_bytes()
    for use in (lambda: Journal(path, session="s"), lambda: verify(path), lambda: restore(path, tmp_path / "new.sqlite")):
        with pytest.raises(JournalError, match="this is no journal of igrt"):
            use()
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_journal_but_is_none_yet(tmp_path):
    path = tmp_path / "j.sqlite"
    path.touch()
    with pytest.raises(JournalError, match="this is no journal"):
        verify(path)
    Journal(path, session="s").close()
    assert verify(path).holds


def test_the_schema_has_the_steps_of_its_version(tmp_path):
    with closing(sqlite3.connect(":memory:")) as model, closing(sqlite3.connect(":memory:")) as frozen:
        for statement in (*journal_schema.STEPS[0], *journal_schema.STEPS[1]):
            model.execute(statement)
        frozen.executescript(VERSION_1 + VERSION_2)
        schemas = [sorted(c.execute("SELECT type, name, sql FROM sqlite_schema")) for c in (model, frozen)]
        assert [[s and " ".join(s.split()) for s in row] for row in schemas[0]] == [
            [s and " ".join(s.split()) for s in row] for row in schemas[1]
        ]
    assert journal_schema.VERSION == len(journal_schema.STEPS) == 3
