"""Records from a process that may die at any instant: each whole, or not there."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

import msgspec

_LENGTH = struct.Struct("<I")


def teller(handle: int) -> Callable[[str, Any], None]:
    """Writes records to a pipe; one that is cut short by a death is not read."""

    def tell(kind: str, what: Any) -> None:
        body = msgspec.msgpack.encode((kind, what))
        data = memoryview(_LENGTH.pack(len(body)) + body)
        while len(data):
            data = data[os.write(handle, data) :]

    return tell


class Heard:
    """The other end of the pipe."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> list[tuple[str, Any]]:
        """The records that are whole."""
        self._rest += data
        found = []
        while len(self._rest) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._rest)[0]
            if len(self._rest) < end:
                break
            kind, what = msgspec.msgpack.decode(self._rest[_LENGTH.size : end])
            found.append((kind, what))
            self._rest = self._rest[end:]
        return found
