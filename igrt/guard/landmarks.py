"""Four points carried through the patient's frame and the couch, one coordinate at a time, in plain numbers.

Written independently of geometry's matrices, so that a mistake made there is not made here too: no matrix is built, an axis turn is
two lines of trigonometry, and the axes of a patient position follow from where the head and the upward side are. Lengths are mm,
angles degrees, room axes IEC 61217 fixed (x right seen facing the gantry, y toward the gantry, z up). The order of the turns is that of
docs/geometry.md, "Couch"; the table top lies on no eccentric, for the couch model has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from igrt.geometry.couch_model import CouchModel, CouchPosition, YawAxis
from igrt.geometry.position import PatientPosition
from igrt.guard.facts import Rows
from igrt.guard.request import Point

LANDMARKS_MM: tuple[Point, Point, Point, Point] = ((0.0, 0.0, 0.0), (100.0, 0.0, 0.0), (0.0, 100.0, 0.0), (0.0, 0.0, 100.0))
"""Where the four points belong, in room axes about the isocentre: four places not in one plane fix a motion whole."""

# Whether head (+1) or feet (-1) point to the gantry, and the way up as left and back of the patient: x and y of DICOM, z being the head.
_TOWARD_GANTRY: Mapping[str, float] = {"HF": 1.0, "FF": -1.0}
_UP: Mapping[str, tuple[float, float]] = {"S": (0.0, -1.0), "P": (0.0, 1.0), "DR": (1.0, 0.0), "DL": (-1.0, 0.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePose:
    """Where the table top is: shifts, its own turns, and the turntable under it with its axis."""

    shift_mm: Point
    pitch_deg: float
    roll_deg: float
    top_yaw_deg: float
    turntable_deg: float
    axis_mm: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaged:
    """How a point of the plan is found in the room at the scan: the pose of the registration and both isocentres (LPS mm).

    `table_angle_deg` is the planned angle; `image_angle_deg` the angle by which the image's axes are turned in the room.
    """

    rotation: Rows
    translation_mm: Point
    plan_isocentre_mm: Point
    daily_isocentre_mm: Point
    position: PatientPosition
    table_angle_deg: float
    image_angle_deg: float


def table_pose(position: CouchPosition, couch: CouchModel, *, table_angle_deg: float) -> TablePose:
    """The pose at an absolute position; `table_angle_deg` is the turntable's where the table top yaws by itself."""
    yaws_itself = couch.yaw_axis is YawAxis.TABLETOP
    return TablePose(
        shift_mm=(position.lateral_mm, position.longitudinal_mm, position.vertical_mm),
        pitch_deg=position.pitch_deg,
        roll_deg=position.roll_deg,
        top_yaw_deg=position.yaw_deg if yaws_itself else 0.0,
        turntable_deg=table_angle_deg if yaws_itself else position.yaw_deg,
        axis_mm=couch.turntable_axis_mm,
    )


def room_from_table(point_mm: Point, pose: TablePose) -> Point:
    """A point fixed to the table top, in the room."""
    x, y, z = point_mm
    z, x = _turned(z, x, pose.roll_deg)
    y, z = _turned(y, z, pose.pitch_deg)
    x, y = _turned(x, y, pose.top_yaw_deg)
    x, y, z = x + pose.shift_mm[0], y + pose.shift_mm[1], z + pose.shift_mm[2]
    axis_x, axis_y, _ = pose.axis_mm
    x, y = _turned(x - axis_x, y - axis_y, pose.turntable_deg)
    return x + axis_x, y + axis_y, z


def table_from_room(point_mm: Point, pose: TablePose) -> Point:
    """A point of the room, in the axes of the table top: the turns of `room_from_table` undone, last first."""
    x, y, z = point_mm
    axis_x, axis_y, _ = pose.axis_mm
    x, y = _turned(x - axis_x, y - axis_y, -pose.turntable_deg)
    x, y = x + axis_x, y + axis_y
    x, y, z = x - pose.shift_mm[0], y - pose.shift_mm[1], z - pose.shift_mm[2]
    x, y = _turned(x, y, -pose.top_yaw_deg)
    y, z = _turned(y, z, -pose.pitch_deg)
    z, x = _turned(z, x, -pose.roll_deg)
    return x, y, z


def carried(point_mm: Point, *, start: TablePose, target: TablePose) -> Point:
    """Where a point of the room is once the couch has gone from start to target with it."""
    return room_from_table(table_from_room(point_mm, start), target)


def room_now(goal_mm: Point, imaged: Imaged) -> Point:
    """Where the tissue is now that belongs at `goal_mm` of the room: through plan and daily image."""
    # Room -> plan: the goal turns with the table.
    x, y = _turned(goal_mm[0], goal_mm[1], -imaged.table_angle_deg)
    in_plan = _plus(_patient_from_room((x, y, goal_mm[2]), imaged.position), imaged.plan_isocentre_mm)
    # Plan -> daily: the pose undone, column by column.
    left = _minus(in_plan, imaged.translation_mm)
    in_daily = _transposed_times(imaged.rotation, left)
    # Daily -> room: the image's axes stay with the room or turn with the table.
    x, y, z = _room_from_patient(_minus(in_daily, imaged.daily_isocentre_mm), imaged.position)
    x, y = _turned(x, y, imaged.image_angle_deg)
    return x, y, z


def moved(point_mm: Point, rotation: Rows, translation_mm: Point) -> Point:
    """`rotation @ point + translation`."""
    first, second, third = rotation
    return _plus((_dot(first, point_mm), _dot(second, point_mm), _dot(third, point_mm)), translation_mm)


def _axes(position: PatientPosition) -> Rows:
    """Room x, y and z as directions of the patient: y from the head, z from the upward side, x completes them right-handed."""
    head, (left, back) = _TOWARD_GANTRY[position.value[:2]], _UP[position.value[2:]]
    return (-head * back, head * left, 0.0), (0.0, 0.0, head), (left, back, 0.0)


def _room_from_patient(direction: Point, position: PatientPosition) -> Point:
    x, y, z = _axes(position)
    return _dot(x, direction), _dot(y, direction), _dot(z, direction)


def _patient_from_room(direction: Point, position: PatientPosition) -> Point:
    return _transposed_times(_axes(position), direction)


def _transposed_times(rows: Rows, vector: Point) -> Point:
    """Undoes a rotation given by its rows: the rows, each as often as the vector says, added up."""
    x, y, z = rows
    a, b, c = vector
    return x[0] * a + y[0] * b + z[0] * c, x[1] * a + y[1] * b + z[1] * c, x[2] * a + y[2] * b + z[2] * c


def _turned(a: float, b: float, angle_deg: float) -> tuple[float, float]:
    """Two coordinates turned from the first axis toward the second."""
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return a * cosine - b * sine, a * sine + b * cosine


def _dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _plus(a: Point, b: Point) -> Point:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _minus(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]
