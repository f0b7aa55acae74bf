"""What a real couch makes of a correction: absolute targets within its limits and steps (docs/geometry.md, "Couch").

Pure functions. Every residual follows from the positions that the couch is sent to, not from the motion that was wished for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.errors import InputError
from igrt.geometry.angles import angles_from_rotation, wrap_deg
from igrt.geometry.couch_model import ANGLES, TOLERANCE, TRANSLATIONS, TURNED_ANGLES, AxisRange, CouchModel, CouchPosition, YawAxis
from igrt.geometry.iec import eccentric_from_couch, fixed_from_support, support_from_eccentric
from igrt.geometry.motion import RigidMotion, frozen_array
from igrt.geometry.setup import require_fixed

__all__ = [
    "AxisRange",
    "CouchModel",
    "CouchMove",
    "CouchPosition",
    "YawAxis",
    "best_yaw_deg",
    "couch_move",
    "fixed_from_couch",
    "motion_from_positions",
    "residuals_mm",
    "scatter_from_points",
]

# A table angle and a turntable read-back further apart than any correction's yaw are of two scales or of two moments.
TABLE_ANGLE_AGREEMENT_DEG = 10.0
_NO_YAW_FRACTION = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class CouchMove:
    """What the couch makes of a correction.

    `motion` is `fixed_from_fixed` as really made, limits and steps included; `target` the absolute position to send and `delta`
    the difference from the start in table axes, both None where the start is not known; `limited` names the axes that a limit held back.
    """

    motion: RigidMotion
    target: CouchPosition | None
    delta: CouchPosition | None
    limited: tuple[str, ...]


def fixed_from_couch(position: CouchPosition, model: CouchModel, *, table_angle_deg: float = 0.0) -> RigidMotion:
    """Where the table top is at an absolute position; `table_angle_deg` is the turntable's, used only where the table top yaws."""
    turntable_deg, top_yaw_deg = _split_yaw(position.yaw_deg, model, table_angle_deg)
    support = fixed_from_support(angle_deg=turntable_deg, axis_mm=model.turntable_axis_mm)
    table_top = eccentric_from_couch(
        lateral_mm=position.lateral_mm,
        longitudinal_mm=position.longitudinal_mm,
        vertical_mm=position.vertical_mm,
        pitch_deg=position.pitch_deg,
        roll_deg=position.roll_deg,
        yaw_deg=top_yaw_deg,
    )
    return support @ support_from_eccentric() @ table_top


def motion_from_positions(start: CouchPosition, target: CouchPosition, model: CouchModel, *, table_angle_deg: float = 0.0) -> RigidMotion:
    """`fixed_from_fixed`: the motion of all that lies on the couch when it goes from one absolute position to another.

    `table_angle_deg` is the turntable's, which stays; used only where the table top yaws.
    """
    before = fixed_from_couch(start, model, table_angle_deg=table_angle_deg)
    return fixed_from_couch(target, model, table_angle_deg=table_angle_deg) @ before.inverse()


