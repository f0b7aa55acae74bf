"""RT Structure Sets out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from igrt.geometry.grid import Grid
from igrt.images.kinds import structure_kind
from igrt.images.records import Structure, StructureKind
from igrt.images.write_dataset import (
    LONG_TEXT,
    RESEARCH_NOTE,
    SHORT_TEXT,
    Approval,
    WriteIdentity,
    WrittenSeries,
    checked_text,
    decimals,
    derived_uid,
    item,
    new_dataset,
    save,
    set_approval,
)

_DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"  # SOP class that RT Referenced Study Sequence cites (retired, still asked for by PS3.3 C.8.8.5)


def write_structure_set(
    structures: Sequence[Structure], path: Path, *, grid: Grid, series: WrittenSeries, label: str, approval: Approval = Approval.UNAPPROVED
) -> str:
    """Write an RT Structure Set (PS3.3 A.19) drawn on the series on `grid`; its SOP Instance UID.

    ValueError where there is no structure, two share a name, or a kind would not be read back from type and name.
    """
    names = [s.name for s in structures]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"structures are named {names}; give at least one and each a name of its own")
    if grid.shape_kji[0] != len(series.sop_uids):
        raise ValueError(f"grid has {grid.shape_kji[0]} slices and the series {len(series.sop_uids)}; give the grid of that series")
    seed = series.identity.seed
    sop_uid = derived_uid(seed, "structure set", label)
    ds = new_dataset(
        series.identity,
        sop_class=RTStructureSetStorage,
        sop_uid=sop_uid,
        series_uid=derived_uid(seed, "structure set series", label),
        modality="RTSTRUCT",
    )
    ds.StructureSetLabel = checked_text(label, "structure set label", limit=SHORT_TEXT)
    ds.StructureSetDescription = ds.SeriesDescription = RESEARCH_NOTE
    ds.StructureSetDate, ds.StructureSetTime = ds.StudyDate, ds.StudyTime
    ds.OperatorsName = ""
    ds.ReferencedFrameOfReferenceSequence = [_referenced_frame(series)]
    ds.StructureSetROISequence = [_roi(n, s, series.identity) for n, s in enumerate(structures, 1)]
    ds.ROIContourSequence = [_roi_contours(n, s, grid, series) for n, s in enumerate(structures, 1)]
    ds.RTROIObservationsSequence = [_observation(n, s) for n, s in enumerate(structures, 1)]
    set_approval(ds, approval)
    save(ds, path)
    return sop_uid


def _image_reference(sop_uid: str) -> Dataset:
    return item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=sop_uid)


def _referenced_frame(series: WrittenSeries) -> Dataset:
    images = item(SeriesInstanceUID=series.series_uid, ContourImageSequence=[_image_reference(uid) for uid in series.sop_uids])
    study = item(
        ReferencedSOPClassUID=_DETACHED_STUDY, ReferencedSOPInstanceUID=series.identity.study_uid, RTReferencedSeriesSequence=[images]
    )
    return item(FrameOfReferenceUID=series.identity.frame_of_reference_uid, RTReferencedStudySequence=[study])


def _roi(number: int, structure: Structure, identity: WriteIdentity) -> Dataset:
    return item(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=identity.frame_of_reference_uid,
        ROIName=checked_text(structure.name, "structure name", limit=LONG_TEXT),
        ROIGenerationAlgorithm="",
    )


def _roi_contours(number: int, structure: Structure, grid: Grid, series: WrittenSeries) -> Dataset:
    colour = [(67 * number) % 256, (131 * number) % 256, (199 * number) % 256]
    contours = [_contour(c, grid, series) for c in structure.contours_mm if len(c) >= 3]
    return item(ReferencedROINumber=number, ROIDisplayColor=colour, ContourSequence=contours)


def _contour(vertices_mm: NDArray[np.float64], grid: Grid, series: WrittenSeries) -> Dataset:
    ds = item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(vertices_mm), ContourData=decimals(vertices_mm.ravel()))
    k = round(float(grid.index_ijk(vertices_mm)[:, 2].mean()))
    if 0 <= k < len(series.sop_uids):
        ds.ContourImageSequence = [_image_reference(series.sop_uids[k])]
    return ds


def _observation(number: int, structure: Structure) -> Dataset:
    interpreted = "" if structure.kind is StructureKind.OTHER else structure.kind.value
    if structure_kind(interpreted, structure.name) is not structure.kind:
        raise ValueError(f"structure {structure.name!r} of kind {structure.kind} would be read back as another kind; rename it")
    return item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType=interpreted, ROIInterpreter="")
