"""Images on disk as they arrive: space set aside first, then every slab written and synced before it is acknowledged.

An image is two files: `<image id>.json`, its description, and `<image id>.hu`, the int16 little-endian voxels (of radiographs
the uint16 pixels, a frame for a slice) followed by one record per slice (slices of the slab that starts there, its CRC-32; zero
where none does). Voxels and records go to disk with one sync; since a power cut may keep one and lose the other, records are
checked against voxels when a file is opened again. Files stay until the site removes them.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from igrt.bus.messages import Range
from igrt.bus.sockets import LARGEST_SLAB_BYTES
from igrt.bus.topics import WireError
from igrt.engine.description import Description as Description

LARGEST_IMAGE_BYTES = 16 << 30
MOST_SLICES = 100_000
MOST_RANGES = 64
RECORD = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class SlabData:
    """Slices `k_start` to `k_start + slices`, with the CRC-32 that the sender promised."""

    k_start: int
    slices: int
    crc32: int
    data: memoryview | bytes


def free_bytes(folder: Path) -> int:
    """Free on the disk of `folder`."""
    return shutil.disk_usage(folder).free


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_whole(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".json.tmp")
    with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _write_at(handle: int, data: memoryview, offset: int) -> None:
    while len(data):
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written


class Spool:
    """One image on disk, open for writing. Used by one thread at a time."""

    def __init__(self, folder: Path, description: Description, *, reserve_bytes: int) -> None:
        """Set space aside, or open what is there; WireError where it does not fit or the image id stands for another image."""
        self.description = description
        self.path = folder / f"{description.image_id}.hu"
        self._voxel_bytes = description.slices * description.slice_bytes
        self._check_size()
        self._slabs: dict[int, tuple[int, int]] = {}
        self._have = bytearray(description.slices)
        fresh = self._claim_name(folder)
        self._set_aside(folder, fresh, reserve_bytes)
        if not fresh:
            self._read_records()

    def _check_size(self) -> None:
        d = self.description
        if d.slices > MOST_SLICES or d.slice_bytes > LARGEST_SLAB_BYTES or self._voxel_bytes > LARGEST_IMAGE_BYTES:
            raise WireError(
                "bad_input",
                f"{d.source}: {d.shape} voxels are more than an image may have ({MOST_SLICES} slices, "
                f"{LARGEST_SLAB_BYTES >> 20} MiB a slice, {LARGEST_IMAGE_BYTES >> 30} GiB in all); send a coarser image",
            )

    def _claim_name(self, folder: Path) -> bool:
        """Write the description; False where this very image is there already."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = self.path.with_suffix(".json")
        wanted = msgspec.json.encode(self.description)
        if beside.exists():
            if not self._is_described(beside.read_bytes(), wanted):
                raise WireError(
                    "bad_input", f"image id {self.description.image_id}: an image of another description has it; give a new image id"
                )
            return not self.path.exists()
        return True

    def _is_described(self, there: bytes, wanted: bytes) -> bool:
        """Whether a description on disk, which may be of an igrt that wrote fewer fields, is this one."""
        if there == wanted:
            return True
        try:
            return msgspec.json.decode(there, type=Description) == self.description
        except msgspec.MsgspecError:
            return False

    def _set_aside(self, folder: Path, fresh: bool, reserve_bytes: int) -> None:
        size = self._voxel_bytes + self.description.slices * RECORD.size
        there = self.path.stat().st_blocks * 512 if not fresh else 0
        free = free_bytes(folder)
        if size - there > free - reserve_bytes:
            raise self._no_room(size, free, reserve_bytes)
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if fresh else 0), 0o600)
        try:
            os.posix_fallocate(self._handle, 0, size)
            os.fsync(self._handle)
            if fresh:
                _write_whole(self.path.with_suffix(".json"), msgspec.json.encode(self.description))
            _sync_folder(folder)
        except OSError as error:
            self.close()
            if fresh:
                self.path.unlink(missing_ok=True)
                self.path.with_suffix(".json.tmp").unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._no_room(size, free, reserve_bytes) from error
            raise

    def _no_room(self, size: int, free: int, reserve_bytes: int) -> WireError:
        needed, there, kept = (f"{n / 2**20:.0f} MiB" for n in (size, free, reserve_bytes))
        return WireError(
            "disk_full",
            f"{self.path.parent}: the image needs {needed}, {there} are free and {kept} of them are kept in reserve; "
            "free space, then begin the image again",
        )

    def _read_records(self) -> None:
        """Take in what is on disk, each slab checked against its record."""
        with mmap.mmap(self._handle, 0, access=mmap.ACCESS_READ) as whole, memoryview(whole) as view:
            for k, (slices, crc) in enumerate(RECORD.iter_unpack(view[self._voxel_bytes :])):
                if slices and k + slices <= self.description.slices:
                    start = k * self.description.slice_bytes
                    if zlib.crc32(view[start : start + slices * self.description.slice_bytes]) == crc:
                        self._note(k, slices, crc)

    def _note(self, k_start: int, slices: int, crc32: int) -> None:
        self._slabs[k_start] = (slices, crc32)
        self._have[k_start : k_start + slices] = b"\x01" * slices

    def take_in(self, slabs: Sequence[SlabData]) -> list[bool | WireError]:
        """Write the good ones and return once they are on disk: True new, False stored already, or what is wrong with it.

        They count as stored once `note`d. OSError where the disk fails: what is on disk is then known only by opening anew.
        """
        if self._handle < 0:
            return [WireError("unknown_image", f"image {self.description.image_id} broke off; begin it again")] * len(slabs)
        outcomes: list[bool | WireError] = []
        written: list[SlabData] = []
        for slab in slabs:
            try:
                new = self._is_new(slab, written)
            except WireError as error:
                outcomes.append(error)
                continue
            if new:
                self._write(slab)
                written.append(slab)
            outcomes.append(new)
        if written:
            os.fdatasync(self._handle)
        return outcomes

    def note(self, slab: SlabData) -> None:
        """Count a slab that `take_in` found new as stored."""
        self._note(slab.k_start, slab.slices, slab.crc32)

    def _is_new(self, slab: SlabData, written: Sequence[SlabData]) -> bool:
        d, k, n = self.description, slab.k_start, slab.slices
        wanted = n * d.slice_bytes
        if k + n > d.slices:
            raise WireError("bad_slab", f"slices {k} to {k + n - 1} of an image of {d.slices}; send slices of the image")
        if len(slab.data) != wanted:
            raise WireError("bad_slab", f"slices {k} to {k + n - 1} are {wanted} bytes, {len(slab.data)} came; send them again, whole")
        if zlib.crc32(slab.data) != slab.crc32:
            raise WireError("bad_slab", f"slices {k} to {k + n - 1} were damaged on the way (CRC-32 differs); send them again")
        if self._slabs.get(k) == (n, slab.crc32) or any((w.k_start, w.slices, w.crc32) == (k, n, slab.crc32) for w in written):
            return False
        if any(self._have[k : k + n]) or any(w.k_start < k + n and k < w.k_start + w.slices for w in written):
            raise WireError("bad_slab", f"slices {k} to {k + n - 1} are stored in part, or with other voxels; send only what is missing")
        return True

    def _write(self, slab: SlabData) -> None:
        _write_at(self._handle, memoryview(slab.data).cast("B"), slab.k_start * self.description.slice_bytes)
        record = RECORD.pack(slab.slices, slab.crc32)
        _write_at(self._handle, memoryview(record), self._voxel_bytes + slab.k_start * RECORD.size)

    @property
    def stored(self) -> list[Range]:
        """Slabs on disk, as slice ranges in order."""
        return [(k, k + n) for k, (n, _) in sorted(self._slabs.items())]

    @property
    def slices_stored(self) -> int:
        """Slices on disk."""
        return sum(self._have)

    @property
    def missing(self) -> list[Range]:
        """Ranges of slices not on disk, at most 64 of them."""
        ranges: list[Range] = []
        k = self._have.find(0)
        while k >= 0 and len(ranges) < MOST_RANGES:
            end = self._have.find(1, k)
            end = len(self._have) if end < 0 else end
            ranges.append((k, end))
            k = self._have.find(0, end)
        return ranges

    def close(self) -> None:
        """Let go of the file; it stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
