"""A disk between SQLite and the file system: it records every write, truncation and sync, and fails where it is told to.

The default VFS of the very library that `sqlite3` uses is wrapped, so the journal under test runs unchanged. Syncs are
recorded and not carried out: what survives a power cut is worked out from the record (see power_cut.py).
"""

import ctypes
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest

from igrt.engine import journal_schema

OK, NO_SPACE = 0, sqlite3.SQLITE_FULL
WRITE_FAILS, SYNC_FAILS, TRUNCATE_FAILS = (sqlite3.SQLITE_IOERR | n << 8 for n in (3, 4, 6))
_INT, _LONG, _POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)  # the name as a pointer: SQLite keeps it
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)
_WRITE = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("file_bytes", _INT),
        ("longest_path", _INT),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("app_data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
        ("others", _POINTER * 13),
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("version", _INT),
        ("close", _POINTER),
        ("read", _POINTER),
        ("write", _POINTER),
        ("truncate", _POINTER),
        ("sync", _POINTER),
        ("others", _POINTER * 13),
    ]


@dataclass(frozen=True)
class Write:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True)
class Sync:
    file: str


@dataclass(frozen=True)
class Delete:
    file: str
    folder_synced: bool


@dataclass(frozen=True)
class FolderSync:
    """Names in the folder, made and removed, survive from here on; "" is the journal's own folder."""

    folder: str = ""


@dataclass(frozen=True)
class Mark:
    """Set by the test: the journal has acknowledged rows up to `number`."""

    number: int


@dataclass
class Disk:
    """The record, and which write, truncation or sync, counted each for itself, fails from when on until healed."""

    record: list[object] = field(default_factory=list)
    failing: tuple[type, int, int] | None = None  # what, from which on, SQLite's code
    shared_memory: bool = True  # without it, as on many network disks, there is no write-ahead log
    made: Counter[type] = field(default_factory=Counter)

    def fails(self, what: type) -> int:
        """SQLite's code for the operation about to be made, 0 where it succeeds."""
        place = self.made[what]
        self.made[what] += 1
        if self.failing is None or self.failing[0] is not what or place < self.failing[1]:
            return OK
        return self.failing[2]


def _library() -> ctypes.CDLL:
    """SQLite as `sqlite3` has it loaded; tests are skipped where it is built in and has no symbols of its own."""
    paths = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libsqlite3.so" in line}
    if len(paths) != 1:
        pytest.skip("Python's sqlite3 uses no shared libsqlite3 here, so no disk can be put under it")
    library = ctypes.CDLL(paths.pop())
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    library.sqlite3_vfs_register.argtypes = [ctypes.POINTER(_Vfs), _INT]
    library.sqlite3_vfs_unregister.argtypes = [ctypes.POINTER(_Vfs)]
    return library


def _file_name(pointer: int) -> str:
    return Path(ctypes.string_at(pointer).decode()).name


class _Wrapped:
    """The default VFS with our methods in place of five of its own; kept alive while it is registered."""

    def __init__(self, original: "ctypes._Pointer[_Vfs]", disk: Disk) -> None:
        self.disk, self._original, self._names = disk, original, {}
        self._methods: dict[int, tuple[_Methods, tuple[object, ...]]] = {}
        self.vfs = _Vfs.from_buffer_copy(original.contents)
        self.vfs.name = b"igrt-recording"
        self._callbacks = (_OPEN(self._open), _DELETE(self._delete))
        self.vfs.open, self.vfs.delete = (ctypes.cast(c, _POINTER).value for c in self._callbacks)

    def _open(self, _: int, name: int | None, file: int, flags: int, out: int) -> int:
        code = _OPEN(self._original.contents.open)(ctypes.addressof(self._original.contents), name, file, flags, out)
        slot = ctypes.cast(file, ctypes.POINTER(_POINTER))
        if code == OK and name is not None and slot[0]:
            self._names[file] = _file_name(name)
            slot[0] = self._wrapped(slot[0])
        return int(code)

    def _delete(self, _: int, name: int, sync_folder: int) -> int:
        self.disk.record.append(Delete(_file_name(name), bool(sync_folder)))
        return int(_DELETE(self._original.contents.delete)(ctypes.addressof(self._original.contents), name, sync_folder))

    def _wrapped(self, address: int) -> int:
        if address not in self._methods:
            real = _Methods.from_address(address)
            ours = _Methods.from_buffer_copy(real)
            ours.version = ours.version if self.disk.shared_memory else 1
            write, truncate = _WRITE(real.write), _TRUNCATE(real.truncate)

            def on_write(file: int, data: int, length: int, offset: int) -> int:
                code = self.disk.fails(Write)
                length = length // 2 if code else length  # what no longer fits is cut, as the system does
                self.disk.record.append(Write(self._names[file], offset, ctypes.string_at(data, length)))
                return write(file, data, length, offset) or code

            def on_truncate(file: int, size: int) -> int:
                code = self.disk.fails(Truncate)
                if code:
                    return code
                self.disk.record.append(Truncate(self._names[file], size))
                return truncate(file, size)

            def on_sync(file: int, _: int) -> int:
                code = self.disk.fails(Sync)
                if not code:
                    self.disk.record.append(Sync(self._names[file]))
                return code

            callbacks = (_WRITE(on_write), _TRUNCATE(on_truncate), _SYNC(on_sync))
            ours.write, ours.truncate, ours.sync = (ctypes.cast(c, _POINTER).value for c in callbacks)
            self._methods[address] = (ours, (*callbacks, write, truncate))
        return ctypes.addressof(self._methods[address][0])


@contextmanager
def recording_disk(*, shared_memory: bool = True) -> Iterator[Disk]:
    """Every SQLite file opened by default within is on this disk; all must be closed before the end."""
    library, disk = _library(), Disk(shared_memory=shared_memory)
    wrapped = _Wrapped(library.sqlite3_vfs_find(None), disk)
    assert library.sqlite3_vfs_register(ctypes.byref(wrapped.vfs), 1) == OK
    try:
        with patch.object(journal_schema, "sync_folder", lambda _: disk.record.append(FolderSync())):
            yield disk
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(wrapped.vfs))
