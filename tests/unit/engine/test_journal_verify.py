"""What was changed, removed, inserted or moved in a journal is found and named."""

import shutil
import sqlite3
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.engine.journal import Entry, Head, Journal, JournalError, read_rows
from igrt.engine.journal_faults import FaultKind
from igrt.engine.journal_rows import commitment
from igrt.engine.journal_verify import verify

ROWS = 9
COLUMNS = "number, kind, utc_unix_s, monotonic_s, session, subject, payload_sha256, previous_sha256, sha256, request_id"


def pack(**fields):
    return msgspec.msgpack.encode(fields)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Nine rows of two patients and none, one of them a reply; the last patient was not erased."""
    path = tmp_path_factory.mktemp("pristine") / "j.sqlite"
    with Journal(path, session="run-1", clock=lambda: (1_790_000_000.0, 3.5)) as journal:
        journal.append("event", pack(i=1), patient_id="A")
        journal.append_all([Entry("event", pack(i=2)), Entry("reply", pack(i=3), request_id="r3", patient_id="B")])
        for i in (4, 5, 6):
            journal.append("event", pack(i=i), patient_id="B")
        journal.erase_patient("A")
        journal.append("event", pack(i=8))
        journal.append("event", pack(i=9))
    return path


@pytest.fixture
def path(pristine, tmp_path):
    shutil.copyfile(pristine, tmp_path / "j.sqlite")
    return tmp_path / "j.sqlite"


def tamper(path, *statements):
    """With the protection taken off before and put on again after."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


def renumber_from(path, place, by):
    """Give each row from `place` on another number, and its payload with it."""
    for table in ("journal", "payloads"):
        tamper(
            path,
            f"UPDATE {table} SET number = -number WHERE number >= {place}",
            f"UPDATE {table} SET number = -number + {by} WHERE number < 0",
        )


def found(path, head=None):
    verification = verify(path, head=head)
    fault = verification.fault
    assert not verification.holds
    assert fault.sentence in verification.sentence
    return fault.kind, fault.number


def test_an_untouched_journal_holds_and_tells_its_head_and_what_was_erased(path):
    verification = verify(path)
    assert verification.holds
    assert (verification.rows, verification.version) == (ROWS, 3)
    assert verification.head == list(read_rows(path))[-1].head
    assert [(e.number, e.payloads, e.utc_unix_s) for e in verification.erased] == [(7, 1, 1_790_000_000.0)]
    assert f"9 rows hold, head {verification.head}" in verification.sentence
    assert "1 payloads were erased with their patient by command at 2026-09-21 14:13:20 UTC, row 7" in verification.sentence


def test_a_journal_without_rows_holds(tmp_path):
    Journal(tmp_path / "j.sqlite", session="s").close()
    assert verify(tmp_path / "j.sqlite", head=Head(0, bytes(32))).holds


def test_verifying_changes_nothing_and_needs_no_lock(path):
    before = path.read_bytes()
    with Journal(path, session="run-2"):
        assert verify(path).holds
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", [1, 5, ROWS])
@pytest.mark.parametrize(
    "change",
    [
        "kind = 'other'",
        "utc_unix_s = utc_unix_s + 1",
        "utc_unix_s = 'noon'",
        "monotonic_s = 0",
        "session = ''",
        "session = x'00'",
        "subject = x'00'",
        "request_id = 'r9'",
        "payload_sha256 = zeroblob(32)",
        "sha256 = zeroblob(32)",
    ],
)
def test_a_changed_row_is_named(path, number, change):
    tamper(path, f"UPDATE journal SET {change} WHERE number = {number}")
    assert found(path) == (FaultKind.CHANGED, number)


def test_a_row_that_names_another_before_it_is_named(path):
    tamper(path, "UPDATE journal SET previous_sha256 = zeroblob(32) WHERE number = 5")
    assert found(path) == (FaultKind.CHANGED, 5)


@pytest.mark.parametrize("change", ["payload = x'80'", "payload = 'text'", "payload = x''", "salt = zeroblob(16)"])
def test_a_changed_payload_is_named(path, change):
    tamper(path, f"UPDATE payloads SET {change} WHERE number = 5")
    kind, number = found(path)
    assert number == 5
    assert kind in (FaultKind.CHANGED, FaultKind.REMOVED)


