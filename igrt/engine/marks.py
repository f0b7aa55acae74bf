"""What names a patient in what the engine wrote: their id, their plans and images, and whatever else a person gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from igrt.engine.spool_files import StoredImage
from igrt.engine.survey import InHand, Survey

_RUN = re.compile(r"[\w.-]+")
_SIMPLE = re.compile(r"[\w-]+(\.[\w-]+)*")


class Marks:
    """Names to be found in texts, whatever their case, where they stand alone: `P12` is not in `P123`."""

    def __init__(self, words: Iterable[str], *, tokens: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        """`words` end where letters and digits do, `tokens` (UIDs, names of images) also not at a hyphen or between the parts of a UID.

        What stands within the longer name of another patient, one of `others`, is not found. Empty names are left out. There may be
        very many tokens, of letters, digits, dots and hyphens; all else is looked for one by one.
        """
        self.words = tuple(sorted({word for word in words if word.strip()}))
        self.longer = tuple(o for o in set(others) if any(w.lower() in o.lower() and w.lower() != o.lower() for w in self.words))
        self._runs = {token.lower() for token in tokens if _SIMPLE.fullmatch(token)}
        paths = sorted({token for token in tokens if token.strip() and not _SIMPLE.fullmatch(token)})
        self._traces = tuple(name.lower() for name in (*self.words, *paths))
        found = [_word(word) for word in self.words] + [_token(path) for path in paths]
        passed = [_word(other) for other in sorted(self.longer, key=len, reverse=True)]
        self._pattern = re.compile("|".join([*passed, f"({'|'.join(found)})"]), re.IGNORECASE) if found else None

    def within(self, text: str) -> bool:
        """Whether one of them is in `text`."""
        lowered = text.lower()
        if self._runs and any(run.strip(".") in self._runs for run in _RUN.findall(lowered)):
            return True
        if self._pattern is None or not any(trace in lowered for trace in self._traces):
            return False
        return any(match[1] is not None for match in self._pattern.finditer(text))

    def inside(self, message: bytes) -> bool:
        """Whether one of them is in any text of a message in MessagePack."""
        return self.within("\n".join(_texts(msgspec.msgpack.decode(message))))


def _word(text: str) -> str:
    return rf"(?<![^\W_]){re.escape(text)}(?![^\W_])"


def _token(text: str) -> str:
    return rf"(?<![\w-])(?<!\w\.){re.escape(text)}(?![\w-]|\.\w)"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case bytes():
            yield value.decode("utf-8", "replace")
        case dict():
            for key, inner in value.items():
                yield from _texts(key)
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def images_of(patient_id: str, told: Survey, images: Iterable[StoredImage]) -> list[StoredImage]:
    """Those that are a patient's: they say so themselves, or came for a plan or in a session of theirs."""
    plans = {used.plan.fingerprint for used in told.in_use if _is_of(used, patient_id) and used.plan}

    def is_theirs(image: StoredImage) -> bool:
        d = image.description
        return told.images.get(image.image_id) == patient_id or (
            d is not None and (d.patient_id == patient_id or d.plan_fingerprint in plans)
        )

    return [image for image in images if is_theirs(image)]


def marks_of(patient_id: str, told: Survey, images: Iterable[StoredImage], also: Iterable[str] = ()) -> Marks:
    """Of a patient: the id and what a person gives; their plans' paths, fingerprints and UIDs; their images' names and frames of reference.

    What another patient's plan or image is called too is none.
    """
    images = list(images)
    theirs = images_of(patient_id, told, images)
    tokens, of_others = set[str](), set[str]()
    for used in told.in_use:
        (tokens if _is_of(used, patient_id) else of_others).update(_names(used))
    for image in images:
        frame = image.description and image.description.frame_of_reference_uid
        (tokens if image in theirs else of_others).update({image.image_id, frame or ""})
    for image_id, patient in told.images.items():
        (tokens if patient == patient_id else of_others).add(image_id)
    others = {patient for patient in told.patients if patient != patient_id}
    return Marks({patient_id, *also}, tokens=tokens - of_others - told.shared, others=others)


def _is_of(used: InHand, patient_id: str) -> bool:
    return used.plan is not None and used.plan.patient_id == patient_id


def _names(used: InHand) -> set[str]:
    plan = used.plan
    return set() if plan is None else {plan.fingerprint, plan.plan_uid or "", used.plan_request.path if used.plan_request else ""}
