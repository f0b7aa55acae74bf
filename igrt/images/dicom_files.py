"""DICOM files as they lie on disk: found, opened, and their elements read with an error that names file and element."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.config import disable_value_validation
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import UID, MediaStorageDirectoryStorage

from igrt.errors import InputError

MOST_FILES = 20_000  # a folder of more is a mistyped path, not a study
UNDEFINED_LENGTH = 0xFFFFFFFF
DICOM_SUFFIXES = {".dcm", ".dicom", ".ima"}
# What pydicom raises on damaged files (OSError for a sequence without its next item); anything else is a defect.
PARSE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, EOFError, NotImplementedError, OverflowError, OSError, struct.error)

_reading = threading.RLock()


@contextlib.contextmanager
def tolerant_reading() -> Iterator[None]:
    """Read without pydicom's remarks on harmless faults (odd UIDs, long strings): real files have them; ours are checked when written.

    pydicom keeps this setting for the process, so one thread reads at a time.
    """
    with _reading, disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def element_name(keyword: str) -> str:
    """Such as `Image Position (Patient) (0020,0032)`."""
    tag = Tag(tag_for_keyword(keyword) or 0)
    return f"{dictionary_description(tag)} ({tag.group:04X},{tag.element:04X})"


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a dataset or of a sequence item in the file at `path`; what is missing or malformed is an InputError."""

    path: Path
    dataset: Dataset

    def text(self, keyword: str) -> str | None:
        """The value as stripped text; None where the element is absent or empty."""
        try:
            value = self.dataset.get(keyword)
        except PARSE_ERRORS as error:
            raise InputError(f"{self.path}: {element_name(keyword)} cannot be read ({error}); export the file again") from error
        text = "" if value is None else str(value).strip()
        return text or None

    def texts(self, keyword: str) -> tuple[str, ...]:
        """The values of a multi-valued text; empty where the element is absent."""
        value = self.dataset.get(keyword) or ()
        return (value.strip(),) if isinstance(value, str) else tuple(str(v).strip() for v in value)

    def required(self, keyword: str) -> str:
        """The value as text; InputError where the element is absent or empty."""
        text = self.text(keyword)
        if text is None:
            raise InputError(f"{self.path} lacks {element_name(keyword)}; export the file again with it")
        return text

    def numbers(self, keyword: str, count: int) -> NDArray[np.float64] | None:
        """`count` finite numbers; None where the element is absent or empty."""
        try:
            value = self.dataset.get(keyword)
            numbers = np.array([] if value is None or value == "" else value, dtype=np.float64).ravel()
        except PARSE_ERRORS as error:
            raise InputError(f"{self.path}: {element_name(keyword)} is no number ({error}); export the file again") from error
        if not len(numbers):
            return None
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise InputError(
                f"{self.path}: {element_name(keyword)} is {numbers.tolist()}, not {count} finite numbers; export the file again"
            )
        return numbers

    def required_numbers(self, keyword: str, count: int) -> NDArray[np.float64]:
        """`count` finite numbers; InputError where the element is absent or empty."""
        numbers = self.numbers(keyword, count)
        if numbers is None:
            raise InputError(f"{self.path} lacks {element_name(keyword)}; export the file again with it")
        return numbers

    def whole(self, keyword: str) -> int:
        """A whole number; InputError where the element is absent or has a fraction."""
        number = float(self.required_numbers(keyword, 1)[0])
        if number != int(number):
            raise InputError(f"{self.path}: {element_name(keyword)} is {number}, not a whole number; export the file again")
        return int(number)

    def required_items(self, keyword: str) -> tuple[Elements, ...]:
        """The items of a sequence; InputError where it is absent."""
        if keyword not in self.dataset:
            raise InputError(f"{self.path} lacks {element_name(keyword)}; export the file again with it")
        return self.items(keyword)

    def items(self, keyword: str) -> tuple[Elements, ...]:
        """The items of a sequence; empty where it is absent."""
        try:
            sequence = self.dataset.get(keyword) or ()
            return tuple(Elements(self.path, item) for item in sequence)
        except PARSE_ERRORS as error:
            raise InputError(f"{self.path}: {element_name(keyword)} cannot be read ({error}); export the file again") from error

    @property
    def sop_class(self) -> UID:
        """SOP Class UID (0008,0016), or of the file meta information where a cut has spoilt it; empty where neither states it."""
        stated = UID(self.text("SOPClassUID") or "")
        if stated.name != stated:  # one of the standard's
            return stated
        meta = getattr(self.dataset, "file_meta", Dataset())
        return UID(str(meta.get("MediaStorageSOPClassUID", stated)))


