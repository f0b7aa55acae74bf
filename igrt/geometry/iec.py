"""The IEC 61217 chain of frames, each child placed in its parent (docs/geometry.md, "The chain"). Angles in degrees, lengths in mm."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.angles import rotation_from_angles, rotation_x, rotation_y, rotation_z
from igrt.geometry.motion import Frame, RigidMotion, frozen_array

# LPS to the IEC patient axes: x toward the patient's left, y toward the head, z toward the front.
PATIENT_FROM_LPS: NDArray[np.float64] = frozen_array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], (3, 3), "PATIENT_FROM_LPS")


def fixed_from_gantry(*, angle_deg: float) -> RigidMotion:
    """`Ry(angle)`: increasing is clockwise seen facing the gantry; the source is at (0, 0, SAD) of the gantry, at 90 on +x fixed.

    A pitched gantry is not modelled: the order of its two rotations is not settled by the public sources.
    """
    return RigidMotion(Frame.FIXED, Frame.GANTRY, rotation_y(angle_deg), np.zeros(3))


def gantry_from_beam_limiting_device(*, angle_deg: float, distance_mm: float = 0.0) -> RigidMotion:
    """`T(0, 0, distance) Rz(angle)`: increasing is counter-clockwise seen from the source; `distance_mm` along z of the gantry."""
    return RigidMotion(Frame.GANTRY, Frame.BEAM_LIMITING_DEVICE, rotation_z(angle_deg), np.array([0.0, 0.0, distance_mm]))


def gantry_from_receptor(*, translation_mm: ArrayLike, angle_deg: float = 0.0) -> RigidMotion:
    """`T(translation) Rz(angle)`: increasing is counter-clockwise seen from the source; a panel below the isocentre has negative z."""
    translation = frozen_array(translation_mm, (3,), "receptor translation_mm")
    return RigidMotion(Frame.GANTRY, Frame.RECEPTOR, rotation_z(angle_deg), translation)


def fixed_from_support(*, angle_deg: float, axis_mm: ArrayLike = (0.0, 0.0, 0.0)) -> RigidMotion:
    """`Rz(angle)` of the turntable: counter-clockwise seen from above; at 90 the gantry end of the table is at -x fixed.

    `axis_mm` is a point of the vertical axis that the turntable really turns about, in fixed coordinates: `x' = Rz x + (I - Rz) axis`.
    """
    axis = frozen_array(axis_mm, (3,), "turntable axis_mm")
    rotation = rotation_z(angle_deg)
    return RigidMotion(Frame.FIXED, Frame.SUPPORT, rotation, axis - rotation @ axis)


def support_from_eccentric(*, angle_deg: float = 0.0, offset_mm: float = 0.0) -> RigidMotion:
    """`T(0, offset, 0) Rz(angle)`: counter-clockwise seen from above."""
    return RigidMotion(Frame.SUPPORT, Frame.ECCENTRIC, rotation_z(angle_deg), np.array([0.0, offset_mm, 0.0]))


def eccentric_from_couch(
    *, lateral_mm: float, longitudinal_mm: float, vertical_mm: float, pitch_deg: float = 0.0, roll_deg: float = 0.0, yaw_deg: float = 0.0
) -> RigidMotion:
    """`T(lateral, longitudinal, vertical) Rz(yaw) Rx(pitch) Ry(roll)` of the table top, turning about its own origin, not the isocentre.

    Positive pitch raises the gantry end, positive roll lowers the +x side (DICOM PS3.3 C.8.8.14.12). IEC 61217 has no yaw here
    (it is the support's and the eccentric's): `yaw_deg` is for a table top that yaws by itself, 0 for any other.
    """
    rotation = rotation_from_angles(pitch_deg=pitch_deg, roll_deg=roll_deg, yaw_deg=yaw_deg)
    return RigidMotion(Frame.ECCENTRIC, Frame.COUCH, rotation, np.array([lateral_mm, longitudinal_mm, vertical_mm]))


def couch_from_patient(
    *, translation_mm: ArrayLike = (0.0, 0.0, 0.0), x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0
) -> RigidMotion:
    """`T(translation) Rx(x) Ry(y) Rz(z)`; head first supine is all zero, the other positions are rows of docs/geometry.md."""
    rotation = rotation_x(x_deg) @ rotation_y(y_deg) @ rotation_z(z_deg)
    return RigidMotion(Frame.COUCH, Frame.PATIENT, rotation, frozen_array(translation_mm, (3,), "patient translation_mm"))


def patient_from_lps(source: Frame, *, origin_mm: ArrayLike) -> RigidMotion:
    """From an image frame with LPS axes (`plan` or `daily`) to the IEC patient frame with its origin at `origin_mm` (LPS)."""
    if source not in (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"frame {source} has no LPS axes; give plan or daily")
    origin = frozen_array(origin_mm, (3,), "patient origin_mm")
    return RigidMotion(Frame.PATIENT, source, PATIENT_FROM_LPS, -PATIENT_FROM_LPS @ origin)
