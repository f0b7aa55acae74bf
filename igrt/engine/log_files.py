"""Where the logs lie, the key of the names in them, and how the lines of one patient leave them."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Collection
from pathlib import Path

FOLDER = "log"
KEY_FILE = "log.key"
KEY_BYTES = 32
DIGITS = 12
KINDS = ("patient", "image")


def site_key(folder: Path) -> bytes:
    """The key of an engine's folder, made where there is none. It stays at the site: with it a name can be looked for in a log."""
    path = folder / KEY_FILE
    while True:
        try:
            key = path.read_bytes()
            if len(key) == KEY_BYTES:
                return key
            path.unlink(missing_ok=True)  # a power cut came between its name and its bytes
        except FileNotFoundError:
            partial = path.with_suffix(f".{os.getpid()}.tmp")
            with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(partial, path)  # the first of two processes that start together wins
            except FileExistsError:
                pass
            finally:
                partial.unlink()


def ref_words(key: bytes, kind: str, name: str) -> str:
    """What stands in a log for a patient or an image: `patient-` and twelve hexadecimal digits."""
    return f"{kind}-{hmac.new(key, f'{kind}:{name}'.encode(), hashlib.sha256).hexdigest()[:DIGITS]}"


def log_files(folder: Path) -> list[Path]:
    """Of an engine's folder, the newest of each process first."""
    return sorted((folder / FOLDER).glob("*.jsonl*"))


def erase_lines(folder: Path, names: Collection[str]) -> int:
    """Take every line that speaks of one of these patients or images out of the logs; how many. Only while no engine writes them."""
    if not (folder / KEY_FILE).exists():
        return 0
    key = site_key(folder)
    refs = [ref_words(key, kind, name).encode() for kind in KINDS for name in names]
    erased = 0
    for path in log_files(folder):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not any(ref in line for ref in refs)]
        if len(kept) < len(lines):
            erased += len(lines) - len(kept)
            partial = path.with_name(path.name + ".tmp")
            with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.writelines(kept)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
    return erased
