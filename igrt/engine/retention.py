"""Which images may go: the old ones of which the journal tells, never one in hand, nor of the plan in use, nor of an open session.

That an image goes is written into the journal before it does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec

from igrt.engine.journal import Entry, Journal, read_rows
from igrt.engine.lock import OnlyOne
from igrt.engine.record import FILE, IMAGE_REMOVED, SPOOL
from igrt.engine.spool import free_bytes
from igrt.engine.spool_files import StoredImage, finish_removals, remove, stored_images
from igrt.engine.survey import Survey, survey
from igrt.errors import InputError

DAY_S = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Judged:
    """An image, the patient in whose session it came, and how old it is; `why_kept` is None where it may go."""

    image: StoredImage
    patient_id: str | None
    age_days: float
    why_kept: str | None


@dataclass(frozen=True, slots=True)
class Looked:
    """At a folder: every image, the oldest first, and what is free on its disk."""

    images: tuple[Judged, ...]
    free_bytes: int

    @property
    def may_go(self) -> tuple[Judged, ...]:
        """Those that retention takes."""
        return tuple(judged for judged in self.images if judged.why_kept is None)


def judge(image: StoredImage, told: Survey, *, keep_days: float, now_utc_s: float) -> Judged:
    """Whether this image may go."""
    age_days = (now_utc_s - image.written_utc_s) / DAY_S
    return Judged(image, told.images.get(image.image_id), age_days, _why_kept(image, told, old=age_days > keep_days))


def _why_kept(image: StoredImage, told: Survey, *, old: bool) -> str | None:
    last = told.last
    if image.description is None:
        return "its description cannot be read"
    if image.image_id == last.image_id:
        return "it is the image in hand"
    if last.plan and last.plan.fingerprint == image.description.plan_fingerprint:
        return "its session is open" if last.is_open else "its plan is in use"
    if image.image_id not in told.images:
        return "the journal does not tell of it"
    return None if old else "it is not old enough"


def look(folder: Path, *, keep_days: float, now_utc_s: float) -> Looked:
    """At the spool of an engine's folder, also while the engine runs; InputError where there is no journal or the days are none."""
    if not keep_days >= 1:
        raise InputError(f"{keep_days:g} days: images are kept for a day at least; give 1 or more")
    told = survey(read_rows(folder / FILE))
    images = tuple(judge(image, told, keep_days=keep_days, now_utc_s=now_utc_s) for image in stored_images(folder / SPOOL))
    return Looked(images, free_bytes(folder))


def removal_row(image: StoredImage, *, patient_id: str | None) -> Entry:
    """What the journal says of an image before it goes."""
    said = {"image_id": image.image_id, "bytes": image.bytes, "written_utc_s": image.written_utc_s}
    return Entry(IMAGE_REMOVED, msgspec.msgpack.encode(said), patient_id=patient_id or None)


def retain(
    folder: Path, *, keep_days: float, now_utc_s: float, removed: Callable[[StoredImage], None] = lambda _: None
) -> Sequence[Judged]:
    """Remove what may go from a folder in which no engine runs; `removed` hears of each. InputError as of `look`, or where one runs.

    What an interruption leaves is whole, or is taken away by the next time.
    """
    look(folder, keep_days=keep_days, now_utc_s=now_utc_s)  # before a journal is made where there is none
    with OnlyOne(folder), Journal(folder / FILE, session=uuid.uuid4().hex) as journal:
        finish_removals(folder / SPOOL)
        told = survey(journal.rows())
        judged = [judge(image, told, keep_days=keep_days, now_utc_s=now_utc_s) for image in stored_images(folder / SPOOL)]
        go = [one for one in judged if one.why_kept is None]
        journal.append_all([removal_row(one.image, patient_id=one.patient_id) for one in go])
        for one in go:
            remove(one.image)
            removed(one.image)
    return go
