"""What is announced of an image, and kept beside its voxels or pixels."""

from __future__ import annotations

from msgspec import Struct

from igrt.bus.messages import BeginImage, CouchReadout, ImageGrid, RadiographFrame
from igrt.geometry.position import PatientPosition
from igrt.verification.table_angle import common_angle_deg

VOXEL_BYTES = 2


class Description(Struct, frozen=True, kw_only=True):
    """What decides the meaning of an image's voxels; kept beside them."""

    image_id: str
    plan_fingerprint: str
    grid: ImageGrid | None
    position: PatientPosition
    isocentre_mm: tuple[float, float, float] | None
    patient_id: str | None
    frame_of_reference_uid: str | None
    table_angle_deg: float | None
    scan_offset_mm: tuple[float, float, float] | None
    couch: CouchReadout | None
    source: str
    image_table_angle_deg: float | None = None
    plan_isocentre_mm: tuple[float, float, float] | None = None
    radiographs: list[RadiographFrame] | None = None

    @classmethod
    def of(cls, message: BeginImage, *, plan_fingerprint: str, plan_isocentre_mm: tuple[float, float, float] | None = None) -> Description:
        """As announced; `plan_isocentre_mm` is the isocentre of the plan that it is for, None for the one that the plan was loaded with."""
        return cls(
            image_id=message.image_id,
            plan_fingerprint=plan_fingerprint,
            grid=message.grid,
            position=message.position,
            isocentre_mm=message.isocentre_mm,
            patient_id=message.image_patient_id,
            frame_of_reference_uid=message.frame_of_reference_uid,
            table_angle_deg=message.table_angle_deg,
            scan_offset_mm=message.scan_offset_mm,
            couch=message.couch,
            source=message.source,
            image_table_angle_deg=message.image_table_angle_deg,
            plan_isocentre_mm=plan_isocentre_mm,
            radiographs=message.radiographs,
        )

    @property
    def read_table_angle_deg(self) -> float | None:
        """The patient support angle during the scan, where the image or its couch states it, else every one of its radiographs."""
        if self.image_table_angle_deg is not None:
            return self.image_table_angle_deg
        if self.couch is not None:
            return self.couch.table_angle_deg
        return common_angle_deg([frame.table_angle_deg for frame in self.radiographs or ()])

    @property
    def slices(self) -> int:
        """Slices of the whole image, or its radiographs."""
        return self.shape[0]

    @property
    def slice_bytes(self) -> int:
        """Of one slice."""
        return self.shape[1] * self.shape[2] * VOXEL_BYTES

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns; a slice is a radiograph where it is of these."""
        if self.grid is not None:
            return self.grid.shape_kji
        frames = self.radiographs or ()
        return (len(frames), *frames[0].shape) if frames else (0, 0, 0)

    @property
    def dtype(self) -> str:
        """Of voxels or pixels."""
        return "uint16" if self.radiographs else "int16"
