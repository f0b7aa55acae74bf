import math
from dataclasses import replace

import numpy as np
import pytest

from igrt.errors import InputError
from igrt.geometry.angles import rotation_from_angles, rotation_x, rotation_z
from igrt.geometry.couch import (
    AxisRange,
    CouchModel,
    CouchPosition,
    YawAxis,
    best_yaw_deg,
    couch_move,
    fixed_from_couch,
    residuals_mm,
    scatter_from_points,
)
from igrt.geometry.motion import Frame, RigidMotion

TRAVEL = AxisRange(-1000, 1000, 0)
MODEL = CouchModel(
    name="test",
    degrees_of_freedom=6,
    yaw_axis=YawAxis.TURNTABLE,
    lateral=TRAVEL,
    longitudinal=TRAVEL,
    vertical=TRAVEL,
    pitch=AxisRange(-3, 3, 0),
    roll=AxisRange(-3, 3, 0),
    yaw=AxisRange(-95, 95, 0),
)


def at(x=0.0, y=0.0, z=0.0, pitch=0.0, roll=0.0, yaw=0.0):
    return CouchPosition(lateral_mm=x, longitudinal_mm=y, vertical_mm=z, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)


def fixed(rotation, translation=(0, 0, 0)):
    return RigidMotion(Frame.FIXED, Frame.FIXED, rotation, translation)


def move(correction, *, model=MODEL, reference=(0, 0, 0), scatter=None, start=None, theta=0.0):
    return couch_move(correction, model=model, reference_mm=reference, scatter_mm2=scatter, start=start, table_angle_deg=theta)


def test_names_its_frames():
    assert fixed_from_couch(at(), MODEL).name == "fixed_from_couch"
    assert move(fixed(np.eye(3))).motion.name == "fixed_from_fixed"
    with pytest.raises(ValueError, match="correction is plan_from_daily"):
        move(RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY))


def test_every_axis_that_is_held_back_is_named_in_order():
    tight = AxisRange(-1, 1, 0)
    model = replace(MODEL, lateral=tight, longitudinal=tight, vertical=tight, pitch=tight, roll=tight, yaw=tight)
    far = fixed(rotation_from_angles(pitch_deg=2, roll_deg=-2, yaw_deg=2), [5, -5, 5])
    assert move(far, model=model, start=at()).limited == ("lateral", "longitudinal", "vertical", "pitch", "roll", "yaw")
    assert move(far, model=model).limited == ("pitch", "roll", "yaw")
    assert move(far, model=replace(model, degrees_of_freedom=4)).limited == ("yaw",)
    assert move(far, model=replace(model, degrees_of_freedom=3)).limited == ()


def test_a_target_on_its_limit_is_not_held_back():
    limited = replace(MODEL, vertical=AxisRange(-5, 5, 0))
    assert move(fixed(rotation_x(3), [0, 0, 5]), model=limited, start=at()).limited == ()


def test_a_step_that_does_not_reach_the_limit_stops_short_of_it():
    coarse = replace(MODEL, pitch=AxisRange(-2.9, 2.9, 1))
    result = move(fixed(rotation_x(2.9)), model=coarse, start=at())
    assert result.target.pitch_deg == 2
    assert result.limited == ()


@pytest.mark.parametrize(("read_back", "target"), [(359.998, 0.998), (-0.002, 0.998)])
def test_a_turntable_that_reads_359_is_one_that_reads_less_than_0(read_back, target):
    result = move(fixed(rotation_z(1)), start=at(yaw=read_back))
    assert result.target.yaw_deg == pytest.approx(target)
    assert result.delta.yaw_deg == pytest.approx(1)
    assert result.limited == ()


def test_a_couch_that_counts_beyond_180_does_not_turn_round():
    wide = replace(MODEL, yaw=AxisRange(-185, 185, 0))
    result = move(fixed(rotation_z(2)), model=wide, start=at(yaw=182), theta=-178)
    assert result.target.yaw_deg == pytest.approx(184)


