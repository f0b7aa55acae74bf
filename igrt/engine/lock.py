"""One engine a folder."""

from __future__ import annotations

import fcntl
from pathlib import Path

from igrt.errors import InputError


class OnlyOne:
    """Holds the folder's lock: a second engine in the same folder is refused."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "engine.lock"

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise InputError(f"{self._path.parent}: an engine runs in this folder already; stop it, or give another folder") from error

    def __exit__(self, *_: object) -> None:
        self._file.close()
