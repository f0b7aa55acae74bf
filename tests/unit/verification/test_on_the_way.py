"""A couch on its way: between start and target it is where it should be, and nowhere else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.couch_model import CouchPosition
from igrt.verification.closing import DEFAULT_TOLERANCE
from igrt.verification.on_the_way import astray

AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")
START = CouchPosition(lateral_mm=10.0, longitudinal_mm=-200.0, vertical_mm=-150.0, pitch_deg=0.4, roll_deg=-0.3, yaw_deg=179.0)
WAY = {"lateral_mm": 3.0, "longitudinal_mm": -6.0, "vertical_mm": 9.0, "pitch_deg": 1.0, "roll_deg": -1.6, "yaw_deg": 2.4}


class Reading:
    def __init__(self, **ways):
        for axis in AXES:
            way = ways.get(axis, 0.0)
            setattr(self, axis, None if way is None else getattr(START, axis) + way)


def look(**ways):
    return astray(start=START, target=Reading(**WAY), reading=Reading(**ways))


@given(st.floats(0.0, 1.0))
def test_anywhere_on_the_way_is_not_astray(share):
    assert look(**{axis: share * way for axis, way in WAY.items()}) == []


@pytest.mark.parametrize("axis", AXES)
def test_the_wrong_way_too_far_and_unread_are_astray(axis):
    limit = DEFAULT_TOLERANCE.shift_mm if axis.endswith("_mm") else DEFAULT_TOLERANCE.turn_deg
    beyond = math.copysign(limit + 1e-6, WAY[axis])
    within = math.copysign(limit - 1e-6, WAY[axis])
    assert look(**{axis: -within}) == look(**{axis: WAY[axis] + within}) == []
    (wrong,) = look(**{axis: -beyond})
    assert wrong.endswith("the wrong way.")
    (far,) = look(**{axis: WAY[axis] + beyond})
    assert far.endswith("too far.")
    for nothing in (None, math.nan, math.inf):
        (unread,) = look(**{axis: nothing})
        assert "does not read back" in unread


def test_an_axis_that_is_to_stay_may_not_leave_its_place():
    assert astray(start=START, target=START, reading=Reading(lateral_mm=0.49, pitch_deg=-0.19)) == []
    assert len(astray(start=START, target=START, reading=Reading(lateral_mm=0.51, pitch_deg=-0.21))) == 2
