"""A patient's data goes by command, every byte of it, and the chain still holds and says so."""

import random
import sqlite3
from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.engine.journal import Entry, Journal, read_rows
from igrt.engine.journal_verify import verify
from tests.unit.engine.test_journal_verify import tamper

NAME = "DOE^JANE-7781"
NOON = 1_790_000_000.0


def pack(**fields):
    return msgspec.msgpack.encode(fields)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "j.sqlite"


@pytest.fixture
def journal(path):
    with Journal(path, session="s", clock=lambda: (NOON, 1.0)) as journal:
        yield journal


def bytes_on_disk(path):
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_payloads_go_rows_stay_and_the_erasure_is_a_row(journal, path):
    rows = [journal.append("event", pack(i=i), patient_id=NAME if i % 2 else "other") for i in range(6)]
    erasure = journal.erase_patient(NAME)
    assert (erasure.number, erasure.utc_unix_s, erasure.payloads, erasure.scrubbed) == (7, NOON, 3, True)
    now = list(journal.rows())
    assert [row.sha256 for row in now[:6]] == [row.sha256 for row in rows]
    assert [row.payload is None for row in now] == [False, True, False, True, False, True, False]
    assert (now[6].kind, msgspec.msgpack.decode(now[6].payload)) == ("patient_erased", {"payloads": 3})
    verification = verify(path)
    assert verification.holds
    assert verification.erased == (erasure,)


def test_a_patient_not_known_is_no_erasure(journal):
    journal.append("event", pack(), patient_id=NAME)
    assert journal.erase_patient("DOE") is None
    assert journal.head.number == 1
    assert journal.erase_patient(NAME).payloads == 1
    assert journal.erase_patient(NAME) is None


def test_rows_of_others_that_mention_the_patient_go_too_and_are_listed(journal, path):
    journal.append("request", pack(path=f"/plans/{NAME}"))
    journal.append("event", pack(i=2), patient_id=NAME)
    for i in (3, 4):
        journal.append("event", pack(seen=NAME if i == 3 else "another"), patient_id="other")
    erasure = journal.erase_patient(NAME, mentions=[1, 2, 3])
    assert [row.payload is None for row in journal.rows()] == [True, True, True, False, False]
    assert msgspec.msgpack.decode(list(journal.rows())[-1].payload) == {"payloads": 3, "mentions": [1, 3]}
    assert verify(path).erased == (erasure,)
    assert NAME.encode() not in bytes_on_disk(path)
    assert journal.erase_patient("other").payloads == 1, "the payload that went before is not counted again"
    assert [e.payloads for e in verify(path).erased] == [3, 1]
    assert verify(path).holds


def test_a_patient_without_rows_of_their_own_is_erased_from_those_of_others(journal, path):
    journal.append("request", pack(path=f"/plans/{NAME}"))
    assert journal.erase_patient(NAME, mentions=[]) is None
    assert journal.erase_patient(NAME, mentions=[1]).payloads == 1
    assert verify(path).holds
    assert journal.erase_patient(NAME, mentions=[1]) is None
    with pytest.raises(ValueError, match="tells of an erasure and stays"):
        journal.erase_patient(NAME, mentions=[2])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM payloads WHERE number = 2", "row 2 was removed without a command"),
        ("INSERT INTO payloads SELECT 1, salt, payload FROM payloads WHERE number = 2", "payload of row 1 was changed"),
        ("UPDATE journal SET subject = NULL WHERE number = 4", "row 4 was changed"),
    ],
)
def test_a_mention_is_proved_as_all_else_is(path, change, words):
    with Journal(path, session="s") as journal:
        for i in (1, 2, 3):
            journal.append("event", pack(i=i))
        journal.erase_patient(NAME, mentions=[1, 3])
    tamper(path, change)
    assert words in verify(path).sentence


def test_a_mention_that_is_back_is_named(path):
    with Journal(path, session="s") as journal:
        journal.append("event", pack(i=1))
        with closing(sqlite3.connect(path)) as connection:
            kept = connection.execute("SELECT number, salt, payload FROM payloads").fetchone()
        journal.erase_patient(NAME, mentions=[1])
    tamper(path, ("INSERT INTO payloads VALUES (?, ?, ?)", kept))
    assert "the payload of row 1 is there although row 2 tells that it was erased" in verify(path).sentence


def test_a_patient_who_comes_back_is_another_to_the_journal(journal, path):
    first = journal.append("event", pack(i=1), patient_id=NAME)
    journal.erase_patient(NAME)
    again = journal.append("event", pack(i=2), patient_id=NAME)
    assert again.subject != first.subject
    assert list(journal.rows())[-1].payload == again.payload
    assert [e.payloads for e in verify(path).erased] == [1]
    assert journal.erase_patient(NAME).payloads == 1
    assert [e.payloads for e in verify(path).erased] == [1, 1]


def test_an_erased_reply_is_still_an_answered_request(journal):
    journal.append("reply", pack(ok=True), request_id="r1", patient_id=NAME)
    journal.erase_patient(NAME)
    assert journal.reply("r1").payload is None
    assert journal.reply("r1").number == 1


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_no_byte_of_an_erased_patient_is_left(tmp_path_factory, seed):
    """Payloads from far below to far above a page, among those of others, some in the file and some in the log only."""
    rng = random.Random(seed)
    path = tmp_path_factory.mktemp("erased") / "j.sqlite"
    with Journal(path, session="s") as journal:
        entries = []
        for i in range(60):
            hers = rng.random() < 0.4
            mark = (NAME if hers else "another") + str(i)
            filler = mark * rng.choice((1, 20, 200, 900))
            entries.append(Entry("event", pack(mark=filler), patient_id=NAME if hers else "another"))
        journal.append_all(entries[:30])
        if rng.random() < 0.5:
            journal._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        journal.append_all(entries[30:])
        assert NAME.encode() in bytes_on_disk(path)
        assert journal.erase_patient(NAME).scrubbed
        assert NAME.encode() not in bytes_on_disk(path)
        assert verify(path).holds
    assert NAME.encode() not in bytes_on_disk(path)


def test_nothing_left_lets_a_guess_be_checked(journal, path):
    """A hash of the name or of a short payload would: few names, few payloads. The salts are gone with them."""
    journal.append("event", pack(fraction=1), patient_id=NAME)
    with closing(sqlite3.connect(path)) as connection:
        salts = [salt for table in ("patients", "payloads") for (salt,) in connection.execute(f"SELECT salt FROM {table}")]
    assert len(set(salts)) == 2
    assert all(len(salt) == 16 and salt in bytes_on_disk(path) for salt in salts)
    journal.erase_patient(NAME)
    assert not any(salt in bytes_on_disk(path) for salt in salts)


def test_a_reader_in_the_way_is_told_and_the_next_opening_scrubs(path, monkeypatch):
    monkeypatch.setattr("igrt.engine.journal_schema.BUSY_S", 0.05)
    with Journal(path, session="s") as journal:
        journal.append("event", pack(name=NAME), patient_id=NAME)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM journal").fetchone()
            assert not journal.erase_patient(NAME).scrubbed
            assert all(row.payload is None or NAME.encode() not in row.payload for row in read_rows(path))
            journal.append("event", pack(after="the reader"))
    with Journal(path, session="s"):
        assert NAME.encode() not in bytes_on_disk(path)
