"""What the images room hands on: a plan and a daily image, valid once built."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame, frozen_array
from igrt.geometry.position import PatientPosition


class StructureKind(StrEnum):
    """What a structure is for, from RT ROI Interpreted Type (3006,00A4) and, where that is silent, its name."""

    GTV = "GTV"
    CTV = "CTV"
    ITV = "ITV"
    PTV = "PTV"
    ORGAN = "ORGAN"
    EXTERNAL = "EXTERNAL"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """One delineated structure: planar contours, each (n, 3) vertices in plan LPS mm, at least one of n >= 3."""

    name: str
    kind: StructureKind
    contours_mm: tuple[NDArray[np.float64], ...]

    def __post_init__(self) -> None:
        if not any(len(c) >= 3 for c in self.contours_mm):
            raise InputError(f"structure {self.name!r} has no closed contour; delineate it or leave it out of the structure set")
        object.__setattr__(self, "contours_mm", tuple(frozen_array(c, (len(c), 3), f"contour of {self.name!r}") for c in self.contours_mm))

    @property
    def vertices_mm(self) -> NDArray[np.float64]:
        """All contour vertices (n, 3), plan LPS mm."""
        return np.concatenate(self.contours_mm)


@dataclass(frozen=True, slots=True)
class PlannedIsocentre:
    """One of a plan's isocentres (LPS mm), the beams about it, and the table angles (IEC 61217) of those that treat."""

    isocentre_mm: tuple[float, float, float]
    beams: tuple[str, ...]
    table_angles_deg: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PlanIdentity:
    """Who and what the plan is for; None where the files do not say (volume files). `series_uid` is the planning CT's.

    `plan_revision` is RT Plan Date and Time written together, `plan_approval` the Approval Status, `table_angles_deg` the Patient Support
    Angles (IEC 61217) of its treatment beams, in the order of the beams. `beams` and angles are of the isocentre that is meant,
    `isocentres` are all of the same set-up.
    """

    patient_id: str | None
    patient_name: str | None
    plan_label: str | None
    plan_uid: str | None
    frame_of_reference_uid: str | None
    beams: tuple[str, ...] = ()
    series_uid: str | None = None
    plan_revision: str | None = None
    plan_approval: str | None = None
    table_angles_deg: tuple[float, ...] = ()
    isocentres: tuple[PlannedIsocentre, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A planning CT in frame `plan`, the isocentre (LPS mm) inside it, the patient position and the structures.

    `fingerprint` is a SHA-256 over everything that decides an answer: voxels, grid, isocentre, position, structures, table angles.
    `source` names the folder or file, for sentences; `notes` are sentences on what was passed over when reading.
    """

    ct: Volume
    position: PatientPosition
    isocentre_mm: NDArray[np.float64]
    structures: tuple[Structure, ...]
    identity: PlanIdentity
    fingerprint: str
    source: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ct.frame != Frame.PLAN:
            raise ValueError(f"the planning CT is in frame {self.ct.frame}; give it in frame plan")
        object.__setattr__(self, "isocentre_mm", frozen_array(self.isocentre_mm, (3,), "plan isocentre_mm"))
        if not self.ct.grid.contains(self.isocentre_mm):
            raise InputError(
                f"{self.source}: the isocentre {np.round(self.isocentre_mm, 1).tolist()} mm (LPS) lies outside the planning CT; "
                "choose the isocentre of this CT"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Daily:
    """A daily cone-beam CT in frame `daily`.

    `isocentre_mm` is the machine isocentre in daily LPS mm where the caller or the file states it; None leaves it to
    the machine profile. `patient_id`, `frame_of_reference_uid` and `series_uid` are None for volume files.
    """

    volume: Volume
    position: PatientPosition
    isocentre_mm: NDArray[np.float64] | None
    patient_id: str | None
    frame_of_reference_uid: str | None
    source: str
    notes: tuple[str, ...] = ()
    series_uid: str | None = None

    def __post_init__(self) -> None:
        if self.volume.frame != Frame.DAILY:
            raise ValueError(f"the daily image is in frame {self.volume.frame}; give it in frame daily")
        if self.isocentre_mm is not None:
            object.__setattr__(self, "isocentre_mm", frozen_array(self.isocentre_mm, (3,), "daily isocentre_mm"))
