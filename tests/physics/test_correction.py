"""From registration to correction: every tissue point goes where the plan wants it, whatever the positions, angle and axes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.angles import angles_from_rotation
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_daily, fixed_from_plan, start_pose

positions = st.sampled_from(list(PatientPosition))
table_angles = st.floats(-100, 100)
vectors = st.tuples(*[st.floats(-150, 150)] * 3).map(np.array)
axes = st.sampled_from(list(ImageAxes))
TISSUE = np.random.default_rng(61217).normal(0, 60, (20, 3))


def rx(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def ry(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rz(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def registration(rotation, translation):
    return RigidMotion(Frame.PLAN, Frame.DAILY, rotation, translation)


poses = st.builds(lambda a, t: registration(rz(a[0]) @ rx(a[1]) @ ry(a[2]), t), st.tuples(*[st.floats(-180, 180)] * 3), vectors)


def close(a, b, tolerance=1e-8):
    return bool(np.abs(np.asarray(a, float) - np.asarray(b, float)).max() < tolerance)


def correct(pose, *, c=(0.0, 0, 0), q0=(0.0, 0, 0), plan="HFS", daily="HFS", theta=0.0, image_axes=ImageAxes.ROOM):
    return correction_motion(
        pose,
        plan_isocentre_mm=c,
        daily_isocentre_mm=q0,
        plan_position=PatientPosition(plan),
        daily_position=PatientPosition(daily),
        table_angle_deg=theta,
        image_axes=image_axes,
    )


@given(pose=poses, c=vectors, q0=vectors, plan=positions, daily=positions, theta=table_angles, image_axes=axes)
def test_every_tissue_point_goes_to_its_planned_place(pose, c, q0, plan, daily, theta, image_axes):
    d = correct(pose, c=c, q0=q0, plan=plan, daily=daily, theta=theta, image_axes=image_axes)
    turned = rz(theta) if image_axes is ImageAxes.TABLE else np.eye(3)
    now = (TISSUE - q0) @ (turned @ daily.fixed_from_lps).T
    planned = (pose.apply(TISSUE) - c) @ (rz(theta) @ plan.fixed_from_lps).T
    assert close(d.apply(now), planned)
    assert close(fixed_from_daily(isocentre_mm=q0, position=daily, table_angle_deg=theta, image_axes=image_axes).apply(TISSUE), now)
    assert close(fixed_from_plan(isocentre_mm=c, position=plan, table_angle_deg=theta).apply(pose.apply(TISSUE)), planned)


@given(pose=poses, c=vectors, q0=vectors, plan=positions, daily=positions, theta=table_angles)
def test_the_formulas_at_zero_and_at_a_table_angle(pose, c, q0, plan, daily, theta):
    bp, bd = plan.fixed_from_lps, daily.fixed_from_lps
    r, t = bp @ pose.rotation @ bd.T, bp @ (pose.apply(q0) - c)
    given_ = {"c": c, "q0": q0, "plan": plan, "daily": daily}
    at_zero = correct(pose, **given_)
    assert close(at_zero.rotation, r)
    assert close(at_zero.translation_mm, t)
    room = correct(pose, **given_, theta=theta, image_axes=ImageAxes.ROOM)
    assert close(room.rotation, rz(theta) @ r)
    table = correct(pose, **given_, theta=theta, image_axes=ImageAxes.TABLE)
    assert close(table.rotation, rz(theta) @ r @ rz(-theta))
    for turned in (room, table):
        assert close(turned.translation_mm, rz(theta) @ t)


@given(c=vectors, q0=vectors, plan=positions, daily=positions, theta=table_angles, image_axes=axes)
def test_the_start_pose_needs_no_correction(c, q0, plan, daily, theta, image_axes):
    pose = start_pose(
        plan_isocentre_mm=c, daily_isocentre_mm=q0, plan_position=plan, daily_position=daily, table_angle_deg=theta, image_axes=image_axes
    )
    d = correct(pose, c=c, q0=q0, plan=plan, daily=daily, theta=theta, image_axes=image_axes)
    assert close(d.matrix, np.eye(4))


@given(pose=poses, c=vectors, q0=vectors, position=positions, theta=table_angles)
def test_a_correction_found_at_zero_is_turned_with_the_table(pose, c, q0, position, theta):
    """Imaged at 0, not corrected, turned to theta: the same tissue is now elsewhere, and its correction is Rz D Rz^-1."""
    found = correct(pose, c=c, q0=q0, plan=position, daily=position)
    at_theta = correct(pose, c=c, q0=q0, plan=position, daily=position, theta=theta, image_axes=ImageAxes.TABLE)
    turn = np.eye(4)
    turn[:3, :3] = rz(theta)
    assert close(at_theta.matrix, turn @ found.matrix @ np.linalg.inv(turn))


@given(pose=poses, c=vectors, q0=vectors, position=positions, theta=table_angles)
def test_a_patient_corrected_at_zero_and_turned_needs_no_second_correction(pose, c, q0, position, theta):
    corrected_then_turned = (
        correct(pose, c=c, q0=q0, plan=position, daily=position).apply((TISSUE - q0) @ position.fixed_from_lps.T) @ rz(theta).T
    )
    goal = fixed_from_plan(isocentre_mm=c, position=position, table_angle_deg=theta).apply(pose.apply(TISSUE))
    assert close(corrected_then_turned, goal)


@given(pose=poses, c=vectors, position=positions)
def test_a_table_angle_counts_modulo_360(pose, c, position):
    for image_axes in ImageAxes:
        a, b = (correct(pose, c=c, plan=position, daily=position, theta=v, image_axes=image_axes) for v in (359.998, -0.002))
        assert close(a.matrix, b.matrix)


@given(pose=poses, plan=positions, daily=positions)
def test_numbers_and_motion_are_one_thing(pose, plan, daily):
    d = correct(pose, plan=plan, daily=daily)
    assert close(Correction.from_motion(d).motion.matrix, d.matrix)


def test_worked_example_of_a_shift():
    d = Correction.from_motion(correct(registration(np.eye(3), [15.0, -30, 50]), c=(12, -34, 56)))
    assert close([d.lateral_mm, d.longitudinal_mm, d.vertical_mm], [3, -6, -4])
    assert close([d.pitch_deg, d.roll_deg, d.yaw_deg], 0)
    assert d.words()[:3] == ("couch 3.0 mm to the right, seen facing the gantry", "couch 6.0 mm away from gantry", "couch 4.0 mm down")


PRINTED = np.array([[0.999064, 0.025552, -0.034894], [-0.026173, 0.999505, -0.017452], [0.034431, 0.018349, 0.999239]])


def nearest_rotation(matrix):
    u, _, vt = np.linalg.svd(matrix)
    return u @ vt


def test_worked_example_of_a_shift_and_three_turns():
    pose = registration(nearest_rotation(PRINTED), [14.0, -32, 55])
    assert close(pose.rotation, PRINTED, 1e-6)
    d = Correction.from_motion(correct(pose, c=(12, -34, 56)))
    assert close([d.lateral_mm, d.longitudinal_mm, d.vertical_mm], [2, -1, -2])
    assert close([d.pitch_deg, d.roll_deg, d.yaw_deg], [1, -1.5, 2], 1e-4)
    b = PatientPosition.HFS.fixed_from_lps
    assert close(b.T @ rz(2) @ rx(1) @ ry(-1.5) @ b, PRINTED, 6e-7)
    assert d.words()[3:] == (
        "pitch 1.0° gantry end up",
        "roll 1.5° left side down, seen facing the gantry",
        "yaw 2.0° counter-clockwise seen from above",
    )


def test_a_registration_the_wrong_way_round_is_refused_and_would_be_wrong():
    pose = registration(nearest_rotation(PRINTED), [14.0, -32, 55])
    with pytest.raises(ValueError, match="not from daily_from_plan"):
        correct(pose.inverse(), c=(12, -34, 56))
    wrong = correct(registration(pose.inverse().rotation, pose.inverse().translation_mm), c=(12, -34, 56))
    assert np.abs(wrong.translation_mm - [2, -1, -2]).max() > 1


@settings(max_examples=50)
@given(pitch=st.floats(-89, 89), roll=st.floats(-179, 179), yaw=st.floats(-179, 179))
def test_angles_are_those_of_the_written_formulas(pitch, roll, yaw):
    r = rz(yaw) @ rx(pitch) @ ry(roll)
    formulas = np.degrees([math.asin(r[2, 1]), math.atan2(-r[2, 0], r[2, 2]), math.atan2(-r[0, 1], r[1, 1])])
    assert close(angles_from_rotation(r), formulas, 1e-6)
    assert close(angles_from_rotation(r), [pitch, roll, yaw], 1e-6)


def test_decubitus_feet_first_at_a_table_angle():
    """A shift alone, plan and daily FFDL, table at 30: fixed (-6.80, 4.30, -3.04) is the turned shift of the registration."""
    b, fixed = PatientPosition.FFDL.fixed_from_lps, np.array([-6.80, 4.30, -3.04])
    pose = registration(np.eye(3), b.T @ rz(-30) @ fixed)
    for image_axes, rotation in ((ImageAxes.TABLE, np.eye(3)), (ImageAxes.ROOM, rz(30))):
        d = correct(pose, plan="FFDL", daily="FFDL", theta=30, image_axes=image_axes)
        assert close(d.translation_mm, fixed)
        assert close(d.rotation, rotation)
