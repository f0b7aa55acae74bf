"""What an announced image must be, whether a volume or radiographs: said before the scan, not after it. Pure."""

from __future__ import annotations

from igrt.bus import messages as m
from igrt.bus.grids import daily_grid
from igrt.bus.radiographs import check_frames, frame_name, stated_of
from igrt.compute.radiographs import water_attenuation
from igrt.errors import InputError
from igrt.images.radiographs import KvConventions, agreed_support_angle, camera_of
from igrt.verification.table_angle import TableAngles


def require_volume_or_radiographs(request: m.BeginImage, kv: KvConventions) -> None:
    """InputError where the image is neither or both, or a field of it cannot be; `kv` are the machine profile's conventions."""
    source, frames = request.source, request.radiographs
    if (request.grid is None) == (frames is None):
        raise InputError(f"{source}: give grid for a volume, or radiographs for kV images, and not both")
    wanted = "int16" if frames is None else "uint16"
    if request.dtype != wanted:
        raise InputError(f"{source}: dtype is {request.dtype}; {'a volume' if frames is None else 'radiographs'} must be {wanted}")
    if request.grid is not None:
        daily_grid(request.grid, source=source)
    elif frames is not None:
        _require_no_frame(request)
        check_frames(frames, source=source)
        for index, frame in enumerate(frames):
            _require_camera(frame, frame_name(frames, index, source=source), kv)


def require_agreed_angle(request: m.BeginImage, angles: TableAngles) -> None:
    """InputError where a radiograph states another table angle than the one that its image was taken at."""
    for index, frame in enumerate(request.radiographs or ()):
        name = frame_name(request.radiographs or (), index, source=request.source)
        agreed_support_angle(name, frame.table_angle_deg, angles.image_table_angle_deg, give="image_table_angle_deg")


def _require_no_frame(request: m.BeginImage) -> None:
    for field in ("isocentre_mm", "frame_of_reference_uid"):
        if getattr(request, field) is not None:
            raise InputError(f"{request.source}: radiographs have no volume frame; leave {field} out")


def _require_camera(frame: m.RadiographFrame, name: str, kv: KvConventions) -> None:
    """What the frame leaves out must be the standard's default or stand in the machine profile."""
    camera_of(stated_of(frame, name), kv, name)
    if frame.kvp is not None:
        try:
            water_attenuation(frame.kvp)
        except InputError as problem:
            raise InputError(f"{name}: {problem}") from problem
    if frame.pixels is None and kv.pixels is None:
        raise InputError(f"{name} does not state pixels, and machine profile {kv.name} no kv.pixels; set it to what the panel writes")
