"""Radiographs as the day's image: what each file states, and the camera that follows from it with the machine's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.geometry.angles import rotation_z, wrap_deg
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.iec import fixed_from_gantry
from igrt.geometry.motion import frozen_array
from igrt.geometry.position import PatientPosition

# SID, SAD and the receptor's translation say the same distance; files round them.
DISTANCE_AGREEMENT_MM = 0.5


class PixelSense(StrEnum):
    """What larger pixel values mean: more of the beam, more attenuation, or the logarithm of either."""

    INTENSITY = "intensity"
    INVERTED = "inverted"
    LOG_INTENSITY = "log_intensity"
    ATTENUATION = "attenuation"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedGeometry:
    """What one RT Image states of its geometry; None where it says nothing. Angles in degrees, lengths in mm (DICOM PS3.3 C.8.8.2)."""

    gantry_angle_deg: float
    sad_mm: float
    sid_mm: float | None
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    receptor_angle_deg: float
    receptor_translation_mm: NDArray[np.float64] | None
    position_mm: NDArray[np.float64] | None
    orientation: NDArray[np.float64] | None
    support_angle_deg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KvConventions:
    """What a vendor chose and no file states: one machine profile's table `kv`.

    `source_offset_deg` is added to the gantry angle of the file; `panel_offset_mm` is where the panel is off what the file
    states, or off centre where the file states no position; `flexmap` lists (source angle, x, y) shifts of the panel in mm, linear
    between its rows around the circle. `pixels` is the sense of pixels where a file is silent; `name` is the profile's, for sentences.
    """

    name: str
    source_offset_deg: float | None
    panel_offset_mm: tuple[float, float] | None
    flexmap: tuple[tuple[float, float, float], ...] = ()
    pixels: PixelSense | None = None

    def __post_init__(self) -> None:
        angles = [row[0] for row in self.flexmap]
        if not all(0 <= a < 360 for a in angles) or any(b <= a for a, b in pairwise(angles)):
            raise InputError(f"kv.flexmap of machine profile {self.name} has source angles {angles}; list them rising, from 0 to below 360")

    def flex_mm(self, source_angle_deg: float) -> NDArray[np.float64]:
        """(2,) shift of the panel along receptor x and y at a source angle."""
        if not self.flexmap:
            return np.zeros(2)
        angles, x, y = np.array(self.flexmap).T
        return np.array([np.interp(source_angle_deg % 360.0, angles, shift, period=360.0) for shift in (x, y)])


@dataclass(frozen=True, slots=True, kw_only=True)
class CollimatorEdges:
    """A pair of jaws, open from `low_mm` to `high_mm` off the beam axis at the isocentre.

    Along x (`axis` 0) or y (1) of a collimator that is turned by `angle_deg`.
    """

    axis: int
    low_mm: float
    high_mm: float
    angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Radiograph:
    """One radiograph: stored values after rescale, float32 (rows, columns), what the file says of them and of its geometry.

    `edges` are the collimator's, as far as the file states them. `sense` and `kvp` are None where the file states none.
    """

    source: str
    pixels: NDArray[np.float32]
    edges: tuple[CollimatorEdges, ...] = ()
    sense: PixelSense | None
    kvp: float | None
    stated: StatedGeometry
    sop_uid: str

    def __post_init__(self) -> None:
        if self.pixels.shape != self.stated.shape:
            raise ValueError(f"pixels {self.pixels.shape} must have the shape {self.stated.shape}")
        view = self.pixels.view()
        view.setflags(write=False)
        object.__setattr__(self, "pixels", view)

    def camera(self, conventions: KvConventions) -> XrayCamera:
        """The camera; what the file lacks is the standard's default, then the machine profile's. InputError where neither has it."""
        return camera_of(self.stated, conventions, self.source)

    def exposed(self, conventions: KvConventions) -> NDArray[np.bool_]:
        """(rows, columns) True within the collimator's edges, which the panel sees where the profile says that it is."""
        return within_edges(self.edges, self.camera(conventions)) if self.edges else np.ones(self.stated.shape, bool)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Radiographs:
    """The day's radiographs of one patient in one pose; they have no frame of reference of their own.

    Their daily frame has LPS axes by patient position and the machine isocentre at the plan isocentre's coordinates.
    """

    images: tuple[Radiograph, ...]
    position: PatientPosition
    patient_id: str | None
    source: str
    notes: tuple[str, ...] = ()
    isocentre_mm: None = None
    frame_of_reference_uid: None = None
    series_uid: None = None

    def __post_init__(self) -> None:
        if not self.images:
            raise InputError("no radiograph is given; give at least one RT Image")
        repeated = [image.source for n, image in enumerate(self.images) if image.sop_uid in {other.sop_uid for other in self.images[:n]}]
        if repeated:
            raise InputError(f"{repeated[0]} is given twice (one SOP Instance UID); give each radiograph once")


def voltage_notes(images: Sequence[Radiograph]) -> tuple[str, ...]:
    """What the answer says of images that state no tube voltage."""
    return tuple(f"{image.source} states no tube voltage; 100 kV is taken." for image in images if image.kvp is None)


