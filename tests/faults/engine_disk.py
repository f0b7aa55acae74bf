"""A whole engine on a recorded disk: what it writes, syncs and renames, in spool, key and journal, and what it tells, in one order.

Beside SQLite's disk (sqlite_disk.py) the calls of `os` in the modules that keep files are recorded. What is told is recorded right
before it goes to its socket, so that a cut after it must keep all that it says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from igrt.engine import chain, spool
from igrt.engine.server import Engine
from tests.faults.power_cut import Rename
from tests.faults.sqlite_disk import Disk, FolderSync, Sync, Truncate, Write, recording_disk

CHECKPOINT_PAGES = 60


@dataclass(frozen=True)
class Told:
    """A message that went to a socket: `events`, `commands` or `images`."""

    socket: str
    frame: bytes


class _RecordedOs:
    """`os` for a module: everything as it is, and written down."""

    def __init__(self, root: Path, record: list[object]) -> None:
        self._root, self._record, self._names = root, record, dict[int, str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        handle = os.open(path, flags, mode)
        self._names[handle] = self._name(Path(path))
        if flags & os.O_TRUNC:
            self._record.append(Truncate(self._names[handle], 0))
        return handle

    def pwrite(self, handle: int, data: Any, offset: int) -> int:
        written = os.pwrite(handle, data, offset)
        self._record.append(Write(self._names[handle], offset, bytes(data[:written])))
        return written

    def posix_fallocate(self, handle: int, offset: int, size: int) -> None:
        os.posix_fallocate(handle, offset, size)
        self._record.append(Truncate(self._names[handle], max(size, os.fstat(handle).st_size)))

    def fdatasync(self, handle: int) -> None:
        self._record.append(Sync(self._names[handle]))

    def fsync(self, handle: int) -> None:
        name = self._names[handle]
        if (self._root / name).is_dir():
            self._record.append(FolderSync("" if name == "." else name))
            return
        if name.endswith(".tmp"):  # written by a Python file, of which the system calls are not seen here
            self._record.append(Write(name, 0, (self._root / name).read_bytes()))
        self._record.append(Sync(name))

    def _name(self, path: Path) -> str:
        return path.resolve().relative_to(self._root.resolve()).as_posix()


class _Telling:
    """A socket that writes down what is told before it sends it."""

    def __init__(self, socket: Any, name: str, record: list[object]) -> None:
        self._socket, self._socket_name, self._record = socket, name, record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, frame: bytes) -> Any:
        self._record.append(Told(self._socket_name, frame))
        return self._socket.send(frame)

    def send_multipart(self, frames: list[bytes]) -> Any:
        self._record.append(Told(self._socket_name, bytes(frames[-1])))
        return self._socket.send_multipart(frames)


class RecordedEngine(Engine):
    """Tells in the record, and checkpoints so often that a session has several."""

    record: list[object]

    def _open(self, context: Any, session: str) -> None:
        super()._open(context, session)
        self._journal._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        for name in ("commands", "images", "events"):
            setattr(self, f"_{name}", _Telling(getattr(self, f"_{name}"), name, self.record))


@contextmanager
def recorded_engines(folder: Path) -> Iterator[Disk]:
    """Engines that run in `folder` within are recorded; all must have ended before the end."""
    original = Path.replace

    def rename(path: Path, target: Path) -> Path:
        done = original(path, target)
        if path.is_relative_to(folder):
            disk.record.append(Rename(path.relative_to(folder).as_posix(), Path(target).relative_to(folder).as_posix()))
        return done

    with recording_disk() as disk, ExitStack() as stack:
        recorded = _RecordedOs(folder, disk.record)
        for module in (spool, chain):
            stack.enter_context(patch.object(module, "os", recorded))
        stack.enter_context(patch.object(chain, "sync_folder", lambda _: disk.record.append(FolderSync())))
        stack.enter_context(patch.object(Path, "replace", rename))
        RecordedEngine.record = disk.record
        yield disk