def test_a_row_changed_and_hashed_anew_is_named(path):
    row = list(read_rows(path))[4]
    forged = row.__class__(**{name: getattr(row, name) for name in row.__slots__} | {"session": "forged"})
    tamper(path, ("UPDATE journal SET session = 'forged', sha256 = ? WHERE number = 5", (forged.seal(),)))
    assert found(path) == (FaultKind.CHANGED, 5)


@pytest.mark.parametrize("first", [1, 5])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("renumbered", [False, True])
def test_removed_rows_are_named(path, first, rows, renumbered):
    for table in ("journal", "payloads"):
        tamper(path, f"DELETE FROM {table} WHERE number BETWEEN {first} AND {first + rows - 1}")
    if renumbered:
        renumber_from(path, first, -rows)
    assert found(path) == (FaultKind.REMOVED, first)
    assert verify(path).rows == first - 1


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("place", [2, 8])
def test_an_inserted_row_is_named(path, place, sealed):
    rows = list(read_rows(path))
    like = rows[1]
    fields = {name: getattr(like, name) for name in like.__slots__} | {"number": place, "previous_sha256": rows[place - 2].sha256}
    forged = like.__class__(**fields | {"payload_sha256": commitment(b"salt", pack())})
    renumber_from(path, place, 1)
    previous, seal = (forged.previous_sha256, forged.seal()) if sealed else (bytes(32), bytes(32))
    values = (place, forged.kind, forged.utc_unix_s, forged.monotonic_s, forged.session, None, forged.payload_sha256, previous, seal, None)
    tamper(
        path,
        ("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values),
        (f"INSERT INTO payloads VALUES ({place}, ?, ?)", (b"salt", pack())),
    )
    assert found(path) == (FaultKind.INSERTED, place)


def test_a_copy_of_an_earlier_row_is_inserted(path):
    renumber_from(path, 6, 1)
    tamper(
        path,
        f"INSERT INTO journal SELECT 6, {COLUMNS.removeprefix('number, ').replace('request_id', 'NULL')} FROM journal WHERE number = 2",
    )
    assert found(path) == (FaultKind.INSERTED, 6)


@settings(max_examples=25)
@given(order=st.permutations(range(1, ROWS + 1)).filter(lambda order: list(order) != sorted(order)), payloads_too=st.booleans())
def test_any_other_order_is_reordered(pristine, tmp_path_factory, order, payloads_too):
    path = tmp_path_factory.mktemp("order") / "j.sqlite"
    shutil.copyfile(pristine, path)
    for table in ("journal", "payloads")[: 1 + payloads_too]:
        moves = [f"UPDATE {table} SET number = {-place} WHERE number = {number}" for place, number in enumerate(order, 1)]
        tamper(path, *moves, f"UPDATE {table} SET number = -number")
    place, number = next((place, number) for place, number in enumerate(order, 1) if place != number)
    assert found(path) == (FaultKind.REORDERED, number)
    assert f"row {number} was moved: it stands in place {place}" in verify(path).sentence


def test_a_cut_end_is_found_against_a_recorded_head_only(path):
    heads = {row.number: row.head for row in read_rows(path)}
    for table in ("journal", "payloads"):
        tamper(path, f"DELETE FROM {table} WHERE number > 7")
    assert verify(path).holds
    assert verify(path, head=heads[7]).holds
    assert found(path, head=heads[9]) == (FaultKind.TRUNCATED, 8)
    assert "rows 8 to 9 are missing from the end" in verify(path, head=heads[9]).sentence
    assert found(path, head=heads[8]) == (FaultKind.TRUNCATED, 8)


def test_a_history_written_anew_is_found_against_a_recorded_head(path):
    assert verify(path, head=list(read_rows(path))[4].head).holds
    assert found(path, head=Head(5, bytes(32))) == (FaultKind.CHANGED, 5)


@pytest.mark.parametrize("number", [2, 4, 7])
def test_a_payload_gone_without_a_command_is_named(path, number):
    tamper(path, f"DELETE FROM payloads WHERE number = {number}")
    assert found(path) == (FaultKind.REMOVED, number)


@pytest.mark.parametrize(
    ("statement", "kind", "number"),
    [
        ("INSERT INTO payloads VALUES (99, x'00', x'80')", FaultKind.INSERTED, 99),
        ("UPDATE patients SET patient_id = 'C'", FaultKind.CHANGED, 3),
        ("UPDATE patients SET salt = x'00'", FaultKind.CHANGED, 3),
        ("DELETE FROM patients", FaultKind.REMOVED, 3),
        ("INSERT INTO patients SELECT subject, x'00', 'A' FROM journal WHERE number = 1", FaultKind.INSERTED, None),
    ],
)
def test_what_stands_beside_the_chain_is_checked(path, statement, kind, number):
    tamper(path, statement)
    assert found(path) == (kind, number)


def test_an_erased_payload_that_is_back_is_named(path):
    salt, payload = b"s" * 16, pack(i=1)
    with closing(sqlite3.connect(path)) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM payloads WHERE number = 1").fetchone()
    assert kept == 0
    tamper(path, ("INSERT INTO payloads VALUES (1, ?, ?)", (salt, payload)))
    assert found(path) == (FaultKind.CHANGED, 1), "the salt is gone, so not even the right payload can come back"


def test_a_payload_kept_past_its_erasure_is_named(path):
    """As if the command had written its row and deleted nothing."""
    with Journal(path, session="s") as journal:
        journal.append("event", pack(i=10), patient_id="C")
    with closing(sqlite3.connect(path)) as connection:
        salt, payload = connection.execute("SELECT salt, payload FROM payloads WHERE number = 10").fetchone()
    with Journal(path, session="s") as journal:
        journal.erase_patient("C")
    tamper(path, ("INSERT INTO payloads VALUES (10, ?, ?)", (salt, payload)))
    assert found(path) == (FaultKind.INSERTED, 10)


@pytest.mark.parametrize(
    "statement",
    ["DROP TRIGGER journal_no_delete", "DROP INDEX journal_replies", "CREATE TRIGGER more BEFORE UPDATE ON journal BEGIN SELECT 1; END"],
)
def test_protection_taken_off_is_found_and_such_a_journal_is_not_written(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    assert found(path) == (FaultKind.UNREADABLE, None)
    with pytest.raises(JournalError, match="verify the journal and restore a backup"):
        Journal(path, session="s")


def test_a_file_that_is_no_database_is_a_fault(path):
    path.write_bytes(b"x" * 5000)
    assert found(path) == (FaultKind.UNREADABLE, None)


def test_what_is_not_there_cannot_be_verified(tmp_path):
    with pytest.raises(JournalError, match="there is no journal"):
        verify(tmp_path / "j.sqlite")


@settings(max_examples=30)
@given(data=st.data())
def test_any_changed_byte_of_any_payload_is_named(pristine, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("byte") / "j.sqlite"
    shutil.copyfile(pristine, path)
    with closing(sqlite3.connect(path)) as connection:
        payloads = connection.execute("SELECT number, payload FROM payloads").fetchall()
    number, payload = data.draw(st.sampled_from(payloads))
    place, flip = data.draw(st.integers(0, len(payload) - 1)), data.draw(st.integers(1, 255))
    changed = payload[:place] + bytes([payload[place] ^ flip]) + payload[place + 1 :]
    tamper(path, ("UPDATE payloads SET payload = ? WHERE number = ?", (changed, number)))
    assert found(path) == (FaultKind.CHANGED, number)


@settings(max_examples=150)
@given(data=st.data())
def test_a_changed_byte_of_the_file_changes_no_row_unnoticed(pristine, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("file") / "j.sqlite"
    content = bytearray(pristine.read_bytes())
    used = [i for i, byte in enumerate(content) if byte]  # most of the file is zeros between cells
    place = data.draw(st.sampled_from(used) | st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        holds = verify(path).holds
    except JournalError:
        return
    assert not holds or list(read_rows(path)) == list(read_rows(pristine))