@dataclass(frozen=True, slots=True)
class FolderContents:
    """The DICOM files of a folder (headers only) and how many files were something else."""

    files: tuple[Elements, ...]
    others: int


def open_file(path: Path, *, pixels: bool = False) -> Elements:
    """The elements of one DICOM file; InputError where it is not DICOM, is damaged or may not be read."""
    elements = _open(path, pixels=pixels)
    if elements is None:
        raise InputError(f"{path} is not a DICOM file; give DICOM files or a volume file (.mha, .nii, .nii.gz, .nrrd)")
    return elements


def _open(path: Path, *, pixels: bool) -> Elements | None:
    """None where the file is not DICOM; a name that promises DICOM must keep the promise."""
    dataset = _parse(path, pixels=pixels)
    if dataset is None:
        if path.suffix.lower() in DICOM_SUFFIXES:
            raise InputError(f"{path} is named like a DICOM file and is none, or its start is damaged; copy it again or remove it")
        return None
    elements = Elements(path, dataset)
    directory = elements.sop_class == MediaStorageDirectoryStorage
    if not directory and (not elements.sop_class or elements.text("SOPInstanceUID") is None):
        raise InputError(f"{path} is damaged or cut short: it states no SOP Class or Instance UID (0008,0016/0018); copy it again")
    return elements


def _parse(path: Path, *, pixels: bool) -> Dataset | None:
    """The dataset as pydicom finds it; None where the file does not begin as DICOM does."""
    try:
        if path.stat().st_size:
            dataset = pydicom.dcmread(path, stop_before_pixels=not pixels)
            if not _is_whole(dataset):
                raise EOFError("its last element has fewer bytes than it states")
            return dataset
    except InvalidDicomError:
        return None
    except PARSE_ERRORS as error:
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path} cannot be opened ({error.strerror}); check the path and its permissions") from error
        raise InputError(f"{path} is damaged or cut short ({error}); copy it again") from error
    raise InputError(f"{path} is empty; copy it again")


def _is_whole(dataset: Dataset) -> bool:
    """Whether the last element has as many bytes as it states: pydicom takes what there is, and half a number is a number."""
    tags = list(dataset.keys())
    last: Any = dataset.get_item(tags[-1]) if tags else None
    if not isinstance(last, RawDataElement) or last.value is None or last.length == UNDEFINED_LENGTH:
        return True
    return len(last.value) == last.length


def folder_contents(folder: Path) -> FolderContents:
    """Every DICOM file under the folder, in the order of their names; hidden files are passed over."""
    opened = [_open(path, pixels=False) for path in _walk(folder)]
    files = tuple(elements for elements in opened if elements is not None)
    if not opened:
        raise InputError(f"{folder} is an empty folder; give the folder that holds the DICOM files")
    if not files:
        raise InputError(f"{folder} holds no DICOM file ({len(opened)} other files); give the folder that holds the DICOM files")
    return FolderContents(files, len(opened) - len(files))


def _walk(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}); check the path and its permissions") from error

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        if len(found) > MOST_FILES:
            raise InputError(f"{folder} holds more than {MOST_FILES} files; give the folder of one study")
    return found


def one_patient(files: Sequence[Elements], source: str) -> str | None:
    """The Patient ID that the files share, None where none states one; InputError where they are of several patients."""
    stated = {file.text("PatientID"): file.path for file in reversed(files)}
    stated.pop(None, None)
    if len(stated) > 1:
        named = ", ".join(f"{who!r} in {path.name}" for who, path in sorted(stated.items(), key=str))
        raise InputError(f"{source} mixes patients: Patient ID {named}; give the files of one patient")
    return next(iter(stated), None)
