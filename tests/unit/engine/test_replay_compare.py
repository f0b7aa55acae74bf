"""Comparing: to the last bit, or within what another build or processor may change."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.engine.replay_compare import ABSENT, differences

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def fields(recorded, replayed, *, exact=True, new=()):
    return [d.field for d in differences(recorded, replayed, exact=exact, new=new)]


@given(PLAIN, st.booleans())
def test_a_value_does_not_differ_from_itself(value, exact):
    assert fields({"a": value}, {"a": value}, exact=exact) == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_one_bit_differs(value):
    assert fields({"a": [value]}, {"a": [math.nextafter(value, math.inf)]}) == ["a[0]"]


@pytest.mark.parametrize(
    ("recorded", "replayed"),
    [(0.0, -0.0), (1, 1.0), (1, True), (None, 0), (math.nan, 1.0), (1.0, math.nan), ("a", "b"), ([1], [1, 2]), ({"b": 1}, 1), (2, 3)],
)
def test_what_is_not_the_same_differs(recorded, replayed):
    assert fields({"a": recorded}, {"a": replayed}) == ["a"]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("field", "recorded", "replayed"),
    [
        ("lateral_mm", 1.0, 1.0101),
        ("lateral_mm", 1.0, math.nan),
        ("lateral_mm", math.nan, 1.0),
        ("lateral_mm", math.inf, 1.0),
        ("yaw_deg", -1.0, -1.0101),
        ("similarity", 0.8, 0.809),
        ("limit", 3.0, 3.0000001),
        ("expires_monotonic_s", 3.0, 3.0000001),
        ("verdict", "proceed", "caution"),
        ("converged", True, False),
        ("number", 7, 8),
        ("outcome", None, "accepted"),
        ("samples", 20_000, 20_300),
    ],
)
def test_beyond_tolerance_differs_anywhere(field, recorded, replayed, exact):
    assert fields({field: recorded}, {field: replayed}, exact=exact) == [field]


@pytest.mark.parametrize(
    ("field", "recorded", "replayed"),
    [
        ("lateral_mm", 1.0, 1.0099),
        ("yaw_deg", -1.0, -1.0099),
        ("similarity", 0.8, 0.8079),
        ("samples", 20_000, 20_100),
        ("iterations", 12, 14),
        ("device", "cpu avx2", "cpu avx512"),
        ("reason", "so", "thus"),
    ],
)
def test_within_tolerance_differs_on_the_same_build_alone(field, recorded, replayed):
    assert fields({field: recorded}, {field: replayed}, exact=False) == []
    assert fields({field: recorded}, {field: replayed}) == [field]


def test_a_pose_is_compared_by_turn_and_shift():
    pose = [[1.0, 0.0, 0.0, 10.0], [0.0, 1.0, 0.0, 10.0]]
    near = [[1.0, 0.00009, 0.0, 10.009], [0.0, 1.0, 0.0, 10.0]]
    far = [[1.0, 0.00011, 0.0, 10.011], [0.0, 1.0, 0.0, 10.0]]
    assert fields({"plan_from_daily": pose}, {"plan_from_daily": near}, exact=False) == []
    assert fields({"plan_from_daily": pose}, {"plan_from_daily": far}, exact=False) == ["plan_from_daily[0][1]", "plan_from_daily[0][3]"]


def test_a_field_that_is_new_in_another_build_is_passed_over_and_one_that_went_is_not():
    assert fields({"a": 1}, {"a": 1, "b": 2}, exact=False) == []
    assert fields({"a": 1}, {"a": 1, "b": 2}) == ["b"]
    assert fields({"a": 1, "b": 2}, {"a": 1}, exact=False) == ["b"]
    (found,) = differences({"a": 1}, {}, exact=True)
    assert (found.recorded, found.replayed) == (1, ABSENT)
    assert str(found) == "a: recorded 1, replayed '(absent)'"


def test_time_taken_and_new_identifiers_are_not_compared():
    assert fields({"seconds": {"register": 1.0}}, {"seconds": {"register": 2.0, "more": 1.0}}) == []
    assert fields({"header": {"message_id": "a"}}, {"header": {"message_id": "b"}}, new=("message_id",)) == []
    assert fields({"header": {"message_id": "a"}}, {"header": {"message_id": "b"}}) == ["header.message_id"]


def test_long_values_are_shown_short():
    (found,) = differences({"a": "x" * 500}, {"a": "y"}, exact=True)
    assert len(str(found)) < 200
