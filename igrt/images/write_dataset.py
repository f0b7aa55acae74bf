"""What every DICOM file that igrt writes has in common: identity, derived identifiers, checked text and numbers."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from igrt.errors import InputError

RESEARCH_NOTE = "RESEARCH USE: written by igrt, not for clinical use"
SHORT_TEXT, LONG_TEXT, MIDDLE_TEXT = 16, 64, 1024  # characters in VR SH, LO (and a PN component group), ST
IMPLEMENTATION_UID = "2.25.218893170934011935862154041583063219153"


class Approval(StrEnum):
    """Approval Status (300E,0002)."""

    APPROVED = "APPROVED"
    UNAPPROVED = "UNAPPROVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteIdentity:
    """Whose files these are and which study and frame of reference they belong to.

    All UIDs derive from `seed`: the same seed writes the same UIDs, another seed another study and frame of reference.
    """

    patient_id: str
    patient_name: str
    seed: str
    acquired: dt.datetime

    def __post_init__(self) -> None:
        checked_text(self.patient_id, "patient_id", limit=LONG_TEXT)
        checked_text(self.patient_name, "patient_name", limit=LONG_TEXT)
        if not self.seed:
            raise ValueError("seed is empty; give a text from which the UIDs are derived")

    @property
    def study_uid(self) -> str:
        """Study Instance UID (0020,000D)."""
        return derived_uid(self.seed, "study")

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID (0020,0052)."""
        return derived_uid(self.seed, "frame of reference")


@dataclass(frozen=True, slots=True)
class WrittenSeries:
    """What a structure set or plan must cite of a CT series that was written; one SOP Instance UID a slice, k ascending."""

    identity: WriteIdentity
    series_uid: str
    sop_uids: tuple[str, ...]


def derived_uid(*parts: str) -> str:
    """A valid UID (2.25., PS3.5 annex B.2) that depends on the parts alone."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16])}"


def checked_text(text: str, field: str, *, limit: int) -> str:
    """The text, or ValueError where DICOM could not hold it: empty, too long, a backslash or a control character."""
    if not text.strip() or len(text) > limit or "\\" in text or not text.isprintable():
        raise ValueError(f"{field} is {text!r}; give 1 to {limit} printable characters without a backslash")
    return text


def decimals(values: Iterable[float]) -> list[str]:
    """Decimal strings (VR DS) of at most 16 characters, as many digits as fit; ValueError where a value is not finite."""
    numbers = [float(v) + 0.0 for v in values]
    if not np.isfinite(numbers).all():
        raise ValueError(f"{numbers} holds a value that is not finite; give finite numbers only")
    return [format_number_as_ds(n) for n in numbers]


def new_dataset(identity: WriteIdentity, *, sop_class: str, sop_uid: str, series_uid: str, modality: str) -> FileDataset:
    """A dataset with the patient, study, series, equipment and SOP common modules filled in."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    ds = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop_uid
    ds.PatientID, ds.PatientName = identity.patient_id, identity.patient_name
    ds.PatientBirthDate = ds.PatientSex = ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = identity.study_uid, series_uid
    ds.StudyID = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    date, time = identity.acquired.strftime("%Y%m%d"), identity.acquired.strftime("%H%M%S")
    ds.StudyDate, ds.StudyTime = date, time
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.Modality = modality
    ds.SeriesNumber = 1
    ds.Manufacturer, ds.ManufacturerModelName = "igrt", "igrt"
    ds.FrameOfReferenceUID = identity.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    return ds


def save(ds: FileDataset, path: Path) -> None:
    """Write the file; InputError where one is there already."""
    if path.exists():
        raise InputError(f"{path} exists already; write to another place or remove it first")
    ds.save_as(path, enforce_file_format=True)


def item(**elements: object) -> Dataset:
    """A sequence item with the elements given by DICOM keyword."""
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def set_approval(ds: Dataset, approval: Approval) -> None:
    """Approval Status, and the review that PS3.3 C.8.8.16 asks for with an approval."""
    ds.ApprovalStatus = Approval(approval).value
    if approval is Approval.APPROVED:
        ds.ReviewDate, ds.ReviewTime, ds.ReviewerName = ds.StudyDate, ds.StudyTime, "igrt^simulation"
