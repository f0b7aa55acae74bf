"""What can be fetched: bytes of open files, named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from igrt.bus.messages import ImageGrid, RadiographFrame
from igrt.bus.topics import WireError
from igrt.engine.spool import RECORD, Description

HASHED_BYTES = 1 << 20


class OpenFile:
    """A file held open for as long as something is read from it, whether it still has a name or not."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __del__(self) -> None:
        os.close(self.handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What can be fetched: bytes of an open file; of one with a name, `path`, only as long as that is there."""

    file: OpenFile
    start_bytes: int
    total_bytes: int
    sha256: str
    grid: ImageGrid | None
    path: Path | None = None
    radiographs: list[RadiographFrame] | None = None

    def read(self, offset_bytes: int, most_bytes: int) -> bytes:
        """A chunk; WireError where it was taken off the disk meanwhile."""
        if self.path and not self.path.exists():
            raise WireError("unknown_content", f"image {self.path.stem} was taken off the disk; it cannot be had any more")
        return os.pread(self.file.handle, min(most_bytes, self.total_bytes - offset_bytes), self.start_bytes + offset_bytes)


def image_content(spool: Path, image_id: str, *, plan_fingerprint: str) -> Content:
    """A whole image of this plan; WireError where there is none."""
    try:
        description = msgspec.json.decode((spool / f"{image_id}.json").read_bytes(), type=Description)
        file = OpenFile(os.open(spool / f"{image_id}.hu", os.O_RDONLY | os.O_CLOEXEC))
    except (OSError, msgspec.MsgspecError):
        description = None
    if description is None or description.plan_fingerprint != plan_fingerprint:
        raise WireError("unknown_content", f"there is no image {image_id} of the plan in use; ask for the snapshot")
    total = description.slices * description.slice_bytes
    records = os.pread(file.handle, description.slices * RECORD.size, total)
    stored = sum(slices for slices, _ in RECORD.iter_unpack(records))
    if stored != description.slices:
        raise WireError(
            "unknown_content",
            f"image {image_id} is not whole, {stored} of {description.slices} slices are here; fetch it after it has ended",
        )
    return Content(
        file=file,
        start_bytes=0,
        total_bytes=total,
        sha256=_sha256(file, total),
        grid=description.grid,
        path=spool / f"{image_id}.hu",
        radiographs=description.radiographs,
    )


def _sha256(file: OpenFile, total_bytes: int) -> str:
    digest = hashlib.sha256()
    for start in range(0, total_bytes, HASHED_BYTES):
        digest.update(os.pread(file.handle, min(HASHED_BYTES, total_bytes - start), start))
    return digest.hexdigest()
