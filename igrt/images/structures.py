"""RT Structure Set: contours as structures, in the coordinates of the CT that they were drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import RTStructureSetStorage

from igrt.errors import InputError
from igrt.images.dicom_files import PARSE_ERRORS, Elements
from igrt.images.kinds import structure_kind
from igrt.images.records import Structure, StructureKind

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
TARGETS = {StructureKind.GTV, StructureKind.CTV, StructureKind.ITV, StructureKind.PTV}


@dataclass(frozen=True, slots=True)
class StructureSet:
    """What an RT Structure Set holds; `undrawn` names the regions without a closed contour (points, empty organs).

    `cited` is the SOP Instance UIDs of the images by the series they belong to; `frames` every frame of reference used.
    """

    path: Path
    label: str | None
    uid: str
    patient_id: str | None
    frames: frozenset[str]
    cited: dict[str, frozenset[str]]
    structures: tuple[Structure, ...]
    undrawn: tuple[str, ...]


def is_structure_set(file: Elements) -> bool:
    """Whether the file is an RT Structure Set."""
    return file.sop_class == RTStructureSetStorage


def read_structure_set(file: Elements) -> StructureSet:
    """InputError where a contour is malformed, a target has no contour, or two structures share a name."""
    contours = {item.whole("ReferencedROINumber"): item.items("ContourSequence") for item in file.required_items("ROIContourSequence")}
    types = {
        item.whole("ReferencedROINumber"): item.text("RTROIInterpretedType") or ""
        for item in file.required_items("RTROIObservationsSequence")
    }
    regions = file.required_items("StructureSetROISequence")
    structures: list[Structure] = []
    undrawn: list[str] = []
    for region in regions:
        number = region.whole("ROINumber")
        name = region.text("ROIName") or f"ROI {number}"
        kind = structure_kind(types.get(number, ""), name)
        drawn = _closed_contours(contours.get(number, ()), name)
        if drawn:
            structures.append(Structure(name, kind, drawn))
        elif kind in TARGETS:
            raise InputError(
                f"{file.path}: {kind} {name!r} is empty, it has no closed contour; delineate it or leave it out of the structure set"
            )
        else:
            undrawn.append(name)
    _names_differ([s.name for s in structures], file.path)
    references = file.items("ReferencedFrameOfReferenceSequence")
    frames = {uid for item in (*references, *regions) for uid in _frames(item)}
    return StructureSet(
        path=file.path,
        label=file.text("StructureSetLabel"),
        uid=file.required("SOPInstanceUID"),
        patient_id=file.text("PatientID"),
        frames=frozenset(frames),
        cited=_cited(references),
        structures=tuple(structures),
        undrawn=tuple(undrawn),
    )


def _frames(item: Elements) -> tuple[str, ...]:
    found = (item.text(keyword) for keyword in ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"))
    return tuple(uid for uid in found if uid)


def _cited(references: Sequence[Elements]) -> dict[str, frozenset[str]]:
    series = [
        s for frame in references for study in frame.items("RTReferencedStudySequence") for s in study.items("RTReferencedSeriesSequence")
    ]
    return {
        s.text("SeriesInstanceUID") or "": frozenset(
            image.required("ReferencedSOPInstanceUID") for image in s.items("ContourImageSequence")
        )
        for s in series
    }


def _names_differ(names: Sequence[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} holds two structures named {twice[0]!r}; rename one in the planning system")


def _closed_contours(items: Sequence[Elements], name: str) -> tuple[NDArray[np.float64], ...]:
    """The closed contours of at least three vertices, each once: a contour written twice would cancel itself (even-odd rule)."""
    contours = [_vertices(item, name) for item in items if item.text("ContourGeometricType") in CLOSED]
    return tuple({c.tobytes(): c for c in contours if len(c) >= 3}.values())


def _vertices(item: Elements, name: str) -> NDArray[np.float64]:
    where = f"{item.path}: a contour of {name!r}"
    try:
        values = np.array(_coordinates(item), dtype=np.float64)
    except PARSE_ERRORS as error:
        raise InputError(f"{where} holds what is no number ({error}); export the structure set again") from error
    if len(values) % 3 or not np.isfinite(values).all():
        raise InputError(f"{where} has {len(values)} coordinates, not finite triples of x, y, z; export the structure set again")
    stated = item.numbers("NumberOfContourPoints", 1)
    if stated is not None and stated[0] != len(values) // 3:
        raise InputError(f"{where} states {stated[0]:.0f} points and holds {len(values) // 3}; export the structure set again")
    return values.reshape(-1, 3)


def _coordinates(item: Elements) -> Sequence[bytes | float]:
    """Contour Data (3006,0050) straight from the file's text where it still is that: ten times faster than through pydicom's decimals."""
    element = item.dataset.get_item("ContourData")
    value = None if element is None else element.value
    if isinstance(value, bytes):
        return [part for part in value.strip(b" \0").split(b"\\") if part]
    return [] if value is None else list(value)