def camera_of(stated: StatedGeometry, conventions: KvConventions, source: str) -> XrayCamera:
    """The camera of a radiograph: `f = Ry(source angle) [T + Rz(receptor angle) r]` (DICOM PS3.3 C.8.8.2.7).

    Receptor translation absent: (0, 0, SAD - SID). RT Image Orientation absent: rows along +x, columns along -y. RT Image Position absent:
    the panel is centred, but for the profile's offset. InputError that names the file's element or the profile's field.
    """
    if conventions.source_offset_deg is None:
        raise InputError(f"machine profile {conventions.name} does not state kv.source_offset_deg: set it to the arm that images, proven")
    translation = _translation(stated, source)
    if conventions.panel_offset_mm is None:
        raise InputError(f"machine profile {conventions.name} does not state kv.panel_offset_mm: set it, 0 0 where files state every shift")
    angle = stated.gantry_angle_deg + conventions.source_offset_deg
    orientation = np.array(DEFAULT_ORIENTATION) if stated.orientation is None else stated.orientation
    first = _centred(stated, orientation) if stated.position_mm is None else stated.position_mm
    try:
        return XrayCamera(
            source_angle_deg=angle,
            sad_mm=stated.sad_mm,
            receptor_translation_mm=translation,
            receptor_angle_deg=stated.receptor_angle_deg,
            first_pixel_mm=first + np.array(conventions.panel_offset_mm) + conventions.flex_mm(angle),
            spacing_mm=stated.spacing_mm,
            shape=stated.shape,
            orientation=orientation,
        )
    except ValueError as problem:
        raise InputError(f"{source}: {problem}") from problem


def within_edges(edges: Sequence[CollimatorEdges], camera: XrayCamera) -> NDArray[np.bool_]:
    """(rows, columns) True where the ray to a pixel passes between all jaws."""
    gantry, at_isocentre = fixed_from_gantry(angle_deg=camera.source_angle_deg).inverse(), camera.sad_mm / camera.distance_mm
    first = at_isocentre * gantry.apply(camera.first_pixel_fixed_mm)[:2]
    column_step = at_isocentre * gantry.turn(camera.column_step_fixed_mm)[:2]
    row_step = at_isocentre * gantry.turn(camera.row_step_fixed_mm)[:2]
    rows, columns = np.arange(camera.shape[0])[:, None], np.arange(camera.shape[1])
    inside = np.ones(camera.shape, bool)
    for pair in edges:
        along = rotation_z(pair.angle_deg)[:2, pair.axis]
        off_axis = along @ first + rows * (along @ row_step) + columns * (along @ column_step)
        inside &= (off_axis >= pair.low_mm) & (off_axis <= pair.high_mm)
    return inside


def agreed_table_angle(images: Sequence[Radiograph], image_table_angle_deg: float, limit_deg: float = 0.5) -> None:
    """InputError where a file states another patient support angle than the one at which the images are said to have been taken."""
    for image in images:
        agreed_support_angle(
            image.source, image.stated.support_angle_deg, image_table_angle_deg, give="--image-table-angle", limit_deg=limit_deg
        )


def agreed_support_angle(source: str, stated_deg: float | None, image_table_angle_deg: float, *, give: str, limit_deg: float = 0.5) -> None:
    """InputError where one radiograph states another patient support angle; `give` names what corrects it."""
    if stated_deg is not None and not abs(wrap_deg(stated_deg - image_table_angle_deg)) <= limit_deg:
        raise InputError(
            f"{source} was taken at patient support angle {stated_deg:g}, but the table angle of the images is taken to be "
            f"{image_table_angle_deg:g}; give {give}, the angle at which the radiographs were taken"
        )


def _translation(stated: StatedGeometry, source: str) -> NDArray[np.float64]:
    given = stated.receptor_translation_mm
    if given is None and stated.sid_mm is None:
        raise InputError(
            f"{source} lacks both RT Image SID (3002,0026) and X-Ray Image Receptor Translation (3002,000D); export it again with one"
        )
    if given is None:
        return frozen_array([0.0, 0.0, stated.sad_mm - (stated.sid_mm or 0.0)], (3,), "receptor translation")
    if stated.sid_mm is not None and not abs(stated.sad_mm - given[2] - stated.sid_mm) <= DISTANCE_AGREEMENT_MM:
        raise InputError(
            f"{source} contradicts itself: RT Image SID (3002,0026) is {stated.sid_mm:g} mm, but Radiation Machine SAD "
            f"(3002,0022) {stated.sad_mm:g} and Receptor Translation (3002,000D) z {given[2]:g} make it {stated.sad_mm - given[2]:g}; "
            "correct the export"
        )
    return given


def _centred(stated: StatedGeometry, orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) the first pixel of a panel whose middle is at receptor (0, 0)."""
    along = orientation.reshape(2, 3)[:, :2]
    rows, columns = stated.shape
    return np.asarray(-(columns - 1) / 2 * stated.spacing_mm[1] * along[0] - (rows - 1) / 2 * stated.spacing_mm[0] * along[1])
