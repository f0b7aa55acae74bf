"""What a couch makes of a correction: exact for six degrees of freedom, best for four and three, honest under limits and steps."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.couch import (
    AxisRange,
    CouchModel,
    CouchPosition,
    YawAxis,
    best_yaw_deg,
    couch_move,
    motion_from_positions,
    residuals_mm,
    scatter_from_points,
)
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_daily, fixed_from_plan


def rx(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def ry(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rz(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def euler(r):
    return np.degrees([math.asin(r[2, 1]), math.atan2(-r[2, 0], r[2, 2]), math.atan2(-r[0, 1], r[1, 1])])


def homogeneous(rotation, translation=(0, 0, 0)):
    m = np.eye(4)
    m[:3, :3], m[:3, 3] = rotation, translation
    return m


def table_top(position, *, axis=(0, 0, 0), turntable=None):
    """The chain as four by four matrices; `turntable` is its angle where the table top yaws by itself."""
    x, y, z, pitch, roll, yaw = astuple(position)
    support = rz(yaw if turntable is None else turntable)
    top_yaw = 0.0 if turntable is None else yaw
    about_axis = homogeneous(support, np.array(axis) - support @ axis)
    return about_axis @ homogeneous(np.eye(3), (x, y, z)) @ homogeneous(rz(top_yaw) @ rx(pitch) @ ry(roll))


def close(a, b, tolerance=1e-7):
    return bool(np.abs(np.asarray(a, float) - np.asarray(b, float)).max() < tolerance)


WIDE, FULL_TURN = AxisRange(-5000, 5000, 0), AxisRange(-180, 180, 0)
FREE = CouchModel(
    name="free",
    degrees_of_freedom=6,
    yaw_axis=YawAxis.TURNTABLE,
    lateral=WIDE,
    longitudinal=WIDE,
    vertical=WIDE,
    pitch=FULL_TURN,
    roll=FULL_TURN,
    yaw=FULL_TURN,
)
REAL = replace(
    FREE,
    name="real",
    lateral=AxisRange(-250, 250, 0.1),
    longitudinal=AxisRange(-1500, 200, 0.1),
    vertical=AxisRange(-600, 50, 0.1),
    pitch=AxisRange(-3, 3, 0.1),
    roll=AxisRange(-3, 3, 0.1),
    yaw=AxisRange(-95, 95, 0.1),
)
ONE_POINT = {"reference_mm": (0.0, 0, 0), "scatter_mm2": None}
TISSUE = np.random.default_rng(61217).normal(0, 60, (20, 3))


def at(x=0.0, y=0.0, z=0.0, pitch=0.0, roll=0.0, yaw=0.0):
    return CouchPosition(lateral_mm=x, longitudinal_mm=y, vertical_mm=z, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)


def motion(rotation, translation):
    return RigidMotion(Frame.FIXED, Frame.FIXED, rotation, translation)


def with_dof(model, degrees_of_freedom):
    return replace(model, degrees_of_freedom=degrees_of_freedom)


small = st.floats(-8, 8)
shifts = st.tuples(*[st.floats(-50, 50)] * 3).map(np.array)
corrections = st.builds(lambda a, t: motion(rz(a[0]) @ rx(a[1]) @ ry(a[2]), t), st.tuples(small, small, small), shifts)
points = st.tuples(*[st.floats(-120, 120)] * 3).map(np.array)
starts = st.builds(
    at,
    st.floats(-200, 200),
    st.floats(-1400, 100),
    st.floats(-500, 0),
    st.floats(-2.9, 2.9),
    st.floats(-2.9, 2.9),
    st.floats(-85, 85),
)
axes_a = st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.just(0.0))
dofs = st.sampled_from([6, 4, 3])
yaw_axes = st.sampled_from(list(YawAxis))


@given(
    angles=st.tuples(small, small, small),
    shift=shifts,
    c=points,
    q0=points,
    plan=st.sampled_from(list(PatientPosition)),
    daily=st.sampled_from(list(PatientPosition)),
    image_axes=st.sampled_from(list(ImageAxes)),
    start=starts,
    axis=axes_a,
)
def test_six_degrees_of_freedom_bring_every_tissue_point_to_its_planned_place(angles, shift, c, q0, plan, daily, image_axes, start, axis):
    """From registration to table top and back through the chain: the tissue lies on the table top and goes where that goes."""
    theta = start.yaw_deg
    setup = {"table_angle_deg": theta, "position": daily, "isocentre_mm": q0, "image_axes": image_axes}
    error = motion(rz(angles[0]) @ rx(angles[1]) @ ry(angles[2]), shift)
    goal = fixed_from_plan(isocentre_mm=c, position=plan, table_angle_deg=theta)
    plan_from_daily = goal.inverse() @ error @ fixed_from_daily(**setup)
    correction = correction_motion(
        plan_from_daily,
        plan_isocentre_mm=c,
        daily_isocentre_mm=q0,
        plan_position=plan,
        daily_position=daily,
        table_angle_deg=theta,
        image_axes=image_axes,
    )
    model = replace(FREE, turntable_axis_mm=axis)
    move = couch_move(correction, model=model, reference_mm=TISSUE[0], scatter_mm2=None, start=start, table_angle_deg=theta)
    now = fixed_from_daily(**setup).apply(TISSUE)
    on_table = np.column_stack([now, np.ones(len(now))]) @ np.linalg.inv(table_top(start, axis=axis)).T
    after = (on_table @ table_top(move.target, axis=axis).T)[:, :3]
    assert close(after, goal.apply(plan_from_daily.apply(TISSUE)))
    assert close(move.motion.matrix, correction.matrix)
    assert move.limited == ()


@given(correction=corrections, start=starts)
def test_the_six_axes_follow_the_written_formulas(correction, start):
    move = couch_move(correction, model=FREE, **ONE_POINT, start=start, table_angle_deg=start.yaw_deg)
    x, y, z, pitch, roll, yaw = astuple(start)
    pitch1, roll1, yaw1 = euler(correction.rotation @ rz(yaw) @ rx(pitch) @ ry(roll))
    t1 = rz(-yaw1) @ (correction.rotation @ rz(yaw) @ [x, y, z] + correction.translation_mm)
    assert close(astuple(move.target), [*t1, pitch1, roll1, yaw1])


@given(correction=corrections, start=starts, reference=points, dof=dofs, yaw_axis=yaw_axes, axis=axes_a, turntable=st.floats(-80, 80))
def test_target_is_start_and_delta_and_the_motion_is_that_of_the_table_top(correction, start, reference, dof, yaw_axis, axis, turntable):
    model = replace(REAL, degrees_of_freedom=dof, yaw_axis=yaw_axis, turntable_axis_mm=axis)
    angle = start.yaw_deg if yaw_axis is YawAxis.TURNTABLE else turntable
    move = couch_move(correction, model=model, reference_mm=reference, scatter_mm2=None, start=start, table_angle_deg=angle)
    summed = np.add(astuple(start), astuple(move.delta))
    assert close(summed[:5], astuple(move.target)[:5])
    assert math.cos(math.radians(summed[5] - move.target.yaw_deg)) > 1 - 1e-12
    top = {"axis": axis, "turntable": None if yaw_axis is YawAxis.TURNTABLE else turntable}
    made = table_top(move.target, **top) @ np.linalg.inv(table_top(start, **top))
    assert close(move.motion.matrix, made)
    assert close(motion_from_positions(start, move.target, model, table_angle_deg=angle).matrix, made)
    assert close(residuals_mm(correction, move.motion, TISSUE), TISSUE @ made[:3, :3].T + made[:3, 3] - correction.apply(TISSUE))


@given(correction=corrections, start=starts, reference=points, dof=dofs, yaw_axis=yaw_axes)
def test_limits_steps_and_axes_that_stay(correction, start, reference, dof, yaw_axis):
    model = replace(REAL, degrees_of_freedom=dof, yaw_axis=yaw_axis)
    move = couch_move(correction, model=model, reference_mm=reference, scatter_mm2=None, start=start, table_angle_deg=start.yaw_deg)
    turned = {6: ("pitch", "roll", "yaw"), 4: ("yaw",), 3: ()}[dof]
    for axis in ("lateral", "longitudinal", "vertical", "pitch", "roll", "yaw"):
        field = f"{axis}_mm" if axis in ("lateral", "longitudinal", "vertical") else f"{axis}_deg"
        value = getattr(move.target, field)
        if axis in ("pitch", "roll", "yaw") and axis not in turned:
            assert value == getattr(start, field)
            assert axis not in move.limited
            continue
        limits = getattr(model, axis)
        assert limits.minimum <= value <= limits.maximum
        assert abs(value / 0.1 - round(value / 0.1)) < 1e-6
        if axis in move.limited:
            assert min(value - limits.minimum, limits.maximum - value) < 1e-9
    if not set(move.limited) & {"lateral", "longitudinal", "vertical"}:
        at_reference = residuals_mm(correction, move.motion, [reference])
        assert np.linalg.norm(at_reference) <= math.sqrt(3) * 0.05 + 1e-9


@given(correction=corrections, start=starts, reference=points, axis=axes_a)
def test_four_degrees_of_freedom_leave_the_pitch_and_roll_of_the_table(correction, start, reference, axis):
    model = replace(with_dof(FREE, 4), turntable_axis_mm=axis)
    move = couch_move(correction, model=model, reference_mm=reference, scatter_mm2=None, start=start, table_angle_deg=start.yaw_deg)
    assert (move.target.pitch_deg, move.target.roll_deg) == (start.pitch_deg, start.roll_deg)
    yaw = best_yaw_deg(correction.rotation, None)
    assert close(move.motion.rotation, rz(yaw))
    assert close(move.motion.apply(reference), correction.apply(reference))
    tau = correction.rotation @ reference + correction.translation_mm - rz(yaw) @ reference
    assert close(move.motion.translation_mm, tau)


@given(correction=corrections, start=starts, reference=points)
def test_three_degrees_of_freedom_leave_twice_the_sine_of_half_the_angle_by_the_distance(correction, start, reference):
    move = couch_move(
        correction, model=with_dof(FREE, 3), reference_mm=reference, scatter_mm2=None, start=start, table_angle_deg=start.yaw_deg
    )
    assert close(move.motion.rotation, np.eye(3))
    assert close(move.motion.translation_mm, correction.translation_mm + (correction.rotation - np.eye(3)) @ reference)
    assert (move.target.pitch_deg, move.target.roll_deg, move.target.yaw_deg) == (start.pitch_deg, start.roll_deg, start.yaw_deg)
    values, vectors = np.linalg.eig(correction.rotation)
    n = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    r = correction.rotation
    sine_half = np.linalg.norm(r - np.eye(3)) / math.sqrt(8)  # |R - I| = sqrt(8) sin(alpha / 2), without the cancelling of acos
    distance = np.linalg.norm(np.cross(n, TISSUE - reference), axis=1)
    expected = 2 * sine_half * distance if sine_half > 1e-9 else np.zeros(len(TISSUE))
    assert close(np.linalg.norm(residuals_mm(correction, move.motion, TISSUE), axis=1), expected, 1e-6)


@settings(max_examples=20)
@given(correction=corrections, start=starts, spread=st.tuples(*[st.floats(2, 40)] * 3), centre=points)
def test_four_degrees_of_freedom_are_the_least_squares_best(correction, start, spread, centre):
    cloud = TISSUE * np.array(spread) / 60 + centre
    mean = cloud.mean(axis=0)
    move = couch_move(
        correction,
        model=with_dof(FREE, 4),
        reference_mm=mean,
        scatter_mm2=scatter_from_points(cloud),
        start=start,
        table_angle_deg=start.yaw_deg,
    )
    cost = (residuals_mm(correction, move.motion, cloud) ** 2).sum()
    wanted = correction.apply(cloud)
    shift_only = couch_move(
        correction, model=with_dof(FREE, 3), reference_mm=mean, scatter_mm2=None, start=start, table_angle_deg=start.yaw_deg
    )
    assert cost <= (residuals_mm(correction, shift_only.motion, cloud) ** 2).sum() * (1 + 1e-9) + 1e-9
    # Any yaw, each with the shift that is best for it (mean on mean).
    for yaw in np.linspace(-180, 180, 241):
        turned = cloud @ rz(yaw).T
        turned += wanted.mean(axis=0) - turned.mean(axis=0)
        assert cost <= ((turned - wanted) ** 2).sum() * (1 + 1e-9) + 1e-9
    # And this yaw with any other shift, and its neighbours.
    yaw = math.degrees(math.atan2(move.motion.rotation[1, 0], move.motion.rotation[0, 0]))
    rng = np.random.default_rng(1)
    for offset in np.linspace(-0.5, 0.5, 11):
        turned = cloud @ rz(yaw + offset).T
        turned = turned + wanted.mean(axis=0) - turned.mean(axis=0)
        for nudge in rng.normal(0, 0.3, (20, 3)):
            assert cost <= ((turned + nudge - wanted) ** 2).sum() * (1 + 1e-9) + 1e-9


TWO_MOTION = motion(rz(2) @ rx(1) @ ry(-1.5), (2.0, -1, -2))
TWO_TARGET = np.array([30.0, 50, -20])
TWO_START = at(0, -600, -150)


def test_worked_example_with_three_degrees_of_freedom():
    move = couch_move(TWO_MOTION, model=with_dof(FREE, 3), reference_mm=TWO_TARGET, scatter_mm2=None, start=TWO_START)
    assert close(np.round(move.motion.translation_mm, 2), [0.74, 0.36, -0.33], 1e-9)
    assert close(astuple(move.delta)[:3], move.motion.translation_mm)
    assert np.linalg.norm(residuals_mm(TWO_MOTION, move.motion, [[0, 0, 0]])) == pytest.approx(2.496, abs=1e-3)
    assert math.degrees(math.acos((np.trace(TWO_MOTION.rotation) - 1) / 2)) == pytest.approx(2.683, abs=1e-3)
    assert close(residuals_mm(TWO_MOTION, move.motion, [TWO_TARGET]), 0)


def test_worked_example_with_four_degrees_of_freedom():
    move = couch_move(TWO_MOTION, model=with_dof(FREE, 4), reference_mm=TWO_TARGET, scatter_mm2=None, start=TWO_START)
    assert move.delta.yaw_deg == pytest.approx(1.9869, abs=1e-4)
    assert close(np.round(move.motion.translation_mm, 2), [2.49, -0.65, -0.33], 1e-9)
    assert close(residuals_mm(TWO_MOTION, move.motion, [TWO_TARGET]), 0)


def test_worked_example_with_six_degrees_of_freedom():
    move = couch_move(TWO_MOTION, model=FREE, reference_mm=TWO_TARGET, scatter_mm2=None, start=TWO_START)
    assert close(astuple(move.target)[3:], [1, -1.5, 2])
    assert close(residuals_mm(TWO_MOTION, move.motion, TISSUE), 0)


@pytest.mark.parametrize("degrees_of_freedom", [6, 4, 3])
@given(top=st.tuples(st.floats(-200, 200), st.floats(-1400, 100), st.floats(-500, 0)))
def test_a_fixed_shift_at_a_table_angle_in_couch_axes(degrees_of_freedom, top):
    """FFDL at 30: fixed (-6.80, 4.30, -3.04) is couch (-3.74, 7.12, -3.04) wherever the couch stands."""
    b, theta, fixed = PatientPosition.FFDL.fixed_from_lps, 30.0, np.array([-6.80, 4.30, -3.04])
    correction = correction_motion(
        RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), b.T @ rz(-theta) @ fixed),
        plan_isocentre_mm=(0, 0, 0),
        daily_isocentre_mm=(0, 0, 0),
        plan_position=PatientPosition.FFDL,
        daily_position=PatientPosition.FFDL,
        table_angle_deg=theta,
        image_axes=ImageAxes.TABLE,
    )
    move = couch_move(correction, model=with_dof(FREE, degrees_of_freedom), **ONE_POINT, start=at(*top, yaw=theta), table_angle_deg=theta)
    assert close(np.round(astuple(move.delta), 2), [-3.74, 7.12, -3.04, 0, 0, 0], 1e-9)


@pytest.mark.parametrize("degrees_of_freedom", [6, 4])
@given(top=st.tuples(st.floats(-200, 200), st.floats(-1400, 100), st.floats(-500, 0)))
def test_a_yaw_turns_the_shift_in_couch_axes_even_at_zero(degrees_of_freedom, top):
    """(5, 30, 0) with a yaw of 2.5 is couch (6.30, 29.75, 0) wherever the couch stands."""
    correction = Correction(lateral_mm=5, longitudinal_mm=30, vertical_mm=0, pitch_deg=0, roll_deg=0, yaw_deg=2.5).motion
    move = couch_move(correction, model=with_dof(FREE, degrees_of_freedom), **ONE_POINT, start=at(*top))
    assert close(np.round(astuple(move.delta), 2), [6.30, 29.75, 0, 0, 0, 2.5], 1e-9)


def test_pitch_about_the_room_is_roll_of_a_table_at_90():
    move = couch_move(motion(rx(1), (0, 0, 0)), model=FREE, **ONE_POINT, start=at(0, -600, -150, yaw=90), table_angle_deg=90)
    assert close(astuple(move.delta)[3:], [0, -1, 0])


def test_an_isocentric_pitch_moves_the_table_top_too_and_an_isocentric_yaw_does_not():
    pitched = couch_move(motion(rx(1), (0, 0, 0)), model=FREE, **ONE_POINT, start=at(0, -600, -150))
    assert close(astuple(pitched.delta), [0, 2.7092, -10.4486, 1, 0, 0], 1e-4)
    yawed = couch_move(motion(rz(2), (0, 0, 0)), model=FREE, **ONE_POINT, start=at(0, -600, -150))
    assert close(astuple(yawed.delta), [0, 0, 0, 0, 0, 2])


def test_a_yaw_of_the_table_top_itself_swings_it_about_its_own_origin():
    model = replace(FREE, yaw_axis=YawAxis.TABLETOP)
    for turntable in (0.0, 40.0):
        move = couch_move(motion(rz(2), (0, 0, 0)), model=model, **ONE_POINT, start=at(0, -600, -150), table_angle_deg=turntable)
        assert close(astuple(move.delta), [*((rz(2) - np.eye(3)) @ [0, -600, -150]), 0, 0, 2])


@given(yaw=st.floats(-5, 5), top=st.tuples(st.floats(-200, 200), st.floats(-1400, 100), st.floats(-500, 0)), axis=axes_a)
def test_a_turntable_beside_the_isocentre_is_made_up_for_by_shifts(yaw, top, axis):
    """The shift of an ideal turntable plus (Rz - I) a."""
    correction = motion(rz(yaw), (1.0, -2, 3))
    ideal = couch_move(correction, model=FREE, **ONE_POINT, start=at(*top))
    real = couch_move(correction, model=replace(FREE, turntable_axis_mm=axis), **ONE_POINT, start=at(*top))
    difference_fixed = rz(yaw) @ np.subtract(astuple(real.target)[:3], astuple(ideal.target)[:3])
    assert close(difference_fixed, (rz(yaw) - np.eye(3)) @ axis)
    assert close(real.motion.matrix, correction.matrix)


def test_a_pitch_beyond_the_limit_is_exact_at_the_reference_and_turned_by_the_rest_elsewhere():
    correction = motion(rz(1) @ rx(4.2) @ ry(-1), (2.0, -1, -2))
    limited = replace(FREE, pitch=AxisRange(-3, 3, 0), roll=AxisRange(-3, 3, 0))
    move = couch_move(correction, model=limited, reference_mm=TWO_TARGET, scatter_mm2=None, start=TWO_START)
    assert move.limited == ("pitch",)
    assert close(astuple(move.target)[3:], [3, -1, 1])
    assert close(residuals_mm(correction, move.motion, [TWO_TARGET]), 0)
    rest = move.motion.rotation.T @ correction.rotation
    assert math.degrees(math.acos((np.trace(rest) - 1) / 2)) == pytest.approx(1.2, abs=1e-6)


@given(correction=corrections, start=starts, reference=points)
def test_clamped_angles_follow_the_written_formulas(correction, start, reference):
    """Rc from the clamped table angles, tau so that the reference is met, T1 from both."""
    limited = replace(FREE, pitch=AxisRange(-3, 3, 0), roll=AxisRange(-3, 3, 0))
    move = couch_move(correction, model=limited, reference_mm=reference, scatter_mm2=None, start=start, table_angle_deg=start.yaw_deg)
    x, y, z, pitch, roll, yaw = astuple(start)
    before = rz(yaw) @ rx(pitch) @ ry(roll)
    pitch1, roll1, yaw1 = euler(correction.rotation @ before)
    rc = rz(yaw1) @ rx(np.clip(pitch1, -3, 3)) @ ry(np.clip(roll1, -3, 3)) @ before.T
    tau = correction.apply(reference) - rc @ reference
    t1 = rz(-yaw1) @ (rc @ rz(yaw) @ [x, y, z] + tau)
    assert close(astuple(move.target), [*t1, np.clip(pitch1, -3, 3), np.clip(roll1, -3, 3), yaw1])
    assert close(move.motion.matrix, homogeneous(rc, tau))


def test_limits_are_on_the_table_and_on_absolute_angles():
    about_fixed = motion(rx(2.9) @ ry(2.9), (0, 0, 0))
    at_zero = couch_move(about_fixed, model=REAL, **ONE_POINT, start=at(0, -600, -150))
    assert at_zero.limited == ()
    turned = couch_move(about_fixed, model=replace(REAL, pitch=FULL_TURN), **ONE_POINT, start=at(0, -600, -150, yaw=45), table_angle_deg=45)
    assert turned.target.pitch_deg == pytest.approx(4.1, abs=0.05)
    already = couch_move(motion(rx(1.5), (0, 0, 0)), model=REAL, **ONE_POINT, start=at(0, -600, -150, pitch=2))
    assert already.limited == ("pitch",)
    assert already.target.pitch_deg == 3
    back = couch_move(motion(rx(-4), (0, 0, 0)), model=REAL, **ONE_POINT, start=at(0, -600, -150, pitch=2))
    assert back.limited == ()


def test_a_travel_limit_holds_one_axis_back_and_what_remains_is_said():
    start = at(0, -600, 49.0)
    move = couch_move(motion(np.eye(3), (1.0, 2, 5)), model=REAL, **ONE_POINT, start=start)
    assert move.limited == ("vertical",)
    assert close(astuple(move.delta), [1, 2, 1, 0, 0, 0])
    assert close(residuals_mm(motion(np.eye(3), (1.0, 2, 5)), move.motion, TISSUE), np.tile([0, 0, -4], (len(TISSUE), 1)))


@given(correction=corrections, start=starts, reference=points, dof=dofs)
def test_a_couch_that_has_moved_to_its_target_has_nothing_left_to_do(correction, start, reference, dof):
    """Verification image after the move: what remains gives the same absolute target again, so repeating is harmless."""
    model = with_dof(REAL, dof)
    common = {"model": model, "scatter_mm2": None}
    move = couch_move(correction, **common, reference_mm=reference, start=start, table_angle_deg=start.yaw_deg)
    left = correction @ move.motion.inverse()
    again = couch_move(left, **common, reference_mm=move.motion.apply(reference), start=move.target, table_angle_deg=move.target.yaw_deg)
    assert close(astuple(again.delta), 0, 1e-6)


@given(correction=corrections, reference=points, dof=dofs, theta=st.floats(-80, 80), yaw_axis=yaw_axes)
def test_an_unknown_start_gives_the_motion_of_a_couch_at_zero_and_no_position(correction, reference, dof, theta, yaw_axis):
    model = replace(
        REAL, degrees_of_freedom=dof, yaw_axis=yaw_axis, lateral=AxisRange(900, 1000, 0.1), longitudinal=AxisRange(900, 1000, 0.1)
    )
    zero = at(yaw=theta if yaw_axis is YawAxis.TURNTABLE else 0.0)
    unknown = couch_move(correction, model=model, reference_mm=reference, scatter_mm2=None, start=None, table_angle_deg=theta)
    roomy = replace(model, lateral=REAL.lateral, longitudinal=AxisRange(-900, 900, 0.1), vertical=AxisRange(-900, 900, 0.1))
    known = couch_move(correction, model=roomy, reference_mm=reference, scatter_mm2=None, start=zero, table_angle_deg=theta)
    assert unknown.target is None
    assert unknown.delta is None
    assert close(unknown.motion.matrix, known.motion.matrix)
    assert unknown.limited == known.limited


@given(start=starts, target=starts, yaw_axis=yaw_axes, turntable=st.floats(-80, 80), axis=axes_a)
def test_going_there_and_back_is_no_motion(start, target, yaw_axis, turntable, axis):
    model = replace(FREE, yaw_axis=yaw_axis, turntable_axis_mm=axis)
    there = motion_from_positions(start, target, model, table_angle_deg=turntable)
    back = motion_from_positions(target, start, model, table_angle_deg=turntable)
    assert close((back @ there).matrix, np.eye(4))


@given(start=starts, target=starts, yaw_axis=yaw_axes, turntable=st.floats(-80, 80), axis=axes_a)
def test_a_move_is_undone_by_its_own_solution(start, target, yaw_axis, turntable, axis):
    """Asked for exactly the motion between two positions, a free couch of six degrees of freedom goes from one to the other."""
    model = replace(FREE, yaw_axis=yaw_axis, turntable_axis_mm=axis)
    angle = start.yaw_deg if yaw_axis is YawAxis.TURNTABLE else turntable
    wanted = motion_from_positions(start, target, model, table_angle_deg=angle)
    move = couch_move(wanted, model=model, reference_mm=(10, 20, 30), scatter_mm2=None, start=start, table_angle_deg=angle)
    assert close(astuple(move.target), astuple(target), 1e-6)
