"""The journal: rows in order, together or not at all, one writer, and the first reply to a repeated request."""

import math
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.engine.journal import (
    AlreadyAnsweredError,
    Entry,
    Head,
    Journal,
    JournalError,
    JournalFailedError,
    read_rows,
    system_clock,
)
from igrt.engine.journal_verify import verify

NOON = 1_790_000_000.25


def pack(**fields):
    return msgspec.msgpack.encode(fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


def open_at_noon(path):
    return Journal(path, session="run-1", clock=lambda: (NOON, 12.5))


def test_a_row_says_what_when_and_in_which_run(path):
    with open_at_noon(path) as journal:
        row = journal.append("state_changed", pack(state="ready"))
        assert (row.number, row.kind, row.utc_unix_s, row.monotonic_s, row.session) == (1, "state_changed", NOON, 12.5, "run-1")
        assert (row.subject, row.request_id, row.previous_sha256) == (None, None, bytes(32))
        assert msgspec.msgpack.decode(row.payload) == {"state": "ready"}
        assert journal.head == row.head == Head(1, row.sha256)


def test_each_row_carries_the_hash_of_the_one_before_across_openings(path):
    with open_at_noon(path) as journal:
        first = journal.append("a", pack())
    with open_at_noon(path) as journal:
        assert journal.head == first.head
        second, third = journal.append_all([Entry("b", pack()), Entry("c", pack())])
        assert (second.previous_sha256, third.previous_sha256) == (first.sha256, second.sha256)
        assert list(journal.rows()) == [first, second, third]
        assert list(journal.rows(2)) == [third]
        assert list(journal.rows(3)) == []


def test_rows_read_back_as_they_were_written_however_many(path):
    with open_at_noon(path) as journal:
        written = journal.append_all([Entry("event", pack(i=i), patient_id="P" if i % 3 else None) for i in range(700)])
        assert tuple(journal.rows()) == written
        assert tuple(read_rows(path, since=650)) == written[650:]


@settings(max_examples=20)
@given(
    kind=st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True).filter(lambda k: k != "patient_erased"),
    session=st.text(st.characters(codec="utf-8"), max_size=40),
    patient=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    utc=st.floats(0, 4e9),
    monotonic=st.floats(0, 1e9),
    payload=st.binary(max_size=3000),
)
def test_whatever_is_written_reads_back_and_verifies(tmp_path_factory, kind, session, patient, utc, monotonic, payload):
    path = tmp_path_factory.mktemp("any") / "j.sqlite"
    with Journal(path, session=session, clock=lambda: (utc, monotonic)) as journal:
        row = journal.append(kind, pack(data=payload), patient_id=patient)
        assert list(journal.rows()) == [row]
        assert verify(path, head=row.head).holds


def test_the_system_clock_tells_both_times():
    utc, monotonic = system_clock()
    assert all(math.isfinite(t) and t > 0 for t in (utc, monotonic))
    assert utc > 1.7e9


def test_what_was_acknowledged_is_seen_by_others_at_once(path):
    with open_at_noon(path) as journal:
        for i in range(3):
            row = journal.append("event", pack(i=i))
            assert list(read_rows(path))[-1] == row


def test_writes_are_synced_and_logged_ahead(path):
    with open_at_noon(path) as journal:
        modes = [journal._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]


def test_only_this_user_can_read_it(path):
    with open_at_noon(path) as journal:
        journal.append("event", pack())
        files = list(path.parent.iterdir())
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


# -------------------------------------------------------------------------------------------------- replies


def test_a_repeated_request_gets_the_first_reply_even_after_a_crash(path):
    journal = open_at_noon(path)
    assert journal.reply("r1") is None
    _, reply = journal.append_all([Entry("event", pack(x=1)), Entry("reply", pack(ok=True), request_id="r1")])
    assert journal.reply("r1") == reply
    os.close(journal._lock._handle)  # as after a crash: nothing is closed in good order
    with open_at_noon(path) as again:
        assert again.reply("r1") == reply
        assert again.reply("r2") is None
    journal._connection.close()


def test_a_request_is_answered_once(path):
    with open_at_noon(path) as journal:
        journal.append("reply", pack(n=1), request_id="r1")
        for entries in (
            [Entry("event", pack()), Entry("reply", pack(n=2), request_id="r1")],
            [Entry("reply", pack(n=2), request_id="r2"), Entry("reply", pack(n=3), request_id="r2")],
        ):
            with pytest.raises(AlreadyAnsweredError, match="has a reply already; send that one"):
                journal.append_all(entries)
        assert journal.head.number == 1
        assert journal.append("event", pack()).number == 2


