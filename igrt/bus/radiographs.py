"""Radiographs on the wire and in the house."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from igrt.bus import messages as m
from igrt.errors import InputError
from igrt.geometry.motion import frozen_array
from igrt.geometry.position import PatientPosition
from igrt.images.radiographs import (
    DISTANCE_AGREEMENT_MM,
    CollimatorEdges,
    PixelSense,
    Radiograph,
    Radiographs,
    StatedGeometry,
    voltage_notes,
)

Stored = NDArray[np.uint16]
MOST_STORED = 65535
_AXES = ("x", "y")
_POSITIVE = ("sad_mm", "sid_mm", "kvp")


def frame_name(frames: Sequence[m.RadiographFrame], index: int, *, source: str) -> str:
    """What sentences call a frame: its own name, else its place in the image."""
    return frames[index].source or f"{source}, radiograph {index + 1} of {len(frames)}"


def stated_of(frame: m.RadiographFrame, name: str) -> StatedGeometry:
    """What a received frame states; InputError that names the field where a value cannot be."""
    _require_numbers(frame, name)
    given, first, axes = frame.receptor_translation_mm, frame.first_pixel_mm, frame.orientation
    return StatedGeometry(
        gantry_angle_deg=frame.gantry_angle_deg,
        sad_mm=frame.sad_mm,
        sid_mm=frame.sid_mm,
        spacing_mm=frame.spacing_mm,
        shape=frame.shape,
        receptor_angle_deg=frame.receptor_angle_deg,
        receptor_translation_mm=None if given is None else frozen_array(given, (3,), "receptor_translation_mm"),
        position_mm=None if first is None else frozen_array(first, (2,), "first_pixel_mm"),
        orientation=None if axes is None else frozen_array(axes, (6,), "orientation"),
        support_angle_deg=frame.table_angle_deg,
    )


def received(
    frames: Sequence[m.RadiographFrame], stored: Stored, *, position: PatientPosition, patient_id: str | None, source: str, image_id: str
) -> Radiographs:
    """The radiographs of an image, `stored` (frames, rows, columns) being its pixels; InputError where a field cannot be."""
    check_frames(frames, source=source)
    images = tuple(_image(frames, index, stored[index], source, image_id) for index in range(len(frames)))
    return Radiographs(images=images, position=position, patient_id=patient_id, source=source, notes=voltage_notes(images))


def check_frames(frames: Sequence[m.RadiographFrame], *, source: str) -> None:
    """InputError that names frame and field where a value cannot be, or where the frames do not make one image."""
    for index, frame in enumerate(frames):
        name = frame_name(frames, index, source=source)
        stated_of(frame, name)
        if frame.shape != frames[0].shape:
            raise InputError(
                f"{name}: shape is {list(frame.shape)}, but the first frame's is {list(frames[0].shape)}; send panels of other sizes apart"
            )
        if frame.uid is not None and frame.uid in [other.uid for other in frames[:index]]:
            raise InputError(f"{name}: its uid is that of an earlier frame; send each radiograph once")


def sent(image: Radiograph) -> tuple[m.RadiographFrame, Stored]:
    """A radiograph as a frame, and its pixels.

    Whole numbers within 65536 values are sent as they are; others are rounded to 65536 steps between the least and the most.
    """
    stated, (slope, intercept, stored) = image.stated, _as_stored(image)
    fields = {
        "gantry_angle_deg": stated.gantry_angle_deg,
        "sad_mm": stated.sad_mm,
        "shape": stated.shape,
        "spacing_mm": stated.spacing_mm,
        "receptor_angle_deg": stated.receptor_angle_deg,
        "sid_mm": stated.sid_mm,
        "receptor_translation_mm": _numbers(stated.receptor_translation_mm),
        "first_pixel_mm": _numbers(stated.position_mm),
        "orientation": _numbers(stated.orientation),
        "pixels": None if image.sense is None else image.sense.value,
        "rescale_slope": slope,
        "rescale_intercept": intercept,
        "kvp": image.kvp,
        "table_angle_deg": stated.support_angle_deg,
        "jaws": [{"axis": _AXES[e.axis], "low_mm": e.low_mm, "high_mm": e.high_mm, "angle_deg": e.angle_deg} for e in image.edges],
        "uid": image.sop_uid,
        "source": image.source,
    }
    return msgspec.convert(fields, m.RadiographFrame), stored


def _image(frames: Sequence[m.RadiographFrame], index: int, stored: Stored, source: str, image_id: str) -> Radiograph:
    frame, name = frames[index], frame_name(frames, index, source=source)
    edges = tuple(CollimatorEdges(axis=_AXES.index(j.axis), low_mm=j.low_mm, high_mm=j.high_mm, angle_deg=j.angle_deg) for j in frame.jaws)
    return Radiograph(
        source=name,
        pixels=np.asarray(stored * frame.rescale_slope + frame.rescale_intercept, np.float32),
        edges=edges,
        sense=None if frame.pixels is None else PixelSense(frame.pixels),
        kvp=frame.kvp,
        stated=stated_of(frame, name),
        sop_uid=frame.uid or f"{image_id}.{index}",
    )


def _require_numbers(frame: m.RadiographFrame, name: str) -> None:
    for field, value in msgspec.structs.asdict(frame).items():
        values = value if isinstance(value, tuple) else (value,)
        if not all(math.isfinite(v) for v in values if isinstance(v, int | float)):
            raise InputError(f"{name}: {field} is {_words(value)}; give finite numbers")
        if field.endswith("_angle_deg") and value is not None and not abs(value) <= 360:
            raise InputError(f"{name}: {field} is {value:g}; give an angle of -360 to 360 degrees")
        if field in _POSITIVE and value is not None and not value > 0:
            raise InputError(f"{name}: {field} is {value:g}; give a positive number")
    if not min(frame.spacing_mm) > 0:
        raise InputError(f"{name}: spacing_mm is {list(frame.spacing_mm)}; give two positive steps in mm")
    if frame.sid_mm is None and frame.receptor_translation_mm is None:
        raise InputError(f"{name} lacks both sid_mm and receptor_translation_mm; give one, for nothing can stand in for them")
    given = frame.receptor_translation_mm
    if frame.sid_mm is not None and given is not None and not abs(frame.sad_mm - given[2] - frame.sid_mm) <= DISTANCE_AGREEMENT_MM:
        raise InputError(
            f"{name} contradicts itself: sid_mm is {frame.sid_mm:g}, but sad_mm {frame.sad_mm:g} and z {given[2]:g} of "
            f"receptor_translation_mm make it {frame.sad_mm - given[2]:g}; correct what is wrong"
        )
    if frame.rescale_slope == 0:
        raise InputError(f"{name}: rescale_slope is 0, which makes all pixels equal; give the slope of the stored values")
    for jaw in frame.jaws:
        if not (math.isfinite(jaw.angle_deg) and -math.inf < jaw.low_mm < jaw.high_mm < math.inf):
            raise InputError(f"{name}: jaws {jaw.axis} are open from {jaw.low_mm:g} to {jaw.high_mm:g} mm; give the lower edge first")


def _words(value: object) -> str:
    return f"{list(value)}" if isinstance(value, tuple) else f"{value}"


def _as_stored(image: Radiograph) -> tuple[float, float, Stored]:
    """Slope, intercept and stored values."""
    values = image.pixels.astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{image.source}: some of its pixels are no numbers; export it again")
    low, high = float(values.min()), float(values.max())
    if np.array_equal(values, np.rint(values)) and high - low <= MOST_STORED:
        slope, intercept = 1.0, 0.0 if low >= 0 and high <= MOST_STORED else low
    else:
        slope, intercept = (high - low) / MOST_STORED or 1.0, low
    return slope, intercept, np.rint((values - intercept) / slope).astype(np.uint16)


def _numbers(values: NDArray[np.float64] | None) -> list[float] | None:
    return None if values is None else values.tolist()
