import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion, frozen_array, require_finite_fields

angles = st.floats(-180, 180)
vectors = st.tuples(*[st.floats(-500, 500)] * 3)
POINTS = np.random.default_rng(1).normal(0, 100, (5, 3))


@st.composite
def motions(draw, target=Frame.PLAN, source=Frame.DAILY):
    rotation = rotation_from_angles(pitch_deg=draw(angles), roll_deg=draw(angles), yaw_deg=draw(angles))
    return RigidMotion(target, source, rotation, draw(vectors))


@given(motions())
def test_there_and_back(motion):
    there_and_back = motion.inverse() @ motion
    assert there_and_back.name == "daily_from_daily"
    assert np.abs(there_and_back.matrix - np.eye(4)).max() < 1e-9


@given(motions(), motions(target=Frame.FIXED, source=Frame.PLAN))
def test_one_after_the_other(first, second):
    both = second @ first
    assert both.name == "fixed_from_daily"
    assert np.abs(both.apply(POINTS) - second.apply(first.apply(POINTS))).max() < 1e-9
    assert np.abs(both.turn(POINTS) - second.turn(first.turn(POINTS))).max() < 1e-9
    assert np.abs(both.matrix - second.matrix @ first.matrix).max() < 1e-9


@given(motions())
def test_matrix_round_trip(motion):
    again = RigidMotion.from_matrix(motion.matrix, target=motion.target, source=motion.source)
    np.testing.assert_array_equal(again.matrix, motion.matrix)


def test_frames_must_meet():
    motion = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    with pytest.raises(ValueError, match="plan_from_daily cannot follow plan_from_daily: daily is not plan"):
        motion @ motion


@pytest.mark.parametrize(
    ("rotation", "translation", "said"),
    [
        (np.diag([1, 1, -1]), np.zeros(3), "not a proper rotation"),
        (np.eye(3) * 1.001, np.zeros(3), "not a proper rotation"),
        (np.full((3, 3), math.nan), np.zeros(3), "not finite"),
        (np.eye(3), [0, math.inf, 0], "not finite"),
        (np.eye(4), np.zeros(3), r"shape \(4, 4\)"),
        (np.eye(3), np.zeros(2), r"shape \(2,\)"),
    ],
)
def test_what_is_no_rigid_motion_is_refused(rotation, translation, said):
    with pytest.raises(ValueError, match=said):
        RigidMotion(Frame.PLAN, Frame.DAILY, rotation, translation)


def test_a_matrix_needs_its_last_row():
    with pytest.raises(ValueError, match="last row"):
        RigidMotion.from_matrix(np.diag([1, 1, 1, 2.0]), target=Frame.PLAN, source=Frame.DAILY)


def test_arrays_are_copies_that_cannot_be_written():
    source = np.zeros(3)
    frozen = frozen_array(source, (3,), "v")
    source[0] = 1
    assert frozen[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        frozen[0] = 1


class LengthError(ValueError):
    pass


@pytest.mark.parametrize("bad", [math.nan, math.inf, "abc", None, [1.0]])
def test_fields_must_be_finite_numbers(bad):
    @dataclass(frozen=True)
    class Length:
        along_mm: float

        def __post_init__(self):
            require_finite_fields(self, "length", error=LengthError)

    with pytest.raises(LengthError, match=r"length: along_mm is .*; give a finite number"):
        Length(bad)
    assert Length(2).along_mm == 2.0