@pytest.mark.parametrize("theta", [-30.0, 330.0, 0.0])
def test_a_turntable_on_another_scale_than_the_table_angle_is_refused(theta):
    with pytest.raises(InputError, match="couch start yaw_deg is 30 but the table angle is"):
        move(fixed(np.eye(3)), start=at(yaw=30), theta=theta)
    tabletop = replace(MODEL, yaw_axis=YawAxis.TABLETOP)
    assert move(fixed(np.eye(3)), model=tabletop, start=at(yaw=1), theta=theta).delta.yaw_deg == pytest.approx(0)


def test_a_table_angle_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        move(fixed(np.eye(3)), start=at(), theta=math.nan)


def test_an_unknown_start_rounds_the_shift_in_table_axes():
    coarse = AxisRange(-1000, 1000, 1)
    model = replace(MODEL, lateral=coarse, longitudinal=coarse, vertical=coarse)
    result = move(fixed(np.eye(3), rotation_z(30) @ [1.4, -2.6, 0.2]), model=model, theta=30)
    np.testing.assert_allclose(result.motion.translation_mm, rotation_z(30) @ [1, -3, 0], atol=1e-12, equal_nan=False)


def test_residual_is_where_it_ends_up_less_where_it_should():
    wanted, made = fixed(np.eye(3), [0, 0, 5]), fixed(np.eye(3), [0, 0, 3])
    np.testing.assert_array_equal(residuals_mm(wanted, made, [[1, 2, 3], [4, 5, 6]]), [[0, 0, -2], [0, 0, -2]])
    assert residuals_mm(wanted, made, np.empty((0, 3))).shape == (0, 3)
    for bad in ([1, 2, 3], [[1, 2, math.nan]], [[1, 2]]):
        with pytest.raises(ValueError, match="points_mm"):
            residuals_mm(wanted, made, bad)


def test_scatter_of_points():
    np.testing.assert_allclose(scatter_from_points([[1, 0, 0], [3, 0, 0]]), np.diag([2.0, 0, 0]))
    np.testing.assert_array_equal(scatter_from_points([[1, 2, 3]]), np.zeros((3, 3)))
    np.testing.assert_allclose(scatter_from_points([[1, 0, 0], [3, 0, 0]], about_mm=[0, 0, 0]), np.diag([10.0, 0, 0]))
    with pytest.raises(ValueError, match="at least one"):
        scatter_from_points(np.empty((0, 3)))


def test_the_yaw_of_points_that_no_yaw_moves_is_that_of_one_point():
    rotation = rotation_from_angles(pitch_deg=1, roll_deg=-1.5, yaw_deg=2)
    one_point = best_yaw_deg(rotation, None)
    assert best_yaw_deg(rotation, np.zeros((3, 3))) == one_point
    assert best_yaw_deg(rotation, 7 * np.eye(3)) == pytest.approx(one_point)
    assert best_yaw_deg(rotation_z(2), np.diag([0.0, 0, 50])) == pytest.approx(2)
    assert best_yaw_deg(rotation_x(180), None) == 0


def test_matched_beside_the_mean_the_best_yaw_is_that_of_the_scatter_about_the_match_point():
    rotation, match = rotation_from_angles(pitch_deg=4, roll_deg=-3, yaw_deg=2), np.array([40.0, -30, 60])
    cloud = np.random.default_rng(3).normal(0, [30, 10, 20], (50, 3))
    four = replace(MODEL, degrees_of_freedom=4)
    wanted = fixed(rotation, [1, 2, 3])
    best = move(wanted, model=four, reference=match, scatter=scatter_from_points(cloud, about_mm=match), start=at())
    cost = (residuals_mm(wanted, best.motion, cloud) ** 2).sum()
    for yaw in np.linspace(-10, 10, 201):
        turned = fixed(rotation_z(yaw), wanted.apply(match) - rotation_z(yaw) @ match)
        assert cost <= (residuals_mm(wanted, turned, cloud) ** 2).sum() + 1e-9


@pytest.mark.parametrize("bad", [np.diag([1.0, 1, -1]), [[1, 5, 0], [0, 1, 0], [0, 0, 1]], np.full((3, 3), math.nan), np.eye(2)])
def test_what_is_no_scatter_is_refused(bad):
    with pytest.raises(ValueError, match="scatter_mm2"):
        best_yaw_deg(np.eye(3), bad)
