"""One number for everything in a plan that decides an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.compute.volume import Volume
from igrt.geometry.position import PatientPosition
from igrt.images.records import Structure

DIRECTION_SCALE_MM = 1000.0  # direction cosines count as the displacement they make at one metre


def plan_fingerprint(
    ct: Volume,
    isocentre_mm: NDArray[np.float64],
    position: PatientPosition,
    structures: Sequence[Structure],
    table_angles_deg: Sequence[float] = (),
) -> str:
    """SHA-256 (hex) over voxels, grid, isocentre, position, structures and table angles as little-endian bytes (positions to the nm).

    Table angles count where one is not 0: a plan that states 0 is matched as one that states none.
    Independent of the order of files, of structures and of contours, of names of files, and of the machine.
    """
    digest = hashlib.sha256(b"igrt-plan/1\0")
    grid = ct.grid
    _add(digest, np.array(grid.shape_kji, "<i8").tobytes())
    for values in (grid.origin_mm, grid.spacing_mm, grid.direction * DIRECTION_SCALE_MM, isocentre_mm):
        _add(digest, _canonical(values))
    _add(digest, position.value.encode())
    _add(digest, np.ascontiguousarray(ct.hu, "<i2").data)
    for one in sorted(_structure(s) for s in structures):
        _add(digest, one)
    if any(table_angles_deg):
        _add(digest, _canonical(sorted(table_angles_deg)))
    return digest.hexdigest()


def _structure(structure: Structure) -> bytes:
    digest = hashlib.sha256()
    parts: Iterable[bytes] = sorted(_canonical(c) for c in structure.contours_mm)
    for part in (structure.name.encode(), structure.kind.value.encode(), *parts):
        _add(digest, part)
    return digest.digest()


def _add(digest: hashlib._Hash, data: bytes | memoryview) -> None:
    """The data behind their length, so that no two sequences of parts are the same bytes."""
    digest.update(memoryview(data).nbytes.to_bytes(8, "little"))
    digest.update(data)


def _canonical(values_mm: ArrayLike) -> bytes:
    """Little-endian float64 rounded to nanometres: finer than any file, coarser than what differs between machines; no signed zero."""
    return (np.round(np.asarray(values_mm, np.float64), 6) + 0.0).astype("<f8").tobytes()
