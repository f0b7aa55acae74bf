"""A backup takes the place of a journal that is gone."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path

import msgspec

from igrt.engine.journal import Entry, Head, Journal
from igrt.engine.journal_backup import refuse_if_there, remove_copy, restore
from igrt.engine.journal_schema import sync_folder
from igrt.engine.journal_verify import Verification
from igrt.engine.lock import OnlyOne
from igrt.engine.record import FILE, RESTORED


def restore_into(folder: Path, copy: Path, *, head: Head | None = None) -> Verification:
    """Put a backup into an engine's folder that has no journal; what was found in it. InputError as of `restore`, or where an engine runs.

    A row after it says so: the engine starts idle, for what the backup left standing may long have been released, moved or seen otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal, new = folder / FILE, folder / f"{FILE}.new"
    with OnlyOne(folder):
        refuse_if_there(journal)
        remove_copy(new)  # of a restore that broke off
        try:
            found = restore(copy, new, head=head)
            with Journal(new, session=uuid.uuid4().hex) as opened:
                opened.append_all([Entry(RESTORED, msgspec.msgpack.encode({"rows": found.head.number}))])
            new.replace(journal)
            sync_folder(folder)
        finally:
            remove_copy(new)
            new.with_name(f"{new.name}.lock").unlink(missing_ok=True)
    return dataclasses.replace(found, path=journal)
