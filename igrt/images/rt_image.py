"""DICOM RT Image files (PS3.3 A.17, C.8.8.2) as radiographs. What decides where a pixel lies is read strictly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RTImageStorage

from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import PARSE_ERRORS, Elements, element_name, one_patient, open_file
from igrt.images.dicom_series import agreed_position, patient_position
from igrt.images.radiographs import CollimatorEdges, PixelSense, Radiograph, Radiographs, StatedGeometry, voltage_notes

_SENSES = {
    ("LIN", 1): PixelSense.INTENSITY,
    ("LIN", -1): PixelSense.INVERTED,
    ("LOG", 1): PixelSense.LOG_INTENSITY,
    ("LOG", -1): PixelSense.ATTENUATION,
}
_JAWS = {"X": 0, "ASYMX": 0, "Y": 1, "ASYMY": 1}


def is_rt_image(file: Elements) -> bool:
    """Whether the file is an RT Image."""
    return file.sop_class == RTImageStorage


def read_radiographs(
    files: Sequence[Elements], *, stated_position: PatientPosition | None, source: str, notes: tuple[str, ...] = ()
) -> Radiographs:
    """The radiographs in RT Image files of one patient; InputError where one is none, or where they do not belong together."""
    for file in files:
        if not is_rt_image(file):
            raise InputError(f"{file.path} is no RT Image; give a cone-beam CT, or RT Images alone")
    positions = [(patient_position(text, str(file.path)), file.path.name) for file in files if (text := file.text("PatientPosition"))]
    images = tuple(read_radiograph(file.path) for file in files)
    return Radiographs(
        images=images,
        position=agreed_position(stated_position, [*positions, *([] if positions else [(None, "the radiograph")])], source),
        patient_id=one_patient(files, source),
        source=source,
        notes=notes + voltage_notes(images),
    )


def read_radiograph(path: Path) -> Radiograph:
    """One RT Image; InputError where its pixels cannot be read or it does not state what no default can stand in for."""
    file = open_file(path, pixels=True)
    kind = [value.upper() for value in file.texts("ImageType")]
    if "DRR" in kind[2:3]:
        raise InputError(f"{path} is a computed image (Image Type DRR), not the day's radiograph; give the image that was taken")
    stated = stated_geometry(file)
    return Radiograph(
        source=str(path),
        pixels=_pixels(file, stated.shape),
        edges=collimator_edges(file),
        sense=_sense(file),
        kvp=_kvp(file),
        stated=stated,
        sop_uid=file.required("SOPInstanceUID"),
    )


def stated_geometry(file: Elements) -> StatedGeometry:
    """What the header states; InputError where it lacks gantry angle, SAD, pixel spacing, receptor angle or image plane NORMAL."""
    plane = file.required("RTImagePlane")
    if plane != "NORMAL":
        raise InputError(f"{file.path}: {element_name('RTImagePlane')} is {plane}; only images normal to the beam (NORMAL) are read")
    spacing = file.required_numbers("ImagePlanePixelSpacing", 2)
    sid, support = file.numbers("RTImageSID", 1), _exposed_number(file, "PatientSupportAngle")
    return StatedGeometry(
        gantry_angle_deg=_required_angle(file, "GantryAngle"),
        sad_mm=float(file.required_numbers("RadiationMachineSAD", 1)[0]),
        sid_mm=None if sid is None else float(sid[0]),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        shape=(file.whole("Rows"), file.whole("Columns")),
        receptor_angle_deg=float(file.required_numbers("XRayImageReceptorAngle", 1)[0]),
        receptor_translation_mm=file.numbers("XRayImageReceptorTranslation", 3),
        position_mm=file.numbers("RTImagePosition", 2),
        orientation=file.numbers("RTImageOrientation", 6),
        support_angle_deg=support,
    )


def collimator_edges(file: Elements) -> tuple[CollimatorEdges, ...]:
    """The jaws of Beam Limiting Device Sequence, of the file or its exposure; none where it states none.

    Their positions are distances at the isocentre from the beam axis, in axes turned by the beam limiting device angle.
    """
    angle = _exposed_number(file, "BeamLimitingDeviceAngle") or 0.0
    found = []
    for holder in (file, *file.items("ExposureSequence")):
        for device in holder.items("BeamLimitingDeviceSequence"):
            axis = _JAWS.get(device.text("RTBeamLimitingDeviceType") or "")
            edges = device.numbers("LeafJawPositions", 2) if axis is not None else None
            if axis is not None and edges is not None:
                found.append(CollimatorEdges(axis=axis, low_mm=float(edges[0]), high_mm=float(edges[1]), angle_deg=angle))
    return tuple(found)


def _required_angle(file: Elements, keyword: str) -> float:
    angle = _exposed_number(file, keyword)
    if angle is None:
        raise InputError(f"{file.path} lacks {element_name(keyword)}, for which nothing can stand in; export it again with it")
    return angle


def _exposed_number(file: Elements, keyword: str) -> float | None:
    """A number that the file or its one exposure states."""
    for holder in (file, *file.items("ExposureSequence")):
        found = holder.numbers(keyword, 1)
        if found is not None:
            return float(found[0])
    return None


def _kvp(file: Elements) -> float | None:
    return _exposed_number(file, "KVP")


def _sense(file: Elements) -> PixelSense | None:
    """From Pixel Intensity Relationship (0028,1040) and its Sign (0028,1041); None unless both are stated."""
    relation, sign = file.text("PixelIntensityRelationship"), file.numbers("PixelIntensityRelationshipSign", 1)
    if relation is None or sign is None:
        return None
    try:
        return _SENSES[relation, int(sign[0])]
    except KeyError:
        raise InputError(
            f"{file.path}: {element_name('PixelIntensityRelationship')} is {relation}, sign {sign[0]:g}; "
            "LIN and LOG with sign 1 or -1 are read"
        ) from None


def _pixels(file: Elements, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Stored values times Rescale Slope plus Rescale Intercept (1 and 0 where absent)."""
    frames = file.numbers("NumberOfFrames", 1)
    if (frames is not None and frames[0] != 1) or file.required("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"{file.path} is no single-frame grey image; give one RT Image a file")
    try:
        stored = pixel_array(file.dataset)
    except (*PARSE_ERRORS, RuntimeError) as error:
        raise InputError(f"{file.path}: its pixel data are missing, cut short or damaged; copy it again") from error
    if stored.shape != shape:
        raise InputError(f"{file.path} decodes to {stored.shape} pixels where its header says {shape}; export it again")
    slope, intercept = file.numbers("RescaleSlope", 1), file.numbers("RescaleIntercept", 1)
    values = stored * (1.0 if slope is None else float(slope[0])) + (0.0 if intercept is None else float(intercept[0]))
    return np.asarray(values, np.float32)
