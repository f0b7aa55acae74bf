"""A DICOM CT or cone-beam CT series as a volume: ordered along its normal, checked slice by slice, in Hounsfield units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage, RTImageStorage

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import Elements, one_patient
from igrt.images.pixels import slice_hu
from igrt.images.stack import Slice, stack_grid

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A CT series read whole: its volume and what its files say of it (None where they do not)."""

    volume: Volume
    position: PatientPosition | None
    patient_id: str | None
    patient_name: str | None
    frame_of_reference_uid: str | None
    series_uid: str
    sop_uids: tuple[str, ...]


def is_ct(file: Elements) -> bool:
    """Whether the file is a CT image of the kind that makes a volume: single-frame and no localizer."""
    return file.sop_class == CTImageStorage and not is_localizer(file)


def is_localizer(file: Elements) -> bool:
    """Whether Image Type (0008,0008) says that the file is a scout view."""
    return "LOCALIZER" in file.texts("ImageType")


def why_no_ct(files: Sequence[Elements], folder: Path | None) -> str:
    """What the files (of the folder, or named one by one) are, since they hold no CT image: a sentence for an InputError."""
    file = next((file for file in files if file.sop_class in _REFUSED), files[0])
    if file.sop_class in _REFUSED:
        return f"{file.path} {_REFUSED[file.sop_class]}"
    if folder is None:
        return f"{file.path} is {kind_of_file(file)}, not a CT image; give a CT or cone-beam CT series"
    return f"{folder} holds no CT image ({file.path.name} is {kind_of_file(file)}); give a CT or cone-beam CT series"


def kind_of_file(file: Elements) -> str:
    """Such as "an RT Plan"."""
    if is_localizer(file):
        return "a localizer"
    name = file.sop_class.name.removesuffix(" Storage")
    return f"{'an' if name.startswith(('A', 'E', 'I', 'MR', 'O', 'RT', 'X-')) else 'a'} {name}"


_ENHANCED = "is an Enhanced (multi-frame) CT, which this version does not read; export the series as single-frame CT images"
_REFUSED: dict[UID, str] = {
    RTImageStorage: "is an RT Image, a radiograph; give a CT or cone-beam CT series here",
    EnhancedCTImageStorage: _ENHANCED,
    LegacyConvertedEnhancedCTImageStorage: _ENHANCED,
}


def read_series(files: Sequence[Elements], frame: Frame, source: str, progress: Progress | None = None) -> Series:
    """The series that the CT image files make, in `frame` (LPS mm).

    InputError where the files are of several series, patients or frames of reference, or do not stack into a regular,
    right-angled grid; also where a slice cannot be decoded.
    """
    series_uid = _one_series(files, source)
    patient_id = one_patient(files, source)
    frame_of_reference = _same(files, "FrameOfReferenceUID", "frames of reference", source)
    position = _position(files, source)
    slices = [_slice(file) for file in files]
    grid, ordered = stack_grid(slices, frame, source)
    hu = np.empty(grid.shape_kji, dtype=np.int16)
    for k, at in enumerate(ordered):
        hu[k] = slice_hu(at.path, at.shape)
        if progress is not None:
            progress(f"reading the {'planning CT' if frame is Frame.PLAN else 'daily image'}", (k + 1) / len(ordered))
    return Series(
        volume=Volume(grid, hu),
        position=position,
        patient_id=patient_id,
        patient_name=files[0].text("PatientName"),
        frame_of_reference_uid=frame_of_reference,
        series_uid=series_uid,
        sop_uids=tuple(at.sop_uid for at in ordered),
    )


def _one_series(files: Sequence[Elements], source: str) -> str:
    series: dict[str, list[Elements]] = {}
    for file in files:
        series.setdefault(file.required("SeriesInstanceUID"), []).append(file)
    if len(series) > 1:
        named = "; ".join(
            f"{file[0].text('SeriesDescription') or 'without description'} ({len(file)} slices, {file[0].path.name} ...)"
            for file in series.values()
        )
        raise InputError(f"{source} mixes {len(series)} CT series: {named}; give a folder or the files of one series")
    return next(iter(series))


def _same(files: Sequence[Elements], keyword: str, plural: str, source: str) -> str | None:
    """The value that all files share; InputError naming two files that differ."""
    first = files[0].text(keyword)
    values = {file.text(keyword) for file in files}
    if len(values) > 1:
        other = next(file for file in files if file.text(keyword) != first)
        raise InputError(
            f"{source} mixes {len(values)} {plural} in one series ({files[0].path.name}: {first}, "
            f"{other.path.name}: {other.text(keyword)}); export the series again from the system that made it"
        )
    return first


def _position(files: Sequence[Elements], source: str) -> PatientPosition | None:
    stated = _same(files, "PatientPosition", "patient positions", source)
    return None if stated is None else patient_position(stated, f"{files[0].path}: Patient Position (0018,5100)")


def patient_position(stated: str, where: str) -> PatientPosition:
    """One of the eight positions; InputError naming `where` otherwise (sitting, animal and unknown positions)."""
    try:
        return PatientPosition(stated.strip().upper())
    except ValueError as error:
        raise InputError(f"{where} is {stated!r}; only {', '.join(PatientPosition)} can be corrected for") from error


def _slice(file: Elements) -> Slice:
    return Slice(
        path=file.path,
        sop_uid=file.required("SOPInstanceUID"),
        position_mm=file.required_numbers("ImagePositionPatient", 3),
        orientation=file.required_numbers("ImageOrientationPatient", 6),
        spacing_mm=file.required_numbers("PixelSpacing", 2),
        shape=(file.whole("Rows"), file.whole("Columns")),
        stated_tilt_deg=_stated_tilt(file),
    )


def _stated_tilt(file: Elements) -> float:
    tilt = file.numbers("GantryDetectorTilt", 1)
    return 0.0 if tilt is None else float(tilt[0])


def agreed_position(stated: PatientPosition | None, files: Sequence[tuple[PatientPosition | None, str]], source: str) -> PatientPosition:
    """The one patient position that the caller and the files (each with its name) state; head-first supine is never assumed.

    InputError where two differ, or where a file states none and the caller does not say which it is.
    """
    for position, name in files:
        if position is None and stated is None:
            raise InputError(f"{source}: {name} states no patient position (0018,5100); give position, one of {', '.join(PatientPosition)}")
        if position is not None and stated not in (None, position):
            raise InputError(
                f"{source}: {name} states patient position {position} and position was given as {stated}; find out which is right"
            )
    found = {position: name for position, name in files if position is not None}
    if len(found) > 1:
        said = " and ".join(f"{name} {position}" for position, name in found.items())
        raise InputError(f"{source}: patient positions disagree: {said}; export the CT and plan that belong together")
    return stated if stated is not None else next(iter(found))


def passed_over(folder: Path, other_dicom: int, others: int) -> tuple[str, ...]:
    """A note on the files of the folder that were not read, if there are any."""
    counted = [f"{n} {what}" for n, what in ((other_dicom, "other DICOM file(s)"), (others, "file(s) that are not DICOM")) if n]
    return (f"{folder}: passed over {' and '.join(counted)}",) if counted else ()
