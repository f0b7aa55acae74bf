"""What a power cut leaves: all that was synced, and of the rest anything: writes kept, lost, or torn between sectors, in any mix."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.sqlite_disk import Delete, FolderSync, Sync, Truncate, Write

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Rename:
    """`name` takes the place of `target`; it survives from the next sync of the folder on."""

    name: str
    target: str


@dataclass
class _File:
    durable: bytearray | None = None
    pending: list[Write | Truncate | Delete] = field(default_factory=list)


def leave_behind(record: Sequence[object], folder: Path, *, seed: int | None) -> None:
    """Write the files that a cut at the end of `record` leaves; without a seed nothing that was not synced is kept."""
    rng = None if seed is None else random.Random(seed)
    files: dict[str, _File] = {}
    renames: list[Rename] = []
    for operation in record:
        if isinstance(operation, Rename):
            renames.append(operation)
        if isinstance(operation, FolderSync):
            for name, file in files.items():
                last = max((i for i, o in enumerate(file.pending) if isinstance(o, Delete)), default=None)
                if last is not None and _folder(name) == operation.folder:
                    file.durable, file.pending = None, file.pending[last + 1 :]
            for rename in [r for r in renames if _folder(r.target) == operation.folder]:
                _rename(files, rename)
                renames.remove(rename)
        if isinstance(operation, Write | Truncate | Delete | Sync):
            file = files.setdefault(operation.file, _File())
            if isinstance(operation, Sync):
                _settle(file, file.pending, None)
            elif isinstance(operation, Delete) and operation.folder_synced:
                files[operation.file] = _File()
            else:
                file.pending.append(operation)
    for rename in renames:
        if rng and rng.random() < 0.5:
            _rename(files, rename)
    for name, file in files.items():
        if rng:
            _settle(file, [o for o in file.pending if rng.random() < 0.5], rng)
        if file.durable is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(file.durable)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _rename(files: dict[str, _File], rename: Rename) -> None:
    if rename.name in files:
        files[rename.target] = files.pop(rename.name)


def _settle(file: _File, operations: Sequence[Write | Truncate | Delete], rng: random.Random | None) -> None:
    for operation in operations:
        if isinstance(operation, Delete):
            file.durable = None
            continue
        data = file.durable = bytearray() if file.durable is None else file.durable
        if isinstance(operation, Truncate):
            del data[operation.size :]
            data.extend(bytes(operation.size - len(data)))
            continue
        torn = rng is not None and rng.random() < 0.3
        for start in range(0, len(operation.data), SECTOR_BYTES):
            piece = operation.data[start : start + SECTOR_BYTES]
            if not (torn and rng is not None and rng.random() < 0.5):
                place = operation.offset + start
                data.extend(bytes(max(0, place + len(piece) - len(data))))
                data[place : place + len(piece)] = piece
    file.pending = []
