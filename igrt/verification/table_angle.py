"""Two table angles: the planned one that decides the goal, and the one read when the image was taken, which decides its axes. Pure.

They differ by what a turntable has yawed for corrections. With one angle for both, the image after such a correction asks for the same
yaw again (docs/decisions/two-table-angles.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from igrt.errors import InputError
from igrt.geometry.angles import wrap_deg
from igrt.geometry.couch import TABLE_ANGLE_AGREEMENT_DEG
from igrt.geometry.couch_model import CouchModel, YawAxis

SAME_ANGLE_DEG = 0.2
"""Two readings of one moment are no further apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAngles:
    """IEC 61217 patient support angles: `table_angle_deg` planned, `image_table_angle_deg` at the image; `planned_by` says by whom."""

    table_angle_deg: float
    image_table_angle_deg: float
    planned_by: str


def table_angles(
    *,
    planned_deg: Sequence[float] = (),
    couch: CouchModel,
    couch_yaw_deg: float | None = None,
    table_angle_deg: float | None = None,
    image_table_angle_deg: float | None = None,
) -> TableAngles:
    """Both angles, from what is stated: `planned_deg` by the plan's beams, the others by the caller, None where unknown.

    The angle at the image is the one given, else the yaw of a couch whose turntable yaws, else the planned one. The planned one is the
    one given, else the one of the beams' within 10 degrees of the image's, else 0 where the image's is within 10 degrees of 0 or unknown
    and no beam says otherwise. InputError where that leaves none or several, where the two are more than 10 degrees apart (no correction
    yaws so far: image where the couch corrects), or where image and couch contradict each other.
    """
    given = {"table_angle_deg": table_angle_deg, "image_table_angle_deg": image_table_angle_deg, "couch start yaw_deg": couch_yaw_deg}
    for name, value in given.items():
        if value is not None and not math.isfinite(value):
            raise InputError(f"{name} is {value}; give a finite number of degrees, IEC 61217")
    image_deg = _at_the_image(couch, couch_yaw_deg, image_table_angle_deg)
    if table_angle_deg is not None:
        planned, by = table_angle_deg, "stated with the image"
    else:
        planned, by = _planned(_distinct(planned_deg), image_deg)
    image_deg = planned if image_deg is None else image_deg
    if not _apart(image_deg, planned) <= TABLE_ANGLE_AGREEMENT_DEG:
        raise InputError(
            f"the image was taken at table angle {image_deg:g}, but the correction is for {planned:g} ({by}); image where the couch "
            "corrects, for a patient who lies right is carried along when the table turns, or give both on the IEC 61217 scale"
        )
    return TableAngles(table_angle_deg=planned, image_table_angle_deg=image_deg, planned_by=by)


def common_angle_deg(stated_deg: Sequence[float | None]) -> float | None:
    """The one table angle that every image of a set states, to within 0.2 degrees; None where one states none, or they differ."""
    first = stated_deg[0] if stated_deg else None
    if first is None or not all(angle is not None and math.isfinite(angle) for angle in stated_deg):
        return None
    return wrap_deg(first) if all(_apart(angle or 0.0, first) <= SAME_ANGLE_DEG for angle in stated_deg) else None


def _at_the_image(couch: CouchModel, couch_yaw_deg: float | None, image_table_angle_deg: float | None) -> float | None:
    turntable_deg = couch_yaw_deg if couch.yaw_axis is YawAxis.TURNTABLE else None
    if image_table_angle_deg is None or turntable_deg is None:
        return turntable_deg if image_table_angle_deg is None else image_table_angle_deg
    if not _apart(image_table_angle_deg, turntable_deg) <= SAME_ANGLE_DEG:
        raise InputError(
            f"couch start yaw_deg is {turntable_deg:g} but image_table_angle_deg is {image_table_angle_deg:g}; "
            "give both on the IEC 61217 scale and of one moment, or leave the second out"
        )
    return image_table_angle_deg


def _planned(planned_deg: tuple[float, ...], image_deg: float | None) -> tuple[float, str]:
    words = " and ".join(f"{angle:g}" for angle in planned_deg)
    if image_deg is None:
        if all(_apart(angle, 0.0) <= SAME_ANGLE_DEG for angle in planned_deg):
            return 0.0, "the plan's beams" if planned_deg else "nobody states another"
        raise InputError(
            f"the plan's beams are at table angles {words}, and nobody states the one that the image was taken at; "
            "give image_table_angle_deg, the couch's position, or table_angle_deg"
        )
    near = [angle for angle in planned_deg if _apart(angle, image_deg) <= TABLE_ANGLE_AGREEMENT_DEG]
    if len(near) > 1:
        raise InputError(
            f"the plan has beams at table angles {words}, and the image was taken at {image_deg:g}, near more than one; "
            "give table_angle_deg"
        )
    if near:
        return near[0], "the plan's beams"
    return 0.0, "nobody states another"


def _distinct(angles_deg: Sequence[float]) -> tuple[float, ...]:
    """In order, modulo 360 and to what files round away: 359.998 and 0 are one."""
    found: list[float] = []
    for angle in angles_deg:
        if not any(_apart(angle, known) <= SAME_ANGLE_DEG for known in found):
            found.append(wrap_deg(angle))
    return tuple(found)


def _apart(one_deg: float, other_deg: float) -> float:
    return abs(wrap_deg(one_deg - other_deg))
