"""Radiographs on the bus: what each frame says of its geometry and its pixels. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from igrt.bus.wire import Text, Vector

MOST_FRAMES = 64
Side = Annotated[int, Meta(ge=2, le=65535)]


class Jaws(Struct, frozen=True, kw_only=True):
    """A pair of jaws: open from `low_mm` to `high_mm` off the beam axis, at the isocentre, along x or y of the turned collimator."""

    axis: Literal["x", "y"]
    low_mm: float
    high_mm: float
    angle_deg: Annotated[float, Meta(description="collimator angle (beam limiting device angle)")] = 0.0


class RadiographFrame(Struct, frozen=True, kw_only=True):
    """One radiograph, in the terms of a DICOM RT Image (PS3.3 C.8.8.2): what is left out is its default, then the machine profile's.

    `source angle = gantry_angle_deg + kv.source_offset_deg` of the profile; `kv.panel_offset_mm` and `kv.flexmap` shift the panel.
    """

    gantry_angle_deg: Annotated[float, Meta(description="as on the machine's scale (Gantry Angle); the profile says which arm images")]
    sad_mm: Annotated[float, Meta(description="from source to isocentre")]
    shape: Annotated[tuple[Side, Side], Meta(description="rows, columns; the same for all frames of an image")]
    spacing_mm: Annotated[tuple[float, float], Meta(description="on the receptor, from row to row and from column to column")]
    receptor_angle_deg: Annotated[float, Meta(description="of the receptor about its z (X-Ray Image Receptor Angle)")]
    sid_mm: Annotated[float | None, Meta(description="from source to receptor; this, or receptor_translation_mm, or both in agreement")] = (
        None
    )
    receptor_translation_mm: Annotated[
        Vector | None, Meta(description="of the receptor in the gantry frame, z negative beyond the isocentre; null is (0, 0, SAD - SID)")
    ] = None
    first_pixel_mm: Annotated[
        tuple[float, float] | None, Meta(description="x, y of the first pixel's centre on the receptor; null is a centred panel")
    ] = None
    orientation: Annotated[
        tuple[float, float, float, float, float, float] | None,
        Meta(description="directions on the receptor of increasing column and row index; null is 1, 0, 0, 0, -1, 0"),
    ] = None
    pixels: Annotated[
        Literal["intensity", "inverted", "log_intensity", "attenuation"] | None,
        Meta(
            description="what larger values mean: more beam, more attenuation, or the logarithm of either; null is the profile's kv.pixels"
        ),
    ] = None
    rescale_slope: Annotated[float, Meta(description="value = rescale_slope x stored + rescale_intercept")] = 1.0
    rescale_intercept: float = 0.0
    kvp: Annotated[float | None, Meta(description="tube voltage, kV; null is taken as 100, and the answer says so")] = None
    table_angle_deg: Annotated[
        float | None, Meta(description="IEC 61217 patient support angle at the exposure; it must be that of the image")
    ] = None
    jaws: Annotated[list[Jaws], Meta(max_length=8, description="none where the whole panel is exposed")] = []
    uid: Annotated[Text | None, Meta(description="of this exposure (SOP Instance UID), so that none counts twice")] = None
    source: Annotated[Text | None, Meta(description="names the frame in sentences and in the answer; null is its place in the image")] = (
        None
    )
