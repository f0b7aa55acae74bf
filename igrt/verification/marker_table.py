"""The protocol's table of implanted markers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from igrt.verification.schema import Table
from igrt.verification.tolerance import Tolerance


class MarkerTable(Table, frozen=True):
    """Implanted markers: what they are, whether the correction rests on them, and what their match must show."""

    decide: Annotated[
        Literal["markers", "anatomy"],
        Meta(description="What the correction rests on; the other is matched beside it and the difference is a finding"),
    ]
    count: Annotated[int, Meta(ge=3, le=12, description="How many the patient has: the planning CT must show as many")]
    diameter_mm: Annotated[float, Meta(ge=0.5, le=5, description="Diameter of a marker (mm)")]
    length_mm: Annotated[float, Meta(ge=0.5, le=25, description="Length of a marker (mm); a ball's is its diameter")]
    reach_mm: Annotated[float, Meta(ge=10, le=150, description="They are sought in the planning CT this far from the isocentre (mm)")]
    missing_max: Annotated[int, Meta(ge=0, le=9, description="Most that may be missing or migrated; the rest, at least three, are matched")]
    shift_max_mm: Annotated[float, Meta(ge=5, le=60, description="Farthest that the patient is sought from the start (mm)")]
    turn_max_deg: Annotated[float, Meta(ge=1, le=15, description="Farthest turn from the start (degrees)")]
    apart_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="A marker farther than this from where the others put it has migrated and holds nothing (mm)")
    ]
    fre_max_mm: Annotated[float, Meta(gt=0, le=10, description="Largest fiducial registration error (mm)")]
    leave_one_out_max_mm: Annotated[float, Meta(gt=0, le=10, description="Largest distance of a marker from where the others put it (mm)")]
    translation_sd_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest standard deviation along any axis at the isocentre (mm)")
    ]
    rotation_sd_max_deg: Annotated[float, Meta(gt=0, le=10, description="Largest standard deviation about any axis (degrees)")]
    migration_mm: Tolerance
    anatomy_mm: Tolerance
