"""Real, valid DICOM out: CT series, RT Structure Sets and RT Plans. Strict: what could not be read back is not written."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset
from pydicom.uid import UID, CTImageStorage

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.position import PatientPosition
from igrt.images.write_dataset import (
    LONG_TEXT,
    RESEARCH_NOTE,
    Approval,
    WriteIdentity,
    WrittenSeries,
    checked_text,
    decimals,
    derived_uid,
    new_dataset,
    save,
)
from igrt.images.write_plan import PlannedBeam, write_rtplan
from igrt.images.write_structures import write_structure_set

__all__ = ["Approval", "PlannedBeam", "Scanner", "WriteIdentity", "WrittenSeries", "write_ct_series", "write_rtplan", "write_structure_set"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    """What made a series: a cone-beam CT differs from a planning CT in these words alone."""

    manufacturer: str
    model: str
    series_description: str
    kvp: float

    def __post_init__(self) -> None:
        for field in ("manufacturer", "model", "series_description"):
            checked_text(getattr(self, field), f"scanner {field}", limit=LONG_TEXT)
        if not self.kvp > 0:
            raise ValueError(f"scanner kvp is {self.kvp}; give a positive tube voltage")


def write_ct_series(
    volume: Volume, folder: Path, *, identity: WriteIdentity, position: PatientPosition, scanner: Scanner, series: str = "ct"
) -> WrittenSeries:
    """Write one CT image file a slice (CT_0001.dcm, k ascending) with HU stored as they are, on any grid.

    `series` tells series of one study apart: it decides the series and instance UIDs together with the identity's seed.
    InputError where the folder already holds such a series.
    """
    position = PatientPosition(position)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("CT_*.dcm")):
        raise InputError(f"{folder} already holds a CT series; write to another folder or remove it first")
    series_uid = derived_uid(identity.seed, "series", series)
    sop_uids = tuple(derived_uid(identity.seed, "series", series, str(k)) for k in range(len(volume.hu)))
    template = _ct_template(volume.grid, identity, position, scanner, series_uid)
    for k, sop_uid in enumerate(sop_uids):
        ds = copy.copy(template)
        ds.file_meta = copy.copy(template.file_meta)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
        ds.InstanceNumber = k + 1
        ds.ImagePositionPatient = decimals(volume.grid.position_mm((0, 0, k)))
        ds.PixelData = volume.hu[k].astype("<i2").tobytes()
        save(ds, folder / f"CT_{k + 1:04d}.dcm")
    return WrittenSeries(identity, series_uid, sop_uids)


def _ct_template(grid: Grid, identity: WriteIdentity, position: PatientPosition, scanner: Scanner, series_uid: str) -> FileDataset:
    """All that the slices of a series share (PS3.3 C.7.6.2, C.7.6.3, C.8.2.1)."""
    ds = new_dataset(identity, sop_class=CTImageStorage, sop_uid="", series_uid=series_uid, modality="CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Manufacturer, ds.ManufacturerModelName = scanner.manufacturer, scanner.model
    ds.SeriesDescription = scanner.series_description
    ds.ImageComments = RESEARCH_NOTE
    ds.AcquisitionDate = ds.ContentDate = ds.SeriesDate = ds.StudyDate
    ds.AcquisitionTime = ds.ContentTime = ds.SeriesTime = ds.StudyTime
    ds.AcquisitionNumber = 1
    ds.KVP = decimals([scanner.kvp])[0]
    ds.PatientPosition = position.value
    ds.ImageOrientationPatient = decimals(grid.direction[:, :2].T.ravel())
    ds.PixelSpacing = decimals(grid.spacing_mm[[1, 0]])
    ds.SliceThickness = decimals(grid.spacing_mm[2:])[0]
    ds.Rows, ds.Columns = grid.shape_kji[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "HU"
    return ds
