import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.geometry.couch_model import AxisRange, CouchModel, CouchPosition, YawAxis

ANY = AxisRange(-10, 10, 0)
MODEL = CouchModel(
    name="test",
    degrees_of_freedom=6,
    yaw_axis=YawAxis.TURNTABLE,
    lateral=ANY,
    longitudinal=ANY,
    vertical=ANY,
    pitch=ANY,
    roll=ANY,
    yaw=ANY,
)


@pytest.mark.parametrize(
    ("minimum", "maximum", "step", "said"),
    [
        (1, 1, 0, "minimum 1 is not below maximum 1"),
        (2, 1, 0, "minimum 2 is not below maximum 1"),
        (0, 1, -0.1, "step is -0.1"),
        (0, 1, 1.5, "step is 1.5"),
        (math.nan, 1, 0, "minimum is nan"),
        (0, math.inf, 0, "maximum is inf"),
        (0, 1, math.nan, "step is nan"),
        (0, "wide", 0, "maximum is 'wide'"),
    ],
)
def test_what_is_no_range_is_refused(minimum, maximum, step, said):
    with pytest.raises(InputError, match=said):
        AxisRange(minimum, maximum, step)


@pytest.mark.parametrize(
    ("axis_range", "value", "settled"),
    [
        (AxisRange(-3, 3, 0), 1.234, 1.234),
        (AxisRange(-3, 3, 0), 4, 3),
        (AxisRange(-3, 3, 0.1), 1.26, 1.3),
        (AxisRange(-3, 3, 0.1), -9, -3),
        (AxisRange(-0.3, 0.3, 0.1), 0.5, 0.3),
        (AxisRange(-2.9, 2.9, 1), 2.9, 2),
        (AxisRange(-2.9, 2.9, 1), -2.8, -2),
        (AxisRange(0.5, 1.6, 1), 0.6, 1),
    ],
)
def test_settles_on_a_step_within_the_range(axis_range, value, settled):
    assert axis_range.settle(value) == pytest.approx(settled, abs=1e-12)


@given(st.floats(-100, 100), st.floats(0.01, 100), st.floats(0, 1), st.floats(-300, 300))
def test_settled_is_a_step_within_the_range_and_none_is_nearer(minimum, width, fraction, value):
    axis_range = AxisRange(minimum, minimum + width, fraction * width if fraction > 0.001 else 0)
    settled = axis_range.settle(value)
    assert axis_range.minimum <= settled <= axis_range.maximum
    assert axis_range.settle(settled) == pytest.approx(settled, abs=1e-9)
    if axis_range.step:
        assert abs(settled / axis_range.step - round(settled / axis_range.step)) < 1e-6
        for neighbour in (settled - axis_range.step, settled + axis_range.step):
            if axis_range.minimum <= neighbour <= axis_range.maximum:
                assert abs(value - settled) <= abs(value - neighbour) + 1e-9
    else:
        assert settled == axis_range.clamp(value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"degrees_of_freedom": 5}, "degrees_of_freedom is 5; give 6, 4 or 3"),
        ({"yaw_axis": "gantry"}, "yaw_axis is 'gantry'; give one of turntable, tabletop"),
        ({"pitch": (-3, 3, 0.1)}, "pitch is not a range"),
        ({"turntable_axis_mm": (0, math.nan, 0)}, "turntable_axis_mm"),
        ({"turntable_axis_mm": (0, 0)}, "turntable_axis_mm"),
        ({"turntable_axis_mm": 3}, "turntable_axis_mm is 3"),
        ({"turntable_axis_mm": (0, "left", 0)}, "turntable_axis_mm"),
    ],
)
def test_what_is_no_couch_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        replace(MODEL, **change)


def test_a_couch_from_plain_values():
    model = replace(MODEL, yaw_axis="tabletop", turntable_axis_mm=[1, 2, 0])
    assert model.yaw_axis is YawAxis.TABLETOP
    assert model.turntable_axis_mm == (1.0, 2.0, 0.0)
    assert model == replace(MODEL, yaw_axis=YawAxis.TABLETOP, turntable_axis_mm=(1.0, 2.0, 0.0))


ORIGIN = {"lateral_mm": 0, "longitudinal_mm": 0, "vertical_mm": 0, "pitch_deg": 0, "roll_deg": 0, "yaw_deg": 0}


@pytest.mark.parametrize("field", list(ORIGIN))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_position_is_finite(field, bad):
    with pytest.raises(InputError, match=f"couch position: {field} is "):
        CouchPosition(**ORIGIN | {field: bad})


def test_the_difference_of_two_positions_wraps_angles_and_only_angles():
    a = CouchPosition(**ORIGIN | {"yaw_deg": 1, "lateral_mm": 400})
    b = CouchPosition(**ORIGIN | {"yaw_deg": 359.5, "lateral_mm": -100})
    difference = a.minus(b)
    assert difference.yaw_deg == pytest.approx(1.5)
    assert difference.lateral_mm == 500
