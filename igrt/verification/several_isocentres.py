"""Plans of several isocentres: each has a correction of its own, and none is used for another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import ArrayLike

from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import ImageAxes, correction_motion, require_fixed
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IsocentreCorrection:
    """The motion (`fixed_from_fixed`) that brings the patient to one isocentre of the plan, from where they lie now, and which one."""

    isocentre: str
    correction: RigidMotion

    def __post_init__(self) -> None:
        require_fixed(self.correction, f"correction for isocentre {self.isocentre!r}")


def correction_for(
    isocentre: str,
    plan_from_daily: RigidMotion,
    *,
    isocentres_mm: Mapping[str, ArrayLike],
    daily_isocentre_mm: ArrayLike,
    plan_position: PatientPosition,
    daily_position: PatientPosition,
    moved: RigidMotion,
    table_angle_deg: float = 0.0,
    image_table_angle_deg: float | None = None,
    image_axes: ImageAxes = ImageAxes.ROOM,
) -> IsocentreCorrection:
    """The correction for one of a plan's isocentres (by name, plan LPS mm) from one registration.

    `daily_isocentre_mm` is the machine isocentre in the image, whichever isocentre of the plan the image was taken for: the way from
    there to the one that is wanted is part of the motion. The angles are those of `correction_motion`. `moved` is the couch's motion
    since the image (the identity where it has stood). InputError where the plan has no such isocentre.
    """
    require_fixed(moved, "moved")
    if isocentre not in isocentres_mm:
        raise InputError(
            f"the plan has no isocentre {isocentre!r}; give one of {', '.join(map(repr, isocentres_mm)) or 'none: it has none'}"
        )
    from_image = correction_motion(
        plan_from_daily,
        plan_isocentre_mm=isocentres_mm[isocentre],
        daily_isocentre_mm=daily_isocentre_mm,
        plan_position=plan_position,
        daily_position=daily_position,
        table_angle_deg=table_angle_deg,
        image_table_angle_deg=image_table_angle_deg,
        image_axes=image_axes,
    )
    return IsocentreCorrection(isocentre=isocentre, correction=from_image @ moved.inverse())


def other_isocentre(correction: IsocentreCorrection, *, treated: str) -> tuple[Finding, ...]:
    """Stop where the correction is for another isocentre than the one whose beam is next."""
    if correction.isocentre == treated:
        return ()
    sentence = f"The correction is for isocentre {correction.isocentre!r}, the beam for isocentre {treated!r}."
    return (found("isocentre_other", sentence, level=Level.STOP),)
