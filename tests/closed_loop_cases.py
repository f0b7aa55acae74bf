"""One loop from a set-up error to the couch and back: geometry gives the target, a couch and a patient that know nothing of it the rest."""

import itertools
from dataclasses import dataclass

import numpy as np

from igrt.geometry.couch import AxisRange, CouchModel, CouchPosition, YawAxis, couch_move, residuals_mm, scatter_from_points
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_plan
from igrt.simulation.couch import AXES, SimulatedCouch, simple_mechanics
from igrt.simulation.lying import imaged, laid_down, planned_place

POSITIONS = list(PatientPosition)
TABLE_ANGLES = (-90.0, -30.0, 0.0, 30.0, 90.0)
# Pitch and roll of the table before the correction: level, and what an earlier correction left.
STARTS = ((0.0, 0.0), (-0.8, 0.6))
CORRECTIONS = 2

# The stated figures: what steps of 0.1 mm and 0.1 degrees cost at the point to match is half a step along each axis.
AT_MATCH_POINT_MM = 0.2
EXACT_MM = 1e-6
STEP = 0.1


@dataclass(frozen=True)
class Outcome:
    """What one loop left of each target point (mm, room): `left` in truth, `promised` before the move, `seen` in the second image.

    The first point is the one to match; `points` are where the tissue lay, `wanted` and `made` the rotations.
    """

    left: np.ndarray
    promised: np.ndarray
    seen: np.ndarray
    wanted: np.ndarray
    made: np.ndarray
    points: np.ndarray


def couch_model(dof, yaw_axis, step):
    shift, turn = AxisRange(-3000, 3000, step), AxisRange(-180, 180, step)
    return CouchModel(
        name="simulated",
        degrees_of_freedom=dof,
        yaw_axis=yaw_axis,
        lateral=shift,
        longitudinal=shift,
        vertical=shift,
        pitch=turn,
        roll=turn,
        yaw=turn,
        turntable_axis_mm=(0.7, -0.4, 0.0),
    )


def simulated(dof, yaw_axis, step, *, theta, pitch, roll, rng):
    """A couch that stands where a patient's couch stands, on the steps it can take."""
    mechanics = simple_mechanics(
        degrees_of_freedom=dof,
        step_mm=step,
        step_deg=step,
        top_yaws=yaw_axis is YawAxis.TABLETOP,
        turntable_axis_mm=(0.7, -0.4),
    )
    place = np.round(rng.uniform((-80, -900, -250), (80, -200, -80)), 1)
    left_over = 0.0 if (pitch, roll) == (0.0, 0.0) else 0.5
    return SimulatedCouch(
        mechanics=mechanics,
        lateral_mm=place[0],
        longitudinal_mm=place[1],
        vertical_mm=place[2],
        pitch_deg=pitch,
        roll_deg=roll,
        yaw_deg=left_over + (theta if yaw_axis is YawAxis.TURNTABLE else 0.0),
        turntable_deg=theta,
    )


def loop(position, theta, start, image_axes, dof, yaw_axis, step, rng, *, daily_position=None):
    """Lie down with an error, image, correct, image again."""
    daily_position = daily_position or position
    standing = simulated(dof, yaw_axis, step, theta=theta, pitch=start[0], roll=start[1], rng=rng)
    isocentre, daily_isocentre = rng.uniform(-200, 200, 3), rng.uniform(-200, 200, 3)
    # A target whose centre is 40 to 70 mm off the isocentre, ten points of it, the centre first.
    way = rng.normal(size=3)
    centre = isocentre + way / np.linalg.norm(way) * rng.uniform(40, 70)
    target = np.vstack([centre, centre + rng.normal(0, 15, (9, 3))])
    error = Correction(**dict(zip(AXES, [*rng.uniform(-15, 15, 3), *rng.uniform(-2.5, 2.5, 3)], strict=True)))
    patient = laid_down(standing, position=position, isocentre_mm=isocentre, table_angle_deg=theta, error=error)
    setup = {"position": daily_position, "isocentre_mm": daily_isocentre, "image_turn_deg": theta if image_axes is ImageAxes.TABLE else 0.0}

    def correction_of(pose):
        return correction_motion(
            pose,
            plan_isocentre_mm=isocentre,
            daily_isocentre_mm=daily_isocentre,
            plan_position=position,
            daily_position=daily_position,
            table_angle_deg=theta,
            image_axes=image_axes,
        )

    correction = correction_of(imaged(patient, standing, **setup))
    goal = fixed_from_plan(isocentre_mm=isocentre, position=position, table_angle_deg=theta)
    now = correction.inverse().apply(goal.apply(target))
    move = couch_move(
        correction,
        model=couch_model(dof, yaw_axis, step),
        reference_mm=now[0],
        scatter_mm2=scatter_from_points(now, about_mm=now[0]),
        start=CouchPosition(**standing.reading()),
        table_angle_deg=theta,
    )
    after = standing.move_to(move.target).end
    wanted = [planned_place(point, position=position, isocentre_mm=isocentre, table_angle_deg=theta) for point in target]
    here = np.array(patient.in_room(target, after))
    second = correction_of(imaged(patient, after, **setup))
    return Outcome(
        left=here - wanted,
        promised=residuals_mm(correction, move.motion, now),
        seen=here - second.apply(here),
        wanted=correction.rotation,
        made=move.motion.rotation,
        points=now,
    )


def every_case(*, dof, yaw_axis, step):
    """All positions, table angles, starts and image axes, each with `CORRECTIONS` random set-ups."""
    rng = np.random.default_rng(61217 + dof)
    for position, theta, start, image_axes in itertools.product(POSITIONS, TABLE_ANGLES, STARTS, ImageAxes):
        for _ in range(CORRECTIONS):
            yield loop(position, theta, start, image_axes, dof, yaw_axis, step, rng)


def length(vectors):
    return np.linalg.norm(vectors, axis=-1)


def largest(values):
    """The maximum, which a NaN anywhere makes NaN, so that no comparison passes over it."""
    return float(np.max(np.concatenate([np.atleast_1d(value) for value in values])))
