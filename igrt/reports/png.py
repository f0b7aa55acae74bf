"""A PNG file of an 8-bit RGB picture (RFC 2083): thirty lines, so that a report needs no imaging library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2


def png(rgb: NDArray[np.uint8]) -> bytes:
    """The PNG bytes of `rgb` (rows, columns, 3), first row on top; ValueError for any other array."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a picture is uint8 (rows, columns, 3); this one is {rgb.dtype} {rgb.shape}")
    rows, columns = rgb.shape[:2]
    flat = np.ascontiguousarray(rgb).reshape(rows, columns * 3)
    above = np.vstack([np.zeros_like(flat[:1]), flat[:-1]])
    lines = np.column_stack([np.full(rows, _UP, np.uint8), flat - above])
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def data_uri(rgb: NDArray[np.uint8]) -> str:
    """The picture as a `data:` address, for a page that loads nothing."""
    return "data:image/png;base64," + base64.b64encode(png(rgb)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
