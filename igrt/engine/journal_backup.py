"""Copies of the journal: taken while it is written, in one file, and put in place only once their chain is proved."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from igrt.engine.journal import Journal
from igrt.engine.journal_rows import Erasure, Head, JournalError
from igrt.engine.journal_schema import WriterLock, create_private, open_to_read, sync_folder, told, version_of
from igrt.engine.journal_verify import Verification, verify


def backup(journal: Path, target: Path) -> Verification:
    """Copy a journal, also one that is being written, to a new file; JournalError where that is there or the copy does not hold.

    The copy holds patient data, and keeps it when a patient is erased from the journal.
    """
    return _copy(journal, target, head=None)


def restore(copy: Path, journal: Path, *, head: Head | None = None) -> Verification:
    """Put a backup where no journal is; JournalError where one is, is being written, or the backup does not hold.

    `head`, the last that was heard or printed, tells whether rows are missing that came after the backup: then JournalError.
    """
    lock = WriterLock(journal)
    try:
        return _copy(copy, journal, head=head)
    finally:
        lock.release()


def erase_from(copy: Path, work: Callable[[Journal], Erasure | None]) -> Erasure | None:
    """Replace a backup by one from which `work` erased a patient; left alone where it erased nothing. JournalError as of `backup`.

    The backup is there whole at any time, and it is upgraded to this software's version.
    """
    partial = copy.with_name(copy.name + ".partial")
    lock = partial.with_name(partial.name + ".lock")
    try:
        remove_copy(partial)
        create_private(partial)
        _copy_pages(copy, partial)
        with Journal(partial, session=uuid.uuid4().hex) as journal:
            erasure = work(journal)
        if erasure is None:
            return None
        _in_one_file(partial)
        found = verify(partial)
        if found.fault or not erasure.scrubbed:
            raise JournalError(f"{copy}: {found.fault.sentence if found.fault else 'the disk is full'}; the backup was left as it is")
        _sync(partial)
        partial.replace(copy)
        sync_folder(copy.absolute().parent)
    except OSError as error:
        raise JournalError(f"{copy}: cannot be written ({error.strerror}); make its folder writable") from error
    finally:
        remove_copy(partial)
        lock.unlink(missing_ok=True)
    return erasure


def _copy(source: Path, target: Path, *, head: Head | None) -> Verification:
    refuse_if_there(target)
    partial = target.with_name(target.name + ".partial")
    try:
        remove_copy(partial)  # of a copy that broke off
        create_private(partial)
        _copy_pages(source, partial)
        found = verify(partial, head=head)
        if found.fault:
            raise JournalError(f"{source}: {found.fault.sentence}; nothing was copied, find out what happened")
        _sync(partial)
        partial.replace(target)
        sync_folder(target.absolute().parent)
    except OSError as error:
        raise JournalError(f"{target}: cannot be written ({error.strerror}); give another place") from error
    finally:
        remove_copy(partial)
    return dataclasses.replace(found, path=target)


def refuse_if_there(target: Path) -> None:
    """JournalError where a file is in the way, or a log that SQLite would read into a new one."""
    for there in _files(target):
        if there.exists():
            raise JournalError(f"{there}: something is there already; move it away first, or give another name")


def _files(path: Path) -> list[Path]:
    """A database and what SQLite keeps beside it; a log left beside another file would be read into it."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-journal"))]


def remove_copy(path: Path) -> None:
    """A copy that is not wanted any more, with what SQLite keeps beside it."""
    for file in _files(path):
        file.unlink(missing_ok=True)


def _copy_pages(source: Path, partial: Path) -> None:
    with closing(open_to_read(source)) as journal:
        try:
            version_of(journal, source)
        except sqlite3.Error as error:
            raise told(source, error) from error
        try:
            with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
                journal.backup(copy)
        except sqlite3.Error as error:
            raise told(partial, error) from error
    _in_one_file(partial)


def _in_one_file(path: Path) -> None:
    """One file without a log, readable where nothing can be written."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # only at its end SQLite tells whether this worked
    except sqlite3.Error as error:
        raise told(path, error) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
