"""From a registration to the motion that corrects the set-up, in the IEC 61217 fixed frame (docs/geometry.md, "Correction")."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from igrt.geometry.angles import angles_from_rotation, rotation_from_angles, rotation_z
from igrt.geometry.motion import Frame, RigidMotion, frozen_array, require_finite_fields
from igrt.geometry.position import PatientPosition
from igrt.geometry.words import AXES, axis_words


class ImageAxes(StrEnum):
    """What the axes of a daily image taken at a table angle follow: the room, or the table that the patient lies on.

    An image taken at table angle 0 of a patient who is then turned to the angle is `TABLE`.
    """

    ROOM = "room"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The motion of the patient (with the couch) to make, in IEC fixed axes about the isocentre; not the set-up error.

    `x' = R x + (lateral, longitudinal, vertical)` with `R = Rz(yaw) Rx(pitch) Ry(roll)`; mm and degrees, all finite.
    """

    lateral_mm: float
    longitudinal_mm: float
    vertical_mm: float
    pitch_deg: float
    roll_deg: float
    yaw_deg: float

    def __post_init__(self) -> None:
        require_finite_fields(self, "correction")

    @classmethod
    def from_motion(cls, motion: RigidMotion) -> Correction:
        """The same motion as numbers; ValueError unless it is `fixed_from_fixed`."""
        require_fixed(motion, "correction")
        lateral, longitudinal, vertical = motion.translation_mm.tolist()
        pitch, roll, yaw = angles_from_rotation(motion.rotation)
        return cls(lateral_mm=lateral, longitudinal_mm=longitudinal, vertical_mm=vertical, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)

    @property
    def motion(self) -> RigidMotion:
        """`fixed_from_fixed`."""
        rotation = rotation_from_angles(pitch_deg=self.pitch_deg, roll_deg=self.roll_deg, yaw_deg=self.yaw_deg)
        return RigidMotion(Frame.FIXED, Frame.FIXED, rotation, np.array([self.lateral_mm, self.longitudinal_mm, self.vertical_mm]))

    def words(self) -> tuple[str, ...]:
        """Six phrases in the order of the fields, such as "couch 5.0 mm toward gantry" and "pitch 1.0° gantry end up"."""
        return tuple(axis_words(axis, getattr(self, field.name)) for axis, field in zip(AXES, fields(self), strict=True))


def fixed_from_plan(*, isocentre_mm: ArrayLike, position: PatientPosition, table_angle_deg: float = 0.0) -> RigidMotion:
    """Where each plan point (LPS mm) belongs in the room: `f* = Rz(table angle) B (p - isocentre)`."""
    return _fixed_from_lps(Frame.PLAN, isocentre_mm, position, table_angle_deg)


def fixed_from_daily(
    *, isocentre_mm: ArrayLike, position: PatientPosition, table_angle_deg: float = 0.0, image_axes: ImageAxes = ImageAxes.ROOM
) -> RigidMotion:
    """Where each daily point (LPS mm) is in the room now; `isocentre_mm` is the machine isocentre in daily coordinates.

    `f = B (q - isocentre)` with room-aligned axes, `f = Rz(table angle) B (q - isocentre)` with table-aligned axes, the table angle being
    the one that the couch was read at when the image was taken.
    """
    turned = table_angle_deg if ImageAxes(image_axes) is ImageAxes.TABLE else 0.0
    return _fixed_from_lps(Frame.DAILY, isocentre_mm, position, turned)


def correction_motion(
    plan_from_daily: RigidMotion,
    *,
    plan_isocentre_mm: ArrayLike,
    daily_isocentre_mm: ArrayLike,
    plan_position: PatientPosition,
    daily_position: PatientPosition,
    table_angle_deg: float = 0.0,
    image_table_angle_deg: float | None = None,
    image_axes: ImageAxes = ImageAxes.ROOM,
) -> RigidMotion:
    """`fixed_from_fixed`: the motion that takes every tissue point from where it is to where the plan wants it.

    At table angle 0 `R = Bp A Bd^T`, `t = Bp (M q0 - c)` for `M = (A | b)`; at an angle the goal is turned with the table, and
    `image_axes` says whether the image is. `table_angle_deg` is the planned angle of the goal; `image_table_angle_deg` the one that the
    couch was read at when the image was taken, which also holds what the turntable yawed for corrections (None: the planned one). A
    patient who was corrected at 0 is carried along by a turn of the table: do not correct again. ValueError unless the motion is
    `plan_from_daily`.
    """
    if (plan_from_daily.target, plan_from_daily.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(
            f"a correction follows from plan_from_daily, not from {plan_from_daily.name}; give its inverse or the right motion"
        )
    goal = fixed_from_plan(isocentre_mm=plan_isocentre_mm, position=plan_position, table_angle_deg=table_angle_deg)
    image_deg = table_angle_deg if image_table_angle_deg is None else image_table_angle_deg
    now = fixed_from_daily(isocentre_mm=daily_isocentre_mm, position=daily_position, table_angle_deg=image_deg, image_axes=image_axes)
    return goal @ plan_from_daily @ now.inverse()


def start_pose(
    *,
    plan_isocentre_mm: ArrayLike,
    daily_isocentre_mm: ArrayLike,
    plan_position: PatientPosition,
    daily_position: PatientPosition,
    table_angle_deg: float = 0.0,
    image_table_angle_deg: float | None = None,
    image_axes: ImageAxes = ImageAxes.ROOM,
) -> RigidMotion:
    """`plan_from_daily` where nothing is wrong with the set-up: where a registration starts; its correction is the identity.

    The angles are those of `correction_motion`.
    """
    goal = fixed_from_plan(isocentre_mm=plan_isocentre_mm, position=plan_position, table_angle_deg=table_angle_deg)
    image_deg = table_angle_deg if image_table_angle_deg is None else image_table_angle_deg
    now = fixed_from_daily(isocentre_mm=daily_isocentre_mm, position=daily_position, table_angle_deg=image_deg, image_axes=image_axes)
    return goal.inverse() @ now


def require_fixed(motion: RigidMotion, what: str) -> None:
    """ValueError that names `what` unless the motion is `fixed_from_fixed`."""
    if (motion.target, motion.source) != (Frame.FIXED, Frame.FIXED):
        raise ValueError(f"{what} is {motion.name}; give a motion fixed_from_fixed")


def _fixed_from_lps(source: Frame, isocentre_mm: ArrayLike, position: PatientPosition, table_angle_deg: float) -> RigidMotion:
    isocentre = frozen_array(isocentre_mm, (3,), f"{source} isocentre_mm")
    rotation = rotation_z(table_angle_deg) @ PatientPosition(position).fixed_from_lps
    return RigidMotion(Frame.FIXED, source, rotation, -rotation @ isocentre)
