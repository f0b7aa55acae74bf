"""One patient's data leaves an engine's folder: images, lines of the logs, and what the journal holds; its chain still proves the rest.

Images go first and the journal last, which knows what is theirs: an erasure that broke off is finished by asking for it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from igrt.engine.journal import Erasure, Journal, Row
from igrt.engine.journal_backup import erase_from
from igrt.engine.journal_rows import ERASED_KIND
from igrt.engine.lock import OnlyOne
from igrt.engine.log_files import erase_lines
from igrt.engine.marks import Marks, images_of, marks_of
from igrt.engine.record import FILE, SPOOL
from igrt.engine.spool_files import StoredImage, finish_removals, remove, stored_images
from igrt.engine.survey import survey
from igrt.errors import InputError


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds of a patient, before anything of it is erased. Rows are theirs, or of others and name them."""

    images: tuple[StoredImage, ...]
    rows: int
    mentions: tuple[int, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to erase."""
        return not (self.images or self.rows or self.mentions)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: `row` tells of it in the journal.

    `left` are files in which the id stands all the same, `sealed` rows whose request id has it, which the chain keeps.
    """

    found: Found
    log_lines: int
    row: Erasure | None
    left: tuple[Path, ...]
    sealed: tuple[int, ...]


def find(folder: Path, patient_id: str, *, also: Collection[str] = ()) -> Found:
    """What would be erased from an engine's folder; InputError where an engine runs in it, or the patient's session is open."""
    with _opened(folder) as journal:
        return _found(journal, folder, patient_id, also)[0]


def erase(folder: Path, patient_id: str, *, also: Collection[str] = ()) -> Erased:
    """Erase a patient from an engine's folder; InputError as of `find`."""
    with _opened(folder) as journal:
        found, marks = _found(journal, folder, patient_id, also)
        sealed = tuple(row.number for row in journal.rows() if row.request_id and marks.within(row.request_id))
        for image in found.images:
            remove(image)
        lines = erase_lines(folder, (patient_id, *(image.image_id for image in found.images)))
        row = None if found.nothing else journal.erase_patient(patient_id, mentions=found.mentions)
    return Erased(found, lines, row, tuple(_holding(folder, marks)), sealed)


def erase_in_backup(copy: Path, patient_id: str, *, also: Collection[str] = ()) -> Erasure | None:
    """Erase a patient from a backup of a journal; None where it holds nothing of them, and the file is left as it is."""

    def work(journal: Journal) -> Erasure | None:
        marks, own = marks_of(patient_id, survey(journal.rows()), (), also), journal.subject_of(patient_id)
        return journal.erase_patient(patient_id, mentions=[row.number for row in _naming(journal.rows(), marks, own)])

    return erase_from(copy, work)


@contextmanager
def _opened(folder: Path) -> Iterator[Journal]:
    """The journal of a folder in which no engine runs, and none starts meanwhile."""
    if not (folder / FILE).is_file():
        raise InputError(f"{folder / FILE}: there is no journal; give the site whose engine it is with --site")
    with OnlyOne(folder), Journal(folder / FILE, session=uuid.uuid4().hex) as journal:
        finish_removals(folder / SPOOL)
        yield journal


def _found(journal: Journal, folder: Path, patient_id: str, also: Collection[str]) -> tuple[Found, Marks]:
    told, images, own = survey(journal.rows()), stored_images(folder / SPOOL), journal.subject_of(patient_id)
    marks = marks_of(patient_id, told, images, also)
    mentions = tuple(row.number for row in _naming(journal.rows(), marks, own))
    rows = tuple(row.number for row in journal.rows() if own and row.subject == own and row.kind != ERASED_KIND)
    if told.last.is_open and told.last_number in (*rows, *mentions):
        raise InputError(
            f"{folder}: a session of this patient is open ({told.last.state}); start the engine, end what stands or load another plan, "
            "stop the engine, then erase"
        )
    theirs = images_of(patient_id, told, images)
    theirs += [image for image in images if image.image_id in also and image not in theirs]
    return Found(tuple(theirs), len(rows), mentions), marks


def _naming(rows: Iterable[Row], marks: Marks, own: bytes | None) -> Iterator[Row]:
    """Rows of others, or of nobody, whose payload names the patient."""
    for row in rows:
        of_another = row.kind != ERASED_KIND and (own is None or row.subject != own)
        if of_another and row.payload is not None and marks.inside(row.payload):
            yield row


def _holding(folder: Path, marks: Marks) -> Iterator[Path]:
    """Files of the folder in which the id or a given word stands, voxels and the longer names of others aside."""
    wanted, longer = ([word.encode() for word in words] for words in (marks.words, marks.longer))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".hu":
            content = path.read_bytes()
            for name in longer:
                content = content.replace(name, b"")
            if any(name in content for name in wanted):
                yield path
