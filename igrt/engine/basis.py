"""What an answer rests on, as the journal keeps it: calibration files by hash and by value, voxels by hash, the clock, the build.

From these, the plan and the image `igrt replay` gives the same answer again.
"""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from msgspec import Struct

from igrt.guard.request import Record
from igrt.verification.machine import IsocentreCheck, MachineProfile, machine_of
from igrt.verification.protocol import Protocol, protocol_of
from igrt.verification.site import CalibrationFile, Kind

ANSWERING = ("geometry", "compute", "images", "registration", "verification", "answer.py", "errors.py")
DECIDING = (*ANSWERING, "guard", "bus", "engine")


class Build(Struct, frozen=True, kw_only=True):
    """What computed something. The same build gives the same bits; `processor` names what NumPy chooses its loops by."""

    igrt: str
    answer_sha256: str
    engine_sha256: str
    python: str
    numpy: str
    processor: str

    def answers_as(self, other: Build) -> bool:
        """Whether both give the same bits for the same image, on the same device."""
        return (self.answer_sha256, *self._runs_on) == (other.answer_sha256, *other._runs_on)

    def decides_as(self, other: Build) -> bool:
        """Whether both decide and word the same."""
        return (self.engine_sha256, *self._runs_on) == (other.engine_sha256, *other._runs_on)

    @property
    def _runs_on(self) -> tuple[str, str, str]:
        return self.python, self.numpy, self.processor


class UsedFile(Struct, frozen=True, kw_only=True):
    """A machine profile or protocol as it was read."""

    name: str
    path: str
    shipped: bool
    sha256: str
    tables: dict[str, Any]


class Used(Struct, frozen=True, kw_only=True):
    """What plans and images are judged by. The last isocentre check is None where there is no file of it."""

    machine: UsedFile
    protocol: UsedFile
    checked_at: datetime | None
    offset_mm: float | None

    @classmethod
    def of(cls, machine: MachineProfile, protocol: Protocol) -> Used:
        """As loaded."""
        check = machine.last_check
        return cls(
            machine=_used(machine.file),
            protocol=_used(protocol.file),
            checked_at=check.checked_at if check else None,
            offset_mm=check.offset_mm if check else None,
        )

    def load(self) -> tuple[MachineProfile, Protocol]:
        """Machine profile and protocol of these very values; InputError where this igrt no longer takes them."""
        check = None
        if self.checked_at is not None and self.offset_mm is not None:
            check = IsocentreCheck(checked_at=self.checked_at, offset_mm=self.offset_mm)
        return machine_of(_file(Kind.MACHINE, self.machine), check), protocol_of(_file(Kind.PROTOCOL, self.protocol))


class Basis(Struct, frozen=True, kw_only=True):
    """What one answer rests on beside its plan; `image_sha256` is of the voxels as they lie on disk, `device` of igrt.compute.device."""

    image_sha256: str
    judged_utc_unix_s: float
    device: str
    build: Build

    @property
    def now(self) -> datetime:
        """When the answer was given."""
        return datetime.fromtimestamp(self.judged_utc_unix_s, UTC)


class ClaimFacts(Struct, frozen=True, kw_only=True):
    """What a claim was decided on that no message in the journal says.

    Whether its token is the one that was issued, else how long it was; the site's records, or why there are none.
    """

    token_is_issued: bool
    token_characters: int
    records: tuple[Record, ...] = ()
    problem: str | None = None


def software_version() -> str:
    """Of igrt, as installed."""
    try:
        return version("igrt")
    except PackageNotFoundError:
        return "unversioned checkout"


@cache
def this_build() -> Build:
    """Of the program that asks, from its sources as they were when it first asked."""
    import numpy as np

    from igrt.compute import cpu

    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return Build(
        igrt=software_version(),
        answer_sha256=_sources(ANSWERING, cpu.load_native("baseline").SOURCE_HASH),
        engine_sha256=_sources(DECIDING, ""),
        python=platform.python_version(),
        numpy=np.__version__,
        processor=" ".join([platform.machine(), *found["baseline"], *found["found"]]),
    )


def _sources(parts: tuple[str, ...], more: str) -> str:
    """SHA-256 over the Python sources of these rooms, and `more`."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256(more.encode())
    for part in parts:
        place = package / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"\0{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _used(file: CalibrationFile) -> UsedFile:
    path = f"calibration/{file.kind}/{file.path.name}" if file.shipped else str(file.path)  # where this igrt is installed tells nothing
    return UsedFile(name=file.name, path=path, shipped=file.shipped, sha256=file.sha256, tables=file.tables)


def _file(kind: Kind, used: UsedFile) -> CalibrationFile:
    return CalibrationFile(kind=kind, name=used.name, path=Path(used.path), shipped=used.shipped, sha256=used.sha256, tables=used.tables)
