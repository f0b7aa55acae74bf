"""The simulated patient on the couch: eight positions, a set-up error, and what an image then shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.couch import CouchPosition
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_plan
from igrt.simulation.couch import SimulatedCouch, simple_mechanics
from igrt.simulation.lying import imaged, laid_down, planned_place

positions = st.sampled_from(list(PatientPosition))
points = st.tuples(*[st.floats(-200, 200)] * 3)
angles = st.floats(-180, 180)
small = st.floats(-5, 5)
errors = st.builds(Correction, **dict.fromkeys(Correction.__dataclass_fields__, small))
NONE = Correction(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, pitch_deg=0, roll_deg=0, yaw_deg=0)
COUCH = SimulatedCouch(
    mechanics=simple_mechanics(), lateral_mm=20.0, longitudinal_mm=-600.0, vertical_mm=-150.0, pitch_deg=1.0, roll_deg=-2.0, yaw_deg=30.0
)


def far(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())


@pytest.mark.parametrize("position", PatientPosition)
def test_head_and_upward_side_are_where_the_position_says(position):
    """Toward the gantry lies the head or the feet; up lies the chest, the back, or the side opposite to the decubitus."""
    place = {"position": position, "isocentre_mm": (0, 0, 0), "table_angle_deg": 0.0}
    toward_head = planned_place((0, 0, 1), **place)
    upward = {"S": (0, -1, 0), "P": (0, 1, 0), "DR": (1, 0, 0), "DL": (-1, 0, 0)}[position.value[2:]]
    assert toward_head == pytest.approx((0, 1 if position.value[:2] == "HF" else -1, 0), abs=1e-12)
    assert planned_place(upward, **place) == pytest.approx((0, 0, 1), abs=1e-12)


@given(position=positions, isocentre=points, point=points, angle=angles)
def test_the_planned_place_is_that_of_the_written_formula(position, isocentre, point, angle):
    goal = fixed_from_plan(isocentre_mm=isocentre, position=position, table_angle_deg=angle)
    place = planned_place(point, position=position, isocentre_mm=isocentre, table_angle_deg=angle)
    assert far(place, goal.apply(point)) < 1e-9


@given(position=positions, isocentre=points, point=points, error=errors)
def test_tissue_is_away_from_its_planned_place_by_the_error(position, isocentre, point, error):
    patient = laid_down(COUCH, position=position, isocentre_mm=isocentre, table_angle_deg=30.0, error=error)
    (here,) = patient.in_room([point], COUCH)
    goal = fixed_from_plan(isocentre_mm=isocentre, position=position, table_angle_deg=30.0)
    assert far(here, error.motion.apply(goal.apply(point))) < 1e-9


@given(
    position=positions, stated=positions, isocentre=points, daily=points, error=errors, axes=st.sampled_from(list(ImageAxes)), angle=angles
)
def test_the_correction_of_the_imaged_pose_undoes_the_error(position, stated, isocentre, daily, error, axes, angle):
    patient = laid_down(COUCH, position=position, isocentre_mm=isocentre, table_angle_deg=angle, error=error)
    turn = angle if axes is ImageAxes.TABLE else 0.0
    pose = imaged(patient, COUCH, position=stated, isocentre_mm=daily, image_turn_deg=turn)
    assert (pose.target, pose.source) == (Frame.PLAN, Frame.DAILY)
    correction = correction_motion(
        pose,
        plan_isocentre_mm=isocentre,
        daily_isocentre_mm=daily,
        plan_position=position,
        daily_position=stated,
        table_angle_deg=angle,
        image_axes=axes,
    )
    assert far((correction @ error.motion).matrix, np.eye(4)) < 1e-9


def test_the_patient_goes_with_the_couch():
    patient = laid_down(COUCH, position="HFS", isocentre_mm=(0, 0, 0), table_angle_deg=30.0, error=NONE)
    moved = COUCH.move_to(CouchPosition(**COUCH.reading() | {"vertical_mm": -140.0})).end
    (before,), (after,) = patient.in_room([(1, 2, 3)], COUCH), patient.in_room([(1, 2, 3)], moved)
    assert np.subtract(after, before) == pytest.approx((0, 0, 10))


def test_a_patient_set_up_right_and_imaged_at_the_isocentre_of_the_plan_shows_the_plan():
    couch = SimulatedCouch(mechanics=simple_mechanics(), lateral_mm=0, longitudinal_mm=0, vertical_mm=-100)
    patient = laid_down(couch, position="FFDL", isocentre_mm=(12, -34, 56), table_angle_deg=0.0, error=NONE)
    assert far(imaged(patient, couch, position="FFDL", isocentre_mm=(12, -34, 56)).matrix, np.eye(4)) < 1e-12


def test_an_unknown_position_is_refused():
    with pytest.raises(KeyError, match="LYING"):
        planned_place((0, 0, 0), position="LYING", isocentre_mm=(0, 0, 0), table_angle_deg=0.0)