def couch_move(
    correction: RigidMotion,
    *,
    model: CouchModel,
    reference_mm: ArrayLike,
    scatter_mm2: ArrayLike | None,
    start: CouchPosition | None,
    table_angle_deg: float = 0.0,
) -> CouchMove:
    """The move of this couch that comes nearest to `correction` (`fixed_from_fixed`) and meets it at the reference point.

    `reference_mm` (3,) is the point to match and `scatter_mm2` (3, 3) the scatter of the target points about it
    (`scatter_from_points`), both in fixed coordinates where the tissue is now; the scatter decides the yaw of a couch of 4 degrees of
    freedom, None is one point or no preferred direction. Angles are clamped to their absolute ranges and rounded to steps first, the
    shifts then follow so that the reference point is still met, are clamped and rounded in turn (all that it then misses), and the
    motion is computed back from the final position.

    Where `start` is None the couch is taken to stand at zero, turned by `table_angle_deg`: the limits of pitch, roll and yaw and all steps
    are judged from there, travel limits are not, and `target` and `delta` are None. InputError where a turntable's read-back and
    `table_angle_deg` are more than 10 degrees apart.
    """
    require_fixed(correction, "correction")
    reference = frozen_array(reference_mm, (3,), "reference_mm")
    present = _zero(model, table_angle_deg) if start is None else start
    _require_same_angle(present, model, table_angle_deg)
    before = fixed_from_couch(present, model, table_angle_deg=table_angle_deg)

    turned, limited_angles = _turn(correction.rotation, before.rotation, present, model, scatter_mm2, table_angle_deg)
    rotation = fixed_from_couch(turned, model, table_angle_deg=table_angle_deg).rotation @ before.rotation.T
    shift_mm = correction.apply(reference) - rotation @ reference
    top_mm = rotation @ before.translation_mm + shift_mm
    turntable_deg, _ = _split_yaw(turned.yaw_deg, model, table_angle_deg)
    table_mm = fixed_from_support(angle_deg=turntable_deg, axis_mm=model.turntable_axis_mm).inverse().apply(top_mm)

    target, limited_shifts = _shift(turned, table_mm, model, travel_known=start is not None)
    motion = motion_from_positions(present, target, model, table_angle_deg=table_angle_deg)
    limited = limited_shifts + limited_angles
    if start is None:
        return CouchMove(motion, None, None, limited)
    return CouchMove(motion, target, target.minus(start), limited)


def residuals_mm(correction: RigidMotion, made: RigidMotion, points_mm: ArrayLike) -> NDArray[np.float64]:
    """(n, 3) fixed mm: where each point ends up less where the plan wants it, for points (n, 3) in fixed coordinates as they lie now.

    Points known by their planned place in the room come here through `correction.inverse()`. ValueError where one is not finite.
    """
    require_fixed(correction, "correction")
    require_fixed(made, "made")
    points = _points(points_mm)
    return made.apply(points) - correction.apply(points)


def scatter_from_points(points_mm: ArrayLike, *, about_mm: ArrayLike | None = None) -> NDArray[np.float64]:
    """(3, 3) mm²: `sum (x - about)(x - about)^T` over points (n, 3), n >= 1; about their mean, or the reference point to be matched."""
    points = _points(points_mm)
    if len(points) == 0:
        raise ValueError("no points to scatter; give at least one")
    centred = points - (points.mean(axis=0) if about_mm is None else frozen_array(about_mm, (3,), "about_mm"))
    return np.asarray(centred.T @ centred)


def best_yaw_deg(rotation: ArrayLike, scatter_mm2: ArrayLike | None) -> float:
    """The yaw whose `Rz` leaves the least squared distance to `rotation` over points of this scatter: what 4 degrees of freedom can do.

    `atan2((R C)21 - (R C)12, (R C)11 + (R C)22)`; `C = I` for None and for points that no yaw moves. ValueError where the scatter
    is not symmetric and positive semidefinite.
    """
    r = frozen_array(rotation, (3, 3), "rotation")
    c = frozen_array(np.eye(3) if scatter_mm2 is None else scatter_mm2, (3, 3), "scatter_mm2")
    size = max(float(np.trace(c)), 0.0)
    asymmetry, least = float(np.abs(c - c.T).max()), float(np.linalg.eigvalsh((c + c.T) / 2)[0])
    if not asymmetry <= 1e-6 * size or not least >= -1e-6 * size:
        raise ValueError("scatter_mm2 is not symmetric and positive semidefinite; give the sum of (x - mean)(x - mean)^T over the points")
    for weight in (c, np.eye(3)):
        m = r @ weight
        sine, cosine = m[1, 0] - m[0, 1], m[0, 0] + m[1, 1]
        if math.hypot(sine, cosine) > _NO_YAW_FRACTION * float(np.trace(weight)):
            return math.degrees(math.atan2(sine, cosine))
    return 0.0


