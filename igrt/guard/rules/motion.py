"""Four landmarks are carried by arithmetic of the guard's own, and must come out where correction, move and promise say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import ImageAxes
from igrt.guard.facts import Breach, Case, couch_position, known, motion, number, point, points
from igrt.guard.landmarks import LANDMARKS_MM, Imaged, carried, moved, room_now, table_pose
from igrt.guard.request import Point

REMEDY = "look for a wrong axis, sign, unit or frame, image again and call service"


def patient_position(case: Case) -> Iterator[Breach]:
    """Plan and daily image lie in the same patient position."""
    ours, theirs = (known(case.request, f"{side}_position", PatientPosition) for side in ("plan", "daily"))
    if ours is not theirs:
        yield Breach(
            field="daily_position",
            value=theirs.value,
            limit=f"the plan is for {ours.value}",
            remedy="correct the position that is wrong, then image again",
        )


def correction_follows(case: Case) -> Iterator[Breach]:
    """The correction takes the landmarks' tissue, found through pose and isocentres, to where the plan wants it."""
    rotation, translation = motion(case.request, "correction")
    yield from _meet(case, "correction", [moved(now, rotation, translation) for now in _tissue(case)], LANDMARKS_MM)


def move_follows(case: Case) -> Iterator[Breach]:
    """Start and target, carried by the guard's own couch, make the move that was judged."""
    rotation, translation = motion(case.request, "made")
    yield from _meet(case, "target", _carried(case), [moved(now, rotation, translation) for now in _tissue(case)])


def promise_kept(case: Case) -> Iterator[Breach]:
    """What remains at every landmark after the move is what was promised."""
    promised = points(case.request, "promised_residuals_mm", count=len(LANDMARKS_MM))
    remaining = [(x - u, y - v, z - w) for (x, y, z), (u, v, w) in zip(_carried(case), LANDMARKS_MM, strict=True)]
    yield from _meet(case, "promised_residuals_mm", promised, remaining)


def residual(case: Case) -> Iterator[Breach]:
    """What remains is of a size that a couch of fewer axes leaves, whatever was promised."""
    for goal, there in zip(LANDMARKS_MM, _carried(case), strict=True):
        remaining = math.dist(there, goal)
        if not remaining <= case.policy.residual_mm:
            yield Breach(
                field="target",
                value=f"{remaining:.3f} mm off at landmark {_words(goal)}",
                limit=f"no couch needs to leave more than {case.policy.residual_mm:g} mm",
                remedy="set the patient up again, then image again",
            )
            return


def _tissue(case: Case) -> list[Point]:
    """Where the tissue is now that belongs at each landmark."""
    rotation, translation = motion(case.request, "plan_from_daily")
    image_angle = number(case.request, "image_table_angle_deg")
    with_table = known(case.request, "image_axes", ImageAxes) is ImageAxes.TABLE
    imaged = Imaged(
        rotation=rotation,
        translation_mm=translation,
        plan_isocentre_mm=point(case.request, "proposed.isocentre_mm"),
        daily_isocentre_mm=point(case.request, "daily_isocentre_mm"),
        position=known(case.request, "plan_position", PatientPosition),
        table_angle_deg=number(case.request, "table_angle_deg"),
        image_angle_deg=image_angle if with_table else 0.0,
    )
    return [room_now(goal, imaged) for goal in LANDMARKS_MM]


def _carried(case: Case) -> list[Point]:
    """Where that tissue is once the couch is at its target."""
    angle = number(case.request, "image_table_angle_deg")
    start, target = (
        table_pose(couch_position(case.request, name), case.policy.couch, table_angle_deg=angle) for name in ("start", "target")
    )
    return [carried(now, start=start, target=target) for now in _tissue(case)]


def _meet(case: Case, field: str, given: Sequence[Point], expected: Sequence[Point]) -> Iterator[Breach]:
    """A breach for the first landmark at which the two are apart."""
    for goal, here, there in zip(LANDMARKS_MM, given, expected, strict=True):
        apart = math.dist(here, there)
        if not apart <= case.policy.landmark_mm:
            yield Breach(
                field=field,
                value=f"{_words(here)} at landmark {_words(goal)}, {apart:.3f} mm from {_words(there)}",
                limit=f"{case.policy.landmark_mm:g} mm are allowed",
                remedy=REMEDY,
            )
            return


def _words(place: Point) -> str:
    x, y, z = place
    return f"({x:z.2f}, {y:z.2f}, {z:z.2f})"
