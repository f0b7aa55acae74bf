"""Copies of a journal: whole, proved, in one file, and never over something that is there."""

import threading

import msgspec
import pytest

from igrt.engine import journal_backup
from igrt.engine.journal import Head, Journal, JournalError, read_rows
from igrt.engine.journal_backup import backup, restore
from igrt.engine.journal_verify import verify
from tests.unit.engine.test_journal_verify import tamper


def pack(**fields):
    return msgspec.msgpack.encode(fields)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "j.sqlite"
    with Journal(path, session="s") as journal:
        for i in range(5):
            journal.append("event", pack(i=i), patient_id="P")
    return path


def test_a_backup_is_one_file_with_the_same_rows(path, tmp_path):
    copy = tmp_path / "copies" / "j.sqlite"
    copy.parent.mkdir()
    verification = backup(path, copy)
    assert verification.path == copy
    assert verification.holds
    assert verification.head == verify(path).head
    assert list(read_rows(copy)) == list(read_rows(path))
    assert [file.name for file in copy.parent.iterdir()] == ["j.sqlite"]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.read_bytes()[18:20] == b"\x01\x01", "not in write-ahead mode, so that it can be read where nothing can be written"


def test_a_backup_taken_while_the_journal_is_written_is_a_moment_of_it(path, tmp_path):
    with Journal(path, session="s") as journal:
        stop = threading.Event()

        def write():
            while not stop.is_set():
                journal.append_all([])
                journal.append("event", pack(noise=bytes(3000)))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            heads = [backup(path, tmp_path / f"copy-{i}").head for i in range(4)]
        finally:
            stop.set()
            writer.join()
        assert [h.number for h in heads] == sorted(h.number for h in heads)
        hashes = {row.number: row.sha256 for row in journal.rows()}
        assert all(hashes[h.number] == h.sha256 for h in heads)


def test_a_restored_journal_goes_on_where_the_backup_ends(path, tmp_path):
    backup(path, tmp_path / "copy")
    new = tmp_path / "new.sqlite"
    assert restore(tmp_path / "copy", new).holds
    with Journal(new, session="s2") as journal:
        assert journal.append("event", pack()).number == 6
    assert verify(new, head=verify(tmp_path / "copy").head).holds


def test_a_backup_keeps_what_is_erased_later(path, tmp_path):
    backup(path, tmp_path / "copy")
    with Journal(path, session="s") as journal:
        journal.erase_patient("P")
    assert all(row.payload for row in read_rows(tmp_path / "copy"))
    backup(path, tmp_path / "later")
    assert [e.payloads for e in verify(tmp_path / "later").erased] == [5]


@pytest.mark.parametrize("end", ["", "-wal", "-journal"])
def test_nothing_is_overwritten(path, tmp_path, end):
    backup(path, tmp_path / "copy")
    there = tmp_path / f"new{end}"
    there.write_bytes(b"something")
    for put in (backup, restore):
        with pytest.raises(JournalError, match="something is there already; move it away first"):
            put(tmp_path / "copy", tmp_path / "new")
    assert there.read_bytes() == b"something"


def test_a_journal_that_is_being_written_is_not_restored_over(path, tmp_path):
    backup(path, tmp_path / "copy")
    with Journal(path, session="s"), pytest.raises(JournalError, match="another program writes this journal"):
        restore(tmp_path / "copy", path)


def test_a_damaged_journal_gives_no_backup_and_a_damaged_backup_no_journal(path, tmp_path):
    tamper(path, "UPDATE journal SET session = 'x' WHERE number = 3")
    for put in (backup, restore):
        with pytest.raises(JournalError, match="row 3 was changed"):
            put(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new.partial").exists()


def test_a_restore_against_a_recorded_head_tells_what_would_be_missing(path, tmp_path):
    backup(path, tmp_path / "copy")
    with Journal(path, session="s") as journal:
        head = journal.append("event", pack()).head
    with pytest.raises(JournalError, match="row 6 is missing from the end"):
        restore(tmp_path / "copy", tmp_path / "new", head=head)
    with pytest.raises(JournalError, match="row 5 is not the one whose head was recorded"):
        restore(tmp_path / "copy", tmp_path / "new", head=Head(5, bytes(32)))


def test_what_a_broken_copy_left_does_no_harm(path, tmp_path):
    for end in ("", "-wal", "-journal"):
        (tmp_path / f"new.partial{end}").write_bytes(b"left behind" * 100)
    assert backup(path, tmp_path / "new").rows == 5
    assert not list(tmp_path.glob("new.partial*"))


def test_a_place_that_cannot_be_written_is_named(path, tmp_path):
    with pytest.raises(JournalError, match="cannot be written"):
        backup(path, tmp_path / "nowhere" / "copy")
    with pytest.raises(JournalError, match="there is no journal"):
        backup(tmp_path / "none", tmp_path / "copy")
    (tmp_path / "text").write_bytes(b"x" * 5000)
    with pytest.raises(JournalError, match="text: the journal failed"):
        backup(tmp_path / "text", tmp_path / "copy")


def test_a_copy_is_on_disk_before_it_has_its_name(path, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(journal_backup, "_sync", lambda partial: synced.append((partial.name, (tmp_path / "copy").exists())))
    monkeypatch.setattr(journal_backup, "sync_folder", lambda folder: synced.append((folder.name, (tmp_path / "copy").exists())))
    backup(path, tmp_path / "copy")
    assert synced == [("copy.partial", False), (tmp_path.name, True)]
