"""Radiographs out, as DICOM RT Image (PS3.3 A.17)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID, RTImageStorage

from igrt.geometry.camera import XrayCamera
from igrt.geometry.position import PatientPosition
from igrt.images.write_dataset import RESEARCH_NOTE, WriteIdentity, decimals, derived_uid, item, new_dataset, save


def write_radiograph(
    pixels: NDArray[np.uint16],
    path: Path,
    *,
    camera: XrayCamera,
    identity: WriteIdentity,
    position: PatientPosition,
    kvp: float,
    series: str = "kv",
    jaws_mm: tuple[float, float, float, float] | None = None,
    table_angle_deg: float = 0.0,
) -> str:
    """Write linear intensities (more beam, larger values) as one RT Image and return its SOP Instance UID.

    `jaws_mm` are the collimator's edges x1, x2, y1, y2 at the isocentre, `table_angle_deg` is the patient support angle. ValueError where
    the pixels are not uint16 of the camera's shape, InputError where the file exists.
    """
    if pixels.dtype != np.uint16 or pixels.shape != camera.shape:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}; give uint16 {camera.shape}")
    sop_uid = derived_uid(identity.seed, "radiograph", series, path.name)
    ds = new_dataset(
        identity,
        sop_class=RTImageStorage,
        sop_uid=sop_uid,
        series_uid=derived_uid(identity.seed, "series", series),
        modality="RTIMAGE",
    )
    ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    del ds.FrameOfReferenceUID, ds.PositionReferenceIndicator  # a radiograph has no frame of its own, and no right to another's
    ds.ImageType = ["ORIGINAL", "PRIMARY", "RADIOGRAPH"]
    ds.ImageComments = RESEARCH_NOTE
    ds.RTImageLabel = f"kV {camera.source_angle_deg % 360:g}"[:16]
    ds.ReportedValuesOrigin, ds.RTImagePlane, ds.PrimaryDosimeterUnit = "ACTUAL", "NORMAL", "MU"
    ds.InstanceNumber, ds.ConversionType, ds.PatientPosition = 1, "DI", position.value
    ds.KVP = decimals([kvp])[0]
    ds.GantryAngle = decimals([camera.source_angle_deg % 360])[0]
    ds.RadiationMachineSAD = decimals([camera.sad_mm])[0]
    ds.RTImageSID = decimals([camera.distance_mm])[0]
    ds.ImagePlanePixelSpacing = decimals(camera.spacing_mm)
    ds.RTImagePosition = decimals(camera.first_pixel_mm)
    ds.RTImageOrientation = decimals(camera.orientation)
    ds.XRayImageReceptorTranslation = decimals(camera.receptor_translation_mm)
    ds.XRayImageReceptorAngle = decimals([camera.receptor_angle_deg])[0]
    ds.BeamLimitingDeviceAngle = ds.TableTopEccentricAngle = "0"
    ds.PatientSupportAngle = decimals([table_angle_deg % 360])[0]
    if jaws_mm is not None:
        edges = [
            item(RTBeamLimitingDeviceType=kind, NumberOfLeafJawPairs=1, LeafJawPositions=decimals(pair))
            for kind, pair in (("ASYMX", jaws_mm[:2]), ("ASYMY", jaws_mm[2:]))
        ]
        ds.ExposureSequence = [item(KVP=ds.KVP, NumberOfBlocks=0, BeamLimitingDeviceSequence=edges)]
    ds.Rows, ds.Columns = camera.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LIN", 1
    ds.PixelData = pixels.astype("<u2").tobytes()
    save(ds, path)
    return sop_uid
