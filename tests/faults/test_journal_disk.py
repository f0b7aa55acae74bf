"""The journal's writes and syncs recorded, then the power cut at every one of them; and every one of them failing."""

import shutil
import subprocess

import pytest

from igrt.engine.journal import Journal, JournalError, JournalFailedError, JournalFullError
from igrt.engine.journal_backup import backup
from igrt.engine.journal_verify import verify
from tests.faults.journal_work import PATIENT, open_journal, payload, steps, whole_batches
from tests.faults.power_cut import leave_behind
from tests.faults.sqlite_disk import (
    NO_SPACE,
    SYNC_FAILS,
    TRUNCATE_FAILS,
    WRITE_FAILS,
    FolderSync,
    Mark,
    Sync,
    Truncate,
    Write,
    recording_disk,
)

SEED = 5


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The record of a day, and its rows; the journal closed and opened half-way."""
    path = tmp_path_factory.mktemp("recorded") / "j.sqlite"
    with recording_disk() as disk:
        todo = list(steps(SEED))
        for part in (todo[:4], todo[4:]):
            with open_journal(path) as journal:
                for step in part:
                    step(journal)
                    disk.record.append(Mark(journal.head.number))
                rows = list(journal.rows())
    assert sum(isinstance(o, Truncate) for o in disk.record) >= 3, "no checkpoint is in the record"
    return disk.record, rows


def test_a_power_cut_at_any_write_or_sync_loses_nothing_that_was_acknowledged(recorded, tmp_path):
    record, rows = recorded
    marks = [o.number for o in record if isinstance(o, Mark)]
    erased = next(row.number for row in rows if row.kind == "patient_erased")
    with recording_disk():
        for cut in range(len(record) + 1):
            acknowledged = max([0, *(o.number for o in record[:cut] if isinstance(o, Mark))])
            in_flight = next((n for n in marks if n > acknowledged), acknowledged)
            for seed in (None, cut):
                folder = tmp_path / f"{cut}-{seed}"
                folder.mkdir()
                leave_behind(record[:cut], folder, seed=seed)
                with Journal(folder / "j.sqlite", session="after") as journal:
                    there = list(journal.rows())
                    assert len(there) in (acknowledged, in_flight)
                    assert [row.sha256 for row in there] == [row.sha256 for row in rows[: len(there)]]
                    assert whole_batches(there)
                    if len(there) >= erased:
                        assert not any(PATIENT.encode() in row.payload for row in there if row.payload)
                    assert all(journal.reply(row.request_id) == row for row in there if row.request_id)
                    journal.append("event", payload(after="the cut"))
                    assert verify(journal.path).holds
                shutil.rmtree(folder)


@pytest.mark.parametrize("forgotten", [Sync, FolderSync])
def test_the_power_cut_notices_a_forgotten_sync(recorded, tmp_path, forgotten):
    """The test above must be able to fail."""
    record, rows = recorded
    record = [o for o in record if not isinstance(o, forgotten)]
    found = set()
    for seed in (None, *range(20)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        leave_behind(record[: record.index(Mark(len(rows)))], folder, seed=seed)
        try:
            with Journal(folder / "j.sqlite", session="after") as journal:
                found.add(journal.head.number)
        except JournalError:
            found.add(None)
    assert found != {len(rows)}


def a_day(disk, path, *, on_full=None):
    """Every step until one fails for good; a full disk is given room once, and the step taken again.

    Gives the number of the last acknowledged row, and the error.
    """
    acknowledged = 0

    def take(step):
        try:
            return step()
        except JournalFullError:
            disk.failing = None
            on_full(acknowledged)
            return step()

    try:
        journal = take(lambda: open_journal(path))
    except JournalFailedError as error:
        return acknowledged, error
    with journal:
        for step in steps(SEED):
            try:
                take(lambda step=step: step(journal))
            except JournalFailedError as error:
                with pytest.raises(JournalFailedError):
                    journal.append("event", payload(after="failure"))
                return acknowledged, error
            acknowledged = journal.head.number
    return acknowledged, None


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """How many writes, truncations and syncs a day makes."""
    with recording_disk() as disk:
        a_day(disk, tmp_path_factory.mktemp("made") / "j.sqlite")
    return disk.made


def test_a_disk_full_at_any_write_says_so_and_keeps_nothing_half(made, tmp_path):
    refused = []
    for place in range(made[Write]):
        path = tmp_path / f"{place}.sqlite"
        copy = tmp_path / f"{place}-copy.sqlite"

        def as_left(acknowledged, path=path, copy=copy):
            refused.append(acknowledged)
            for end in ("", "-wal"):
                if path.with_name(path.name + end).exists():  # copied by another process: closing the file here drops SQLite's locks
                    subprocess.run(["cp", path.with_name(path.name + end), copy.with_name(copy.name + end)], check=True)
            with Journal(copy, session="after") as journal:
                assert journal.head.number == acknowledged

        with recording_disk() as disk:
            disk.failing = (Write, place, NO_SPACE)
            acknowledged, error = a_day(disk, path, on_full=as_left)
            disk.failing = None
            assert error is None
            check_reopened(path, acknowledged, exact=True)
    assert len(refused) > 40
    assert len(set(refused)) > 6, "the disk was full at one step only"


@pytest.mark.parametrize(
    ("what", "code"), [(Write, WRITE_FAILS), (Sync, SYNC_FAILS), (Truncate, TRUNCATE_FAILS)], ids=["write", "sync", "truncate"]
)
def test_a_disk_that_fails_stops_the_journal_and_loses_nothing_acknowledged(made, tmp_path, what, code):
    failed = 0
    for place in range(made[what]):
        path = tmp_path / f"{place}.sqlite"
        with recording_disk() as disk:
            disk.failing = (what, place, code)
            acknowledged, error = a_day(disk, path)
            failed += error is not None
            disk.failing = None
            check_reopened(path, acknowledged, exact=error is None)
    assert failed or what is Truncate, "only a checkpoint truncates, and one that fails loses nothing"


@pytest.mark.parametrize("code", [NO_SPACE, WRITE_FAILS])
def test_a_backup_that_the_disk_does_not_take_leaves_nothing_and_harms_nothing(tmp_path, code):
    path = tmp_path / "j.sqlite"
    with recording_disk() as disk, open_journal(path) as journal:
        journal.append("event", payload(noise=bytes(50_000)))
        first = disk.made[Write]
        backup(path, tmp_path / "whole")
        for place in range(first, disk.made[Write]):
            disk.failing = (Write, disk.made[Write] + place - first, code)
            with pytest.raises(JournalError):
                backup(path, tmp_path / "copy")
            disk.failing = None
            assert {file.name for file in tmp_path.iterdir()} == {"whole", *(path.name + end for end in ("", "-wal", "-shm", ".lock"))}
        assert journal.append("event", payload()).number == 2


def test_a_disk_without_shared_memory_is_refused(tmp_path):
    with recording_disk(shared_memory=False), pytest.raises(JournalError, match="put the journal on a local disk"):
        Journal(tmp_path / "j.sqlite", session="s")


def check_reopened(path, acknowledged, *, exact):
    with Journal(path, session="after") as journal:
        rows = list(journal.rows())
        assert len(rows) == acknowledged if exact else len(rows) >= acknowledged
        assert whole_batches(rows)
        journal.append("event", payload(after="all"))
        assert verify(path).holds