# ------------------------------------------------------------------------------------------- append-only


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET kind = 'x' WHERE number = 1",
        "DELETE FROM journal WHERE number = 2",
        "INSERT OR REPLACE INTO journal SELECT number, 'x', utc_unix_s, monotonic_s, session, subject, payload_sha256, previous_sha256,"
        " sha256, request_id FROM journal WHERE number = 1",
        "INSERT INTO journal SELECT 9, kind, 0, 0, '', NULL, payload_sha256, previous_sha256, sha256, NULL FROM journal WHERE number = 1",
        "UPDATE payloads SET payload = x'80' WHERE number = 1",
        "DELETE FROM payloads WHERE number = 1",
        "DELETE FROM payloads WHERE number = 2",
        "INSERT OR REPLACE INTO payloads VALUES (1, x'00', x'80')",
        "INSERT OR REPLACE INTO payloads VALUES (3, x'00', x'80')",
        "UPDATE patients SET patient_id = 'x'",
        "DELETE FROM patients",
        "INSERT OR REPLACE INTO patients SELECT subject, salt, 'x' FROM patients",
    ],
)
@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
def test_nothing_is_changed_or_removed_by_sql(path, statement, recursive_triggers):
    with open_at_noon(path) as journal:
        rows = [journal.append("event", pack(i=i), patient_id="P") for i in range(3)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive_triggers}")
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|erased by command"):
            connection.execute(statement)
    assert list(read_rows(path)) == rows
    assert verify(path).holds


def test_a_writer_notices_that_another_program_wrote(path):
    with open_at_noon(path) as journal:
        journal.append("event", pack())
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("INSERT INTO journal VALUES (2, 'x', 0, 0, '', NULL, x'', x'', x'', NULL)")
        for _ in range(2):
            with pytest.raises(JournalFailedError, match="another program wrote into this journal"):
                journal.append("event", pack())
        with pytest.raises(JournalFailedError):
            journal.reply("r1")
    with pytest.raises(JournalError, match="row 2, the last, was changed"):
        open_at_noon(path)


# ------------------------------------------------------------------------------------------------- opening


def test_a_second_writer_is_refused_with_a_sentence(path):
    with open_at_noon(path) as journal:
        with pytest.raises(JournalError, match="another program writes this journal; stop it"):
            open_at_noon(path)
        other = f"import pathlib; from igrt.engine.journal import Journal; Journal(pathlib.Path({str(path)!r}), session='')"
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, timeout=60)
        assert "another program writes this journal" in done.stderr
        journal.append("event", pack())
    with open_at_noon(path) as journal:
        assert journal.head.number == 1


def test_a_refused_opening_lets_go_of_the_lock(path):
    path.write_bytes(b"no database at all, but long enough for a header" * 40)
    for _ in range(2):
        with pytest.raises(JournalError, match="file is not a database"):
            open_at_noon(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"nowhere/j.sqlite.lock: cannot be opened"):
        open_at_noon(tmp_path / "nowhere" / "j.sqlite")


def test_a_folder_in_its_place_is_named(path):
    path.mkdir()
    with pytest.raises(JournalError, match="cannot be opened \\(Is a directory\\)"):
        open_at_noon(path)


def test_a_file_that_sqlite_cannot_open_is_named(path, monkeypatch):
    open_at_noon(path).close()

    def cannot(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", cannot)
    with pytest.raises(JournalError, match="unable to open database file"):
        list(read_rows(path))


def test_a_journal_that_is_not_there_is_not_read(path):
    with pytest.raises(JournalError, match="there is no journal"):
        list(read_rows(path))


def test_a_file_that_is_no_database_is_not_read(path):
    path.write_bytes(b"x" * 5000)
    with pytest.raises(JournalError, match="file is not a database"):
        list(read_rows(path))


# ------------------------------------------------------------------------------------------------- entries


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"kind": "patient_erased"}, "by erasing a patient only"),
        ({"kind": "two words"}, "kind 'two words'"),
        ({"kind": ""}, "kind ''"),
        ({"kind": "event\n"}, "kind"),
        ({"request_id": "ä"}, "request_id"),
        ({"patient_id": ""}, "patient_id is empty"),
        ({"payload": bytes((64 << 20) + 1)}, "the journal takes 64 MiB"),
    ],
)
def test_an_entry_is_valid_once_built(fields, what):
    with pytest.raises(ValueError, match=what):
        Entry(**({"kind": "event", "payload": b"\x80"} | fields))


def test_a_payload_that_is_no_messagepack_is_refused_and_nothing_is_written(path):
    with open_at_noon(path) as journal:
        with pytest.raises(ValueError, match="no MessagePack"):
            journal.append_all([Entry("event", pack()), Entry("event", b"\xc1")])
        assert journal.head.number == 0
        assert journal.append_all([]) == ()


def test_an_entry_shows_no_patient():
    assert "DOE" not in repr(Entry("event", pack(patient="DOE"), patient_id="DOE"))


def test_a_head_is_printed_and_read():
    head = Head(12, bytes(range(32)))
    assert Head.parse(f" {head}\n") == head
    for text in ("", "12", f"{head}0", f"-{head}", "12:xyz"):
        with pytest.raises(JournalError, match="is no journal head"):
            Head.parse(text)
