"""The guard's own kinematics against geometry's chain, which it may not use: same places for every couch, position and angle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.couch import fixed_from_couch
from igrt.geometry.couch_model import YawAxis
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, fixed_from_daily, fixed_from_plan
from igrt.guard.landmarks import LANDMARKS_MM, Imaged, carried, moved, room_from_table, room_now, table_from_room, table_pose
from tests.unit.guard.guard_cases import at, couch, decided, make_case, reasons

places = st.tuples(*[st.floats(-300, 300)] * 3)
angles = st.floats(-180, 180)
positions = st.builds(at, *[st.floats(-1000, 1000)] * 3, *[angles] * 3)


def close(a, b):
    return bool(np.abs(np.asarray(a, float) - np.asarray(b, float)).max() < 1e-9)


def pose_of(position, model, turntable=0.0):
    return table_pose(position, model, table_angle_deg=turntable)


def test_the_four_landmarks_fix_a_motion_whole():
    assert abs(np.linalg.det(np.diff(np.array(LANDMARKS_MM), axis=0))) == pytest.approx(1e6)


@pytest.mark.parametrize("yaw_axis", YawAxis)
@given(point=places, position=positions, axis=places, turntable=angles)
@settings(max_examples=60)
def test_a_point_of_the_table_lies_where_geometry_has_it(yaw_axis, point, position, axis, turntable):
    model = couch(yaw_axis=yaw_axis, axis_mm=axis)
    chain = fixed_from_couch(position, model, table_angle_deg=turntable)
    pose = pose_of(position, model, turntable)
    assert close(room_from_table(point, pose), chain.apply(point))
    assert close(table_from_room(point, pose), chain.inverse().apply(point))


@given(point=places, start=positions, target=positions)
@settings(max_examples=40)
def test_what_lies_on_the_couch_is_carried_with_it(point, start, target):
    model = couch(axis_mm=(2.0, -1.0, 0.0))
    chain = fixed_from_couch(target, model) @ fixed_from_couch(start, model).inverse()
    assert close(carried(point, start=pose_of(start, model), target=pose_of(target, model)), chain.apply(point))


@pytest.mark.parametrize(
    ("move", "moved_mm"),
    [
        ({"longitudinal": 10.0}, (0.0, 10.0, 0.0)),
        ({"vertical": 10.0}, (0.0, 0.0, 10.0)),
        ({"lateral": 10.0}, (10.0, 0.0, 0.0)),
    ],
)
def test_shifts_go_right_toward_the_gantry_and_up(move, moved_mm):
    zero = at(0, 0, 0, 0, 0, 0)
    there = at(**({"lateral": 0, "longitudinal": 0, "vertical": 0, "pitch": 0, "roll": 0, "yaw": 0} | move))
    model = couch()
    assert carried((0.0, 0.0, 0.0), start=pose_of(zero, model), target=pose_of(there, model)) == moved_mm


def test_signs_of_the_turns():
    model, zero = couch(), (0.0, 0.0, 0.0)
    gantry_end, right_side = (0.0, 100.0, 0.0), (100.0, 0.0, 0.0)
    pitch, roll, yaw = (pose_of(at(*zero, *turn), model) for turn in ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 90.0)))
    assert room_from_table(gantry_end, pitch)[2] > 3.0
    assert room_from_table(right_side, roll)[2] < -3.0
    assert close(room_from_table(gantry_end, yaw), (-100.0, 0.0, 0.0))


@pytest.mark.parametrize("position", PatientPosition)
@given(goal=places, turn=st.tuples(*[st.floats(-20, 20)] * 3), shift=places, plan_iso=places, daily_iso=places, table=angles, image=angles)
@settings(max_examples=15)
def test_tissue_is_found_where_geometry_finds_it(position, goal, turn, shift, plan_iso, daily_iso, table, image):
    pitch, roll, yaw = turn
    lateral, longitudinal, vertical = shift
    motion = Correction(
        lateral_mm=lateral, longitudinal_mm=longitudinal, vertical_mm=vertical, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw
    ).motion
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, motion.rotation, motion.translation_mm)
    plan = fixed_from_plan(isocentre_mm=plan_iso, position=position, table_angle_deg=table)
    daily = fixed_from_daily(isocentre_mm=daily_iso, position=position, table_angle_deg=image, image_axes=ImageAxes.TABLE)
    imaged = Imaged(
        rotation=tuple(map(tuple, motion.rotation.tolist())),
        translation_mm=shift,
        plan_isocentre_mm=plan_iso,
        daily_isocentre_mm=daily_iso,
        position=position,
        table_angle_deg=table,
        image_angle_deg=image,
    )
    assert close(room_now(goal, imaged), (daily @ (plan @ pose).inverse()).apply(goal))
    assert close(moved(goal, imaged.rotation, shift), motion.apply(goal))


def test_a_table_angle_as_files_write_it_is_the_same_angle():
    assert reasons(make_case(table_angle_deg=359.998, model=couch(yaw_axis=YawAxis.TABLETOP))) == {}


def test_a_turntable_that_turns_about_another_axis_than_was_thought_shows():
    case = make_case(model=couch(axis_mm=(0.0, 0.0, 0.0)))
    displaced = make_case(model=couch(axis_mm=(6.0, -4.0, 0.0))).policy
    assert "move_follows" in reasons(type(case)(request=case.request, policy=displaced, now=case.now))
    assert decided(case)