def _turn(
    wanted: NDArray[np.float64],
    before: NDArray[np.float64],
    present: CouchPosition,
    model: CouchModel,
    scatter_mm2: ArrayLike | None,
    table_angle_deg: float,
) -> tuple[CouchPosition, tuple[str, ...]]:
    """The present position with the angles to go to, and the angles that a limit held back."""
    turns = TURNED_ANGLES[model.degrees_of_freedom]
    angles = dict.fromkeys(ANGLES, 0.0)
    if model.degrees_of_freedom == 6:
        angles["pitch"], angles["roll"], yaw_deg = angles_from_rotation(wanted @ before)
        angles["yaw"] = yaw_deg if model.yaw_axis is YawAxis.TURNTABLE else yaw_deg - table_angle_deg
    elif model.degrees_of_freedom == 4:
        # A yaw about the vertical comes after the table's pitch and roll, so it adds to the table's yaw and leaves them alone.
        angles["yaw"] = present.yaw_deg + best_yaw_deg(wanted, scatter_mm2)
    reached: dict[str, float] = {}
    limited = []
    for axis in turns:
        axis_range: AxisRange = getattr(model, axis)
        angle = _same_turn(angles[axis], axis_range, near=getattr(present, f"{axis}_deg"))
        if not abs(axis_range.clamp(angle) - angle) <= TOLERANCE:
            limited.append(axis)
        reached[f"{axis}_deg"] = axis_range.settle(angle)
    return replace(present, **reached), tuple(limited)


def _shift(
    turned: CouchPosition, table_mm: NDArray[np.float64], model: CouchModel, *, travel_known: bool
) -> tuple[CouchPosition, tuple[str, ...]]:
    """The position with the shifts to go to, and the shifts that a limit held back."""
    reached: dict[str, float] = {}
    limited = []
    for axis, value in zip(TRANSLATIONS, table_mm.tolist(), strict=True):
        axis_range: AxisRange = getattr(model, axis)
        if not travel_known:
            reached[f"{axis}_mm"] = round(value / axis_range.step) * axis_range.step if axis_range.step else value
            continue
        if not abs(axis_range.clamp(value) - value) <= TOLERANCE:
            limited.append(axis)
        reached[f"{axis}_mm"] = axis_range.settle(value)
    return replace(turned, **reached), tuple(limited)


def _same_turn(angle_deg: float, axis_range: AxisRange, *, near: float) -> float:
    """The angle modulo 360 as the couch counts it: nearest to where it stands if in range, else nearest to the range."""
    nearest = near + wrap_deg(angle_deg - near)
    if axis_range.minimum <= nearest <= axis_range.maximum:
        return nearest
    centre = (axis_range.minimum + axis_range.maximum) / 2
    return centre + wrap_deg(angle_deg - centre)


def _split_yaw(yaw_deg: float, model: CouchModel, table_angle_deg: float) -> tuple[float, float]:
    """The angles of the turntable and of the table top on it."""
    return (yaw_deg, 0.0) if model.yaw_axis is YawAxis.TURNTABLE else (table_angle_deg, yaw_deg)


def _zero(model: CouchModel, table_angle_deg: float) -> CouchPosition:
    yaw_deg = table_angle_deg if model.yaw_axis is YawAxis.TURNTABLE else 0.0
    return CouchPosition(lateral_mm=0.0, longitudinal_mm=0.0, vertical_mm=0.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=yaw_deg)


def _require_same_angle(present: CouchPosition, model: CouchModel, table_angle_deg: float) -> None:
    apart_deg = abs(wrap_deg(present.yaw_deg - table_angle_deg))
    if model.yaw_axis is YawAxis.TURNTABLE and not apart_deg <= TABLE_ANGLE_AGREEMENT_DEG:
        raise InputError(
            f"couch start yaw_deg is {present.yaw_deg:g} but the table angle is {table_angle_deg:g}; "
            "give both on the IEC 61217 scale and of one moment"
        )


def _points(points_mm: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(points_mm, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"points_mm has shape {points.shape}; give an array of shape (n, 3)")
    return frozen_array(points, (len(points), 3), "points_mm")
