"""The recorded sessions of this folder: packed by `python -m tests.replay.record`, unpacked for a test, and rewritten to be wrong."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from igrt.engine.journal import Entry, Journal, Row, read_rows
from igrt.engine.journal_backup import backup
from igrt.engine.record import FILE, SPOOL
from igrt.engine.replay_turns import turns
from tests.replay.sessions import record, write_plan

RECORDINGS = Path(__file__).with_name("recordings")
PLAN = "plan"
Change = Callable[[Row, dict[str, Any]], dict[str, Any] | None]


def pack(files: dict[str, Path], target: Path) -> None:
    """A zip of files, of one date, so that the same content gives the same zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name].read_bytes(), zipfile.ZIP_DEFLATED)


def record_plan(folder: Path) -> Path:
    """Write the plan that all sessions share, and pack it."""
    plan = write_plan(folder / PLAN)
    pack({path.name: path for path in plan.iterdir()}, RECORDINGS / f"{PLAN}.zip")
    return plan


def record_session(name: str, folder: Path, plan: Path) -> Path:
    """Let a session happen and pack a copy of its journal with its images; the zip."""
    engine = record(name, folder / name, plan)
    copy = folder / f"{name}.sqlite"
    backup(engine / FILE, copy)
    files = {FILE: copy} | {f"{SPOOL}/{path.name}": path for path in (engine / SPOOL).iterdir()}
    pack(files, RECORDINGS / f"{name}.zip")
    return RECORDINGS / f"{name}.zip"


def unpack(name: str, folder: Path) -> Path:
    """A recorded session, or the plan; its folder."""
    with zipfile.ZipFile(RECORDINGS / f"{name}.zip") as archive:
        archive.extractall(folder / name)
    return folder / name


def rewrite(journal: Path, target: Path, change: Change) -> Path:
    """A journal like `journal`, its chain whole again, each payload as `change` gives it (None: as it was)."""
    for turn in turns(read_rows(journal)):
        first = turn.rows[0]
        with Journal(target, session=first.session, clock=lambda row=first: (row.utc_unix_s, row.monotonic_s)) as copy:
            copy.append_all([_changed(row, change) for row in turn.rows])
    return target


def _changed(row: Row, change: Change) -> Entry:
    payload = row.payload
    assert payload is not None
    changed = change(row, msgspec.msgpack.decode(payload))
    patient = None if row.subject is None else "PHANTOM"
    return Entry(row.kind, payload if changed is None else msgspec.msgpack.encode(changed), patient_id=patient, request_id=row.request_id)
