"""Units, frames, rigid motions and plausible sizes: a number of another unit, frame or kind must show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from igrt.geometry.motion import Frame, RigidMotion
from igrt.guard.facts import Breach, Case, Rows, couch_position, known, motion, number, text
from igrt.guard.landmarks import table_from_room, table_pose

UNITS: Mapping[str, str] = {"length": "mm", "angle": "deg", "couch_scale": "iec61217"}
FRAMES: Mapping[str, tuple[Frame, Frame]] = {
    "plan_from_daily": (Frame.PLAN, Frame.DAILY),
    "correction": (Frame.FIXED, Frame.FIXED),
    "made": (Frame.FIXED, Frame.FIXED),
}
RIGID_TOLERANCE = 1e-6
ISOCENTRE = (0.0, 0.0, 0.0)


def units(case: Case) -> Iterator[Breach]:
    """Lengths are stated in mm, angles in degrees, couch positions on the IEC 61217 scale."""
    for name, expected in UNITS.items():
        value = text(case.request, f"units.{name}")
        if value != expected:
            yield Breach(
                field=f"units.{name}",
                value=repr(value),
                limit=f"only {expected!r} is understood",
                remedy="convert it in the adapter of the machine",
            )


def frames(case: Case) -> Iterator[Breach]:
    """Each motion goes from the frame and to the frame that it is used for."""
    for name, (target, source) in FRAMES.items():
        value = known(case.request, name, RigidMotion)
        if (value.target, value.source) != (target, source):
            yield Breach(
                field=name,
                value=value.name,
                limit=f"it must be {target}_from_{source}",
                remedy="give the motion between these frames, not its inverse",
            )


def rigid(case: Case) -> Iterator[Breach]:
    """Each motion is finite and a proper rotation with a shift: nothing is stretched, sheared or mirrored."""
    for name in FRAMES:
        rows, _ = motion(case.request, name)
        deviation, determinant = _deviation(rows), _determinant(rows)
        if not (deviation <= RIGID_TOLERANCE and determinant > 0.0):
            yield Breach(
                field=f"{name}.rotation",
                value=f"off a rotation by {deviation:.2g}, with determinant {determinant:.3f}",
                limit=f"at most {RIGID_TOLERANCE:g} is rounding, and a mirror image is never right",
                remedy="image again and call service, for this is a defect of igrt",
            )


def size(case: Case) -> Iterator[Breach]:
    """Correction and move are of a size that set-up errors have."""
    for name in ("correction", "made"):
        rows, shift = motion(case.request, name)
        for quantity, value, limit, unit in (
            ("shift", math.hypot(*shift), case.policy.largest_shift_mm, "mm"),
            ("turn", _whole_angle_deg(rows), case.policy.largest_turn_deg, "deg"),
        ):
            if not value <= limit:
                yield Breach(
                    field=f"{name} ({quantity})",
                    value=f"{value:.3f} {unit}",
                    limit=f"a set-up error is at most {limit:g} {unit}",
                    remedy="look for a wrong unit or a wrong patient, then set the patient up again",
                )


def isocentre_height(case: Case) -> Iterator[Breach]:
    """The isocentre lies as far above the plane of the table top as it does in a patient, at the start and at the target.

    Centimetres read as millimetres, and a couch scale whose vertical zero is elsewhere, do not.
    """
    height = case.policy.isocentre_height_mm
    for name in ("start", "target"):
        position = couch_position(case.request, name)
        pose = table_pose(position, case.policy.couch, table_angle_deg=number(case.request, "image_table_angle_deg"))
        _, _, above = table_from_room(ISOCENTRE, pose)
        if not height.minimum <= above <= height.maximum:
            yield Breach(
                field=f"{name}.vertical_mm",
                value=f"{position.vertical_mm:g}, which puts the isocentre {above:.1f} mm above the table top",
                limit=f"{height.minimum:g} to {height.maximum:g} mm are plausible",
                remedy="look for centimetres or another couch scale in the adapter of the machine",
            )


def _deviation(rows: Rows) -> float:
    """Largest departure of `R R^T` from the identity."""
    x, y, z = rows
    return max(map(abs, (_dot(x, x) - 1.0, _dot(y, y) - 1.0, _dot(z, z) - 1.0, _dot(x, y), _dot(x, z), _dot(y, z))))


def _determinant(rows: Rows) -> float:
    """Negative where the motion mirrors."""
    x, y, z = rows
    return _dot(x, (y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0]))


def _whole_angle_deg(rows: Rows) -> float:
    """The angle about the rotation's own axis, 0 to 180."""
    x, y, z = rows
    twice_sine = math.hypot(z[1] - y[2], x[2] - z[0], y[0] - x[1])
    return math.degrees(math.atan2(twice_sine, x[0] + y[1] + z[2] - 1.0))


def _dot(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
