"""Rotations about the IEC axes and the pitch, roll and yaw of a rotation (docs/geometry.md, "Angles")."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.motion import frozen_array


def rotation_x(angle_deg: float) -> NDArray[np.float64]:
    """(3, 3) right-handed active rotation about x: positive turns y toward z."""
    c, s = _cos_sin(angle_deg)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def rotation_y(angle_deg: float) -> NDArray[np.float64]:
    """(3, 3) right-handed active rotation about y: positive turns z toward x."""
    c, s = _cos_sin(angle_deg)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def rotation_z(angle_deg: float) -> NDArray[np.float64]:
    """(3, 3) right-handed active rotation about z: positive turns x toward y."""
    c, s = _cos_sin(angle_deg)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_from_angles(*, pitch_deg: float, roll_deg: float, yaw_deg: float) -> NDArray[np.float64]:
    """(3, 3) `Rz(yaw) Rx(pitch) Ry(roll)`, the order of the IEC 61217 table top (DICOM PS3.3 C.8.8.14.12: pitch before roll)."""
    return rotation_z(yaw_deg) @ rotation_x(pitch_deg) @ rotation_y(roll_deg)


def angles_from_rotation(rotation: ArrayLike) -> tuple[float, float, float]:
    """`(pitch_deg, roll_deg, yaw_deg)` of a proper (3, 3) rotation `Rz(yaw) Rx(pitch) Ry(roll)`.

    Pitch is within ±90, roll and yaw within ±180. pitch = asin R32, roll = atan2(-R31, R33), yaw = atan2(-R12, R22), in forms that
    lose no digits near a pitch of ±90, where roll and yaw turn about one axis: there the three still make up the rotation.
    ValueError where it is not (3, 3) or not finite.
    """
    r = frozen_array(rotation, (3, 3), "rotation")
    pitch = math.atan2(r[2, 1], math.hypot(r[2, 0], r[2, 2]))
    roll = math.atan2(-r[2, 0], r[2, 2])
    # The first column of R Ry(-roll) = Rz(yaw) Rx(pitch) is (cos yaw, sin yaw, 0) whatever the pitch.
    x_axis = r[:, 0] * math.cos(roll) + r[:, 2] * math.sin(roll)
    yaw = math.atan2(x_axis[1], x_axis[0])
    return math.degrees(pitch), math.degrees(roll), math.degrees(yaw)


def wrap_deg(angle_deg: float) -> float:
    """The same angle within (-180, 180]; ValueError where it is not finite. Files say 359.998 for -0.002."""
    if not math.isfinite(angle_deg):
        raise ValueError(f"angle is {angle_deg}; give a finite number of degrees")
    wrapped = math.remainder(angle_deg, 360.0)
    return 180.0 if wrapped == -180.0 else wrapped


def _cos_sin(angle_deg: float) -> tuple[float, float]:
    if not math.isfinite(angle_deg):
        raise ValueError(f"angle is {angle_deg}; give a finite number of degrees")
    angle = math.radians(angle_deg)
    return math.cos(angle), math.sin(angle)
