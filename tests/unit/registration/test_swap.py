"""The exchanged match comes back to what is right, and moves only what was free."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.solver import Motions
from igrt.registration.swap import Exchanged, swapped_match
from tests.anatomy_cases import VERBS, patient
from tests.registration_cases import axis_angle, motion

CASE = patient("thorax", 3)
EXCHANGED = Exchanged(CASE.plan, CASE.daily, VERBS)


def off_by(shift_mm, degrees, axis=(1, 2, 3)):
    """The truth after a turn about the daily zero and a shift."""
    turn = axis_angle(axis, degrees)
    return type(CASE.truth)("plan", "daily", turn @ CASE.truth.rotation, CASE.truth.translation_mm + np.array(shift_mm))


@given(st.tuples(*[st.floats(-90, 90)] * 3), st.floats(-30, 30))
def test_to_the_exchanged_pose_and_back(shift, degrees) -> None:
    there = motion(shift, degrees=degrees)
    np.testing.assert_allclose(EXCHANGED.plan_from_daily(EXCHANGED.pose(there)).matrix, there.matrix, atol=1e-9)


@pytest.mark.parametrize(("shift", "degrees"), [((0, 0, 0), 0.0), ((2, -2, 1), 1.0), ((-3, 1, 3), -2.0)])
def test_ends_at_the_truth_from_near_it(shift, degrees) -> None:
    start = off_by(shift, degrees)
    found = swapped_match(EXCHANGED, start, Motions(), CASE.isocentre_mm)
    assert largest_displacement_mm(CASE.truth, found, CASE.isocentre_mm) < 0.6


def test_shifts_alone_keep_the_rotation() -> None:
    start = off_by((2, -2, 1), 1.0)
    found = swapped_match(EXCHANGED, start, Motions((0, 1, 2)), CASE.isocentre_mm)
    np.testing.assert_allclose(found.rotation, start.rotation, atol=1e-9)
    assert np.linalg.norm(found.translation_mm - start.translation_mm) > 1


def test_rotations_alone_keep_their_centre() -> None:
    start, about = off_by((0, 0, 0), 2.0), np.array([12.0, -7.0, 30.0])
    found = swapped_match(EXCHANGED, start, Motions((3, 4, 5), about), CASE.isocentre_mm)
    centre = start.inverse().apply(CASE.isocentre_mm + about)
    np.testing.assert_allclose(found.apply(centre), CASE.isocentre_mm + about, atol=1e-6)
    assert largest_displacement_mm(start, found, CASE.isocentre_mm) > 1
