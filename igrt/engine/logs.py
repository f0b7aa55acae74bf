"""The logs of engine and worker: one JSON object a line, of bounded size, without a word about a patient.

What names a patient or an image stands in them as a keyed hash, so that lines of one patient can be told from another's and nobody
without the site's key can try out names. A message is its template and named fields: arguments of messages, messages of other
libraries and the texts of exceptions, which may quote anything, are left out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from igrt.engine.log_files import FOLDER, ref_words, site_key

LARGEST_FILE_BYTES = 4 << 20
OLDER_FILES = 4
WITHHELD = "a message of another library, withheld"
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ref:
    """Something whose name is not for a log; `kind` is patient or image."""

    kind: str
    name: str | None


def log(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: Ref | str | float | bool | None) -> None:
    """One line: what happened, in words of the software, and its fields. Text in a field is a code, never what came from outside."""
    logger.log(level, event, extra={"fields": fields})


def structure(record: logging.LogRecord, key: bytes) -> dict[str, Any]:
    """What a line says."""
    ours = record.name == "igrt" or record.name.startswith("igrt.")
    line: dict[str, Any] = {
        "utc": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "from": record.name if ours else f"{record.name} ({record.module}:{record.lineno})",
        "pid": record.process,
        "event": str(record.msg) if ours else WITHHELD,
    }
    for name, value in getattr(record, "fields", {}).items():
        if isinstance(value, Ref):
            line[name] = None if value.name is None else ref_words(key, value.kind, value.name)
        else:
            line[name] = value
    if record.exc_info and record.exc_info[1] is not None:
        line["error"] = _error(record.exc_info[1])
    return line


def _error(error: BaseException) -> list[str]:
    """Types and places of an exception and those behind it, the last call last; no text of any."""
    words, seen = [], set[int]()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        words.append(type(now).__name__)
        words += [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(now.__traceback__)]
        now = now.__cause__ or now.__context__
    return words


def _short(path: str) -> str:
    parts = Path(path).parts
    start = max((i for i, part in enumerate(parts) if part in ("igrt", "site-packages")), default=len(parts) - 1)
    return "/".join(parts[start:])


class _Lines(logging.Formatter):
    def __init__(self, key: bytes, *, as_json: bool) -> None:
        super().__init__()
        self._key, self._as_json = key, as_json

    def format(self, record: logging.LogRecord) -> str:
        line = structure(record, self._key)
        if self._as_json:
            return json.dumps(line, ensure_ascii=False)
        head, rest = (
            f"{line.pop('utc')} {line.pop('level')} {line.pop('event')}",
            {k: v for k, v in line.items() if k not in ("from", "pid")},
        )
        return " ".join([head, *(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in rest.items())])


class _Files(RotatingFileHandler):
    """For this user alone; a disk that takes nothing loses lines and stops nobody."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(handle, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: the engine goes on."""


@contextmanager
def logging_to(folder: Path | None, name: str) -> Iterator[None]:
    """Meanwhile all that is logged in this process goes to standard error, and with an engine's `folder` to `log/NAME.jsonl` in it."""
    key = site_key(folder) if folder else os.urandom(32)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_Lines(key, as_json=False))
    if folder:
        (folder / FOLDER).mkdir(exist_ok=True, mode=0o700)
        handlers.append(_Files(folder / FOLDER / f"{name}.jsonl", maxBytes=LARGEST_FILE_BYTES, backupCount=OLDER_FILES))
        handlers[1].setFormatter(_Lines(key, as_json=True))
    root = logging.getLogger()
    before = root.level, sys.unraisablehook, threading.excepthook
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    logging.captureWarnings(capture=True)
    sys.unraisablehook, threading.excepthook = _unraisable, _thread_ended
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.setLevel(before[0])
        sys.unraisablehook, threading.excepthook = before[1:]
        for handler in handlers:
            root.removeHandler(handler)
            if isinstance(handler, _Files):
                handler.close()


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    LOG.error("an exception that nobody could take", exc_info=args.exc_value)


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    LOG.error("a thread ended with an exception", exc_info=args.exc_value)
