"""What support needs of an engine's folder, without a word about a patient: counts, states, alert codes, the ends of the logs.

Nothing of a payload is taken but names of this software's own tables. What people wrote, configuration and logs, is searched for every
patient, plan and image that journal and spool know, and left out where it names one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from igrt.engine.alerts import ALERTS
from igrt.engine.journal import read_rows
from igrt.engine.journal_rows import JournalError
from igrt.engine.journal_verify import verify
from igrt.engine.log_files import log_files
from igrt.engine.marks import Marks
from igrt.engine.record import EVENT, FILE, SPOOL
from igrt.engine.spool import free_bytes
from igrt.engine.spool_files import stored_images
from igrt.engine.states import State
from igrt.engine.survey import Survey, survey
from igrt.errors import InputError

LOG_TAIL_BYTES = 1 << 20
SHORTEST_MARK = 3
README = """What is in this file: versions and machine, configuration, what `igrt doctor` found, the ends of the logs,
counts from the journal. What is not: images, plans, journal payloads, names or ids of patients. In the logs a patient
or image is a keyed hash whose key stays at the site. manifest.json lists every file with its SHA-256, and what was
left out because it named a patient."""


class _AlertState(Struct, frozen=True):
    code: str


class _Told(Struct, frozen=True):
    kind: str
    state: str | None = None
    alert: _AlertState | None = None


@dataclass(slots=True)
class Bundle:
    """Files of a bundle by name, and the names of what was left out, with the reason; `words` and `tokens` as Marks has them."""

    words: frozenset[str]
    tokens: frozenset[str]
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, content: object) -> None:
        """A file made by this software alone."""
        self.files[name] = (json.dumps(content, indent=2) + "\n").encode()

    def add_checked(self, name: str, content: str) -> None:
        """A file that people had a hand in: left out where it names a patient."""
        marks = self._marks(f"{name}\n{content}")
        if marks.within(name):
            self.left_out[f"{Path(name).parent}/(a file whose name is withheld)"] = "its name names a patient, plan or image"
        elif marks.within(content):
            self.left_out[name] = "it names a patient, plan or image"
        else:
            self.files[name] = content.encode()

    def add_log(self, path: Path) -> None:
        """The end of a log, without lines that name a patient all the same."""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        lines, marks = text.splitlines(keepends=True), self._marks(text)
        kept = [line for line in lines if not marks.within(line)]
        self.files[f"log/{path.name}"] = "".join(kept).encode()
        if len(kept) < len(lines):
            self.left_out[f"log/{path.name}"] = f"{len(lines) - len(kept)} lines name a patient, plan or image"

    def _marks(self, text: str) -> Marks:
        """Without words whose letters are nowhere in the text, for there may be very many."""
        lowered = text.lower()
        return Marks([word for word in self.words if word.lower() in lowered], tokens=self.tokens)

    def write(self, target: Path, *, now_utc: datetime) -> None:
        """To a new file for this user alone, with its manifest; InputError where it cannot be."""
        files = {"README.txt": README.encode() + b"\n", **self.files}
        manifest = {
            "version": "igrt-support/1",
            "made_utc": now_utc.isoformat(timespec="seconds"),
            "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()},
            "left_out": self.left_out,
        }
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("manifest.json", json.dumps(manifest, indent=2) + "\n")
            for name, data in files.items():
                bundle.writestr(name, data)
        try:
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(packed.getvalue())
        except FileExistsError as error:
            raise InputError(f"{target}: something is there already; give another name") from error
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}); give another place") from error


def begin_bundle(folder: Path) -> Bundle:
    """With what an engine's folder gives; where there is no journal, or it cannot be read, that is said in it."""
    path, told = folder / FILE, Survey()
    try:
        journal: Mapping[str, Any] = journal_figures(path)
        told = survey(read_rows(path))
    except JournalError as error:
        journal = {"problem": str(error)}
    images = stored_images(folder / SPOOL)
    words = {*told.patients, *(i.description.patient_id or "" for i in images if i.description)}
    tokens = {*told.images, *(i.image_id for i in images), *(i.description.frame_of_reference_uid or "" for i in images if i.description)}
    for used in told.in_use:
        if used.plan:
            words.add(used.plan.patient_id or "")
            tokens |= {used.plan.fingerprint, used.plan.plan_uid or "", used.plan_request.path if used.plan_request else ""}
    bundle = Bundle(_long(words), _long(tokens))
    bundle.add("journal.json", journal)
    spool = {"images": len(images), "bytes": sum(image.bytes for image in images)}
    bundle.add("spool.json", spool | ({"free_bytes": free_bytes(folder)} if folder.is_dir() else {}))
    for log in log_files(folder):
        bundle.add_log(log)
    return bundle


def _long(names: Iterable[str]) -> frozenset[str]:
    """What can be told from a figure or a word of the software."""
    return frozenset(name for name in names if len(name) >= SHORTEST_MARK)


def journal_figures(path: Path) -> Mapping[str, Any]:
    """Counts of rows by kind, of states entered and of alerts by their code, and whether the chain holds."""
    found = verify(path)
    kinds, states, alerts, last_utc_s = Counter[str](), Counter[str](), Counter[str](), 0.0
    decoder = msgspec.msgpack.Decoder(_Told)
    for row in read_rows(path):
        kinds[row.kind] += 1
        last_utc_s = row.utc_unix_s
        if row.kind == EVENT and row.payload is not None:
            told = decoder.decode(row.payload)
            if told.kind == "state_changed" and told.state in set(State):
                states[str(told.state)] += 1
            if told.alert and told.alert.code in ALERTS:
                alerts[told.alert.code] += 1
    return {
        "schema_version": found.version,
        "rows": found.rows,
        "head": str(found.head),
        "holds": found.holds,
        "fault": found.fault and found.fault.kind.value,
        "bytes": path.stat().st_size,
        "last_row_utc": datetime.fromtimestamp(last_utc_s, UTC).isoformat(timespec="seconds"),
        "patients_erased": len(found.erased),
        "rows_by_kind": dict(sorted(kinds.items())),
        "states_entered": dict(sorted(states.items())),
        "alerts_raised": dict(sorted(alerts.items())),
    }
