"""A patient who lies on the simulated couch, and what an image of them then shows; like the couch, without geometry's matrices.

A patient position is the turn of the patient on the table, the patient is four points that are carried one at a time, and the daily pose is
read off where the image shows them. Lengths are mm, angles degrees; room axes IEC 61217 fixed, patient axes DICOM LPS (docs/geometry.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.couch import Point, SimulatedCouch, SixAxes, room_from_table, swung, table_from_room, turned

# How a patient lies on the table, as turns about its x, y and z; head first supine is level. In this order: z, then y, then x.
_LYING: Mapping[str, Point] = {
    "HFS": (0.0, 0.0, 0.0),
    "HFP": (0.0, 180.0, 0.0),
    "HFDR": (0.0, -90.0, 0.0),
    "HFDL": (0.0, 90.0, 0.0),
    "FFS": (0.0, 0.0, 180.0),
    "FFP": (180.0, 0.0, 0.0),
    "FFDR": (0.0, 90.0, 180.0),
    "FFDL": (0.0, -90.0, 180.0),
}
# The patient is known by four points: the plan isocentre, and this far from it to the left, to the back and to the head.
_ARM_MM = 100.0


def planned_place(point_mm: Sequence[float], *, position: str, isocentre_mm: Sequence[float], table_angle_deg: float) -> Point:
    """Where the plan wants a point (plan LPS) in the room, with the table at `table_angle_deg`."""
    left, back, head = (value - origin for value, origin in zip(point_mm, isocentre_mm, strict=True))
    about_x, about_y, about_z = _LYING[position]
    x, y, z = left, head, -back
    x, y = swung(x, y, about_z)
    z, x = swung(z, x, about_y)
    y, z = swung(y, z, about_x)
    x, y = swung(x, y, table_angle_deg)
    return x, y, z


@dataclass(frozen=True, slots=True, kw_only=True)
class LyingPatient:
    """A rigid patient on the table top: where four points of the plan are on it, the isocentre first, and the isocentre in plan LPS."""

    isocentre_mm: Point
    corners_mm: tuple[Point, Point, Point, Point]

    def in_room(self, points_mm: Iterable[Sequence[float]], couch: SimulatedCouch) -> tuple[Point, ...]:
        """Where tissue that the plan has at these points (LPS) is in the room, with the couch where it is now."""
        origin, *arms = self.corners_mm
        places = []
        for point in points_mm:
            parts = [(value - start) / _ARM_MM for value, start in zip(point, self.isocentre_mm, strict=True)]
            on_table = [origin[i] + sum(part * (arm[i] - origin[i]) for part, arm in zip(parts, arms, strict=True)) for i in range(3)]
            places.append(room_from_table(on_table, couch))
        return tuple(places)


def laid_down(
    couch: SimulatedCouch, *, position: str, isocentre_mm: Sequence[float], table_angle_deg: float, error: SixAxes
) -> LyingPatient:
    """A patient set up on the couch with an error.

    All tissue is away from its planned place: rolled, then pitched, then yawed about the isocentre of the room, and then shifted, all in
    the room's axes (`error`).
    """
    x, y, z = isocentre_mm
    corners = []
    for arm in ((0.0, 0.0, 0.0), (_ARM_MM, 0.0, 0.0), (0.0, _ARM_MM, 0.0), (0.0, 0.0, _ARM_MM)):
        tissue = (x + arm[0], y + arm[1], z + arm[2])
        goal = planned_place(tissue, position=position, isocentre_mm=isocentre_mm, table_angle_deg=table_angle_deg)
        a, b, c = turned(goal, pitch_deg=error.pitch_deg, roll_deg=error.roll_deg, yaw_deg=error.yaw_deg)
        corners.append(table_from_room((a + error.lateral_mm, b + error.longitudinal_mm, c + error.vertical_mm), couch))
    first, second, third, fourth = corners
    return LyingPatient(isocentre_mm=(x, y, z), corners_mm=(first, second, third, fourth))


def imaged(
    patient: LyingPatient, couch: SimulatedCouch, *, position: str, isocentre_mm: Sequence[float], image_turn_deg: float = 0.0
) -> RigidMotion:
    """`plan_from_daily` that a perfect registration of an image taken now would find.

    `position` is the one that the image states, `isocentre_mm` the machine isocentre in its coordinates, and `image_turn_deg` how far its
    axes are turned from the room's: 0 where they stay with the room, the table angle where they follow the table.
    """
    seen = [_in_image(room_from_table(corner, couch), position, isocentre_mm, image_turn_deg) for corner in patient.corners_mm]
    centre, *arms = seen
    # What the plan calls left, back and head, as directions of the image: the rows of the rotation that undoes the image's axes.
    rows = [[(arm[i] - centre[i]) / _ARM_MM for i in range(3)] for arm in arms]
    shift = [start - sum(row[i] * centre[i] for i in range(3)) for start, row in zip(patient.isocentre_mm, rows, strict=True)]
    matrix = [[*row, value] for row, value in zip(rows, shift, strict=True)]
    return RigidMotion.from_matrix([*matrix, [0.0, 0.0, 0.0, 1.0]], target=Frame.PLAN, source=Frame.DAILY)


def _in_image(place_mm: Point, position: str, isocentre_mm: Sequence[float], image_turn_deg: float) -> Point:
    """The daily LPS coordinates of a place in the room: the way of `planned_place` back."""
    about_x, about_y, about_z = _LYING[position]
    x, y, z = place_mm
    x, y = swung(x, y, -image_turn_deg)
    y, z = swung(y, z, -about_x)
    z, x = swung(z, x, -about_y)
    x, y = swung(x, y, -about_z)
    return x + isocentre_mm[0], isocentre_mm[1] - z, y + isocentre_mm[2]
