"""Space set aside for the journal, so that a disk that another program fills does not end the session in hand.

Where the journal finds no space the ballast goes overboard and the rows are written; the image in hand, whose space was set aside when it
began, comes to its end. The next image is refused, for the reserve is not there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from igrt.engine.spool import free_bytes

FILE = "ballast"
LARGEST_BYTES = 64 << 20


class Ballast:
    """A file of `size` bytes beside the journal; none where `size` is 0."""

    def __init__(self, folder: Path, size: int) -> None:
        self._path, self._size = folder / FILE, size
        self.held = False

    def take(self) -> None:
        """Set the space aside where there is twice as much; nothing where it is held."""
        if self.held or not self._size or free_bytes(self._path.parent) < 2 * self._size:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._size)
            self.held = True
        except OSError:
            self._path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def throw(self) -> bool:
        """Free the space; False where none was held."""
        held, self.held = self.held, False
        with suppress(FileNotFoundError):
            self._path.unlink()
        return held
