"""The read-back against the target: every mistake named by axis, nothing found within tolerance, NaN never passed over."""

import math
from dataclasses import astuple, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.geometry.couch import AxisRange, CouchModel, CouchPosition, YawAxis
from igrt.verification.closing import ChainTolerance, close_chain
from igrt.verification.findings import Level

AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")
WIDE, TURN = AxisRange(-3000, 3000, 0.1), AxisRange(-180, 180, 0.1)
MODEL = CouchModel(
    name="test",
    degrees_of_freedom=6,
    yaw_axis=YawAxis.TURNTABLE,
    lateral=WIDE,
    longitudinal=WIDE,
    vertical=WIDE,
    pitch=TURN,
    roll=TURN,
    yaw=TURN,
)
START = CouchPosition(lateral_mm=0, longitudinal_mm=-600, vertical_mm=-150, pitch_deg=0, roll_deg=0, yaw_deg=0)
# A wide tolerance for the place keeps it out of tests that look at the axes.
AXES_ONLY = {"reference_mm": (0.0, -600.0, -150.0)}


def moved(**axes):
    return replace(START, **{axis: getattr(START, axis) + value for axis, value in axes.items()})


def close(asked, made, *, start=START, model=MODEL, table_angle_deg=0.0, **rest):
    target = replace(start, **{axis: getattr(start, axis) + value for axis, value in asked.items()})
    achieved = replace(start, **{axis: getattr(start, axis) + value for axis, value in made.items()})
    found = close_chain(start=start, target=target, achieved=achieved, model=model, table_angle_deg=table_angle_deg, **rest)
    return [finding for finding in found if finding.code != "chain_place"]


def the_one(*args, **kwargs):
    (finding,) = close(*args, **kwargs)
    assert finding.level is Level.STOP
    return finding


def test_a_couch_that_stands_where_it_was_sent_has_no_finding():
    target = moved(lateral_mm=3, longitudinal_mm=-5, vertical_mm=8, pitch_deg=1, roll_deg=-1, yaw_deg=2)
    assert close_chain(start=START, target=target, achieved=target, model=MODEL, table_angle_deg=0.0) == ()


def test_the_wrong_sign_is_named_in_words_of_the_room():
    finding = the_one({"longitudinal_mm": 5.0}, {"longitudinal_mm": -5.0})
    assert finding.sentence == (
        "The couch moved 5.0 mm away from gantry where 5.0 mm toward gantry was asked: the longitudinal axis has the wrong sign."
    )
    assert (finding.code, finding.value, finding.limit, finding.unit) == ("chain_sign", -10.0, 0.5, "mm")


def test_a_turn_is_said_as_one():
    finding = the_one({"pitch_deg": 1.0}, {"pitch_deg": -1.0})
    assert finding.sentence == (
        "The couch turned 1.0° gantry end down where 1.0° gantry end up was asked: the pitch axis has the wrong sign."
    )
    assert (finding.limit, finding.unit) == (0.2, "°")


def test_the_tables_axes_are_the_rooms_up_to_ten_degrees():
    finding = the_one({"longitudinal_mm": 5.0}, {}, start=replace(START, yaw_deg=-10.0))
    assert "0.0 mm longitudinally where 5.0 mm toward gantry" in finding.sentence


@pytest.mark.parametrize("table", [90.0, -30.0, 10.05])
def test_at_a_table_angle_the_axes_are_the_tables(table):
    finding = the_one({"longitudinal_mm": 5.0}, {"longitudinal_mm": -5.0}, start=replace(START, yaw_deg=table))
    assert "moved longitudinal -5.0 mm (table axes) where longitudinal +5.0 mm (table axes) was asked" in finding.sentence
    tabletop = replace(MODEL, yaw_axis=YawAxis.TABLETOP)
    assert "(table axes)" in the_one({"vertical_mm": 5.0}, {"vertical_mm": 0.0}, model=tabletop, table_angle_deg=table).sentence
    assert "toward gantry" in the_one({"longitudinal_mm": 5.0}, {"longitudinal_mm": -5.0}, table_angle_deg=table).sentence


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    ("factor", "code", "words"),
    [
        (-1.0, "chain_sign", "has the wrong sign"),
        (0.0, "chain_stayed", "did not move"),
        (10.0, "chain_scale", {"mm": "took millimetres for centimetres", "deg": "went 10.00 times as far"}),
        (0.1, None, {"mm": "took centimetres for millimetres", "deg": "stopped after 0.10 of the way, or its scale is wrong"}),
        (1.5, "chain_scale", "went 1.50 times as far"),
        (0.5, "chain_short", "stopped after 0.50 of the way, or its scale is wrong"),
        (-0.5, "chain_sign", "went the wrong way"),
        (-3.0, "chain_sign", "went the wrong way"),
    ],
)
@pytest.mark.parametrize("asked", [8.0, -6.0, 14.0])
def test_what_one_axis_did_is_named(axis, factor, code, words, asked):
    start = replace(START, **{name: 31.7 for name in AXES if name != "yaw_deg"})
    finding = the_one({axis: asked}, {axis: asked * factor}, start=start)
    name, unit = axis.rsplit("_", 1)
    words = words[unit] if isinstance(words, dict) else words
    assert finding.code == code or (code is None and finding.code == {"mm": "chain_scale", "deg": "chain_short"}[unit])
    assert finding.sentence.endswith(f": the {name} axis {words}.")
    assert finding.value == pytest.approx(asked * factor - asked)


@pytest.mark.parametrize(
    ("made", "words"), [(math.radians(3.0), "took radians for degrees"), (math.degrees(3.0), "took degrees for radians")]
)
def test_degrees_and_radians_are_told_apart(made, words):
    assert words in the_one({"yaw_deg": 3.0}, {"yaw_deg": made}).sentence


@pytest.mark.parametrize(
    ("axis", "start", "target", "stands", "code", "words"),
    [
        ("yaw_deg", 30.0, 32.0, -32.0, "chain_sign", "the scale of the yaw axis has the wrong sign"),
        ("yaw_deg", 30.0, 32.0, 148.0, "chain_sign", "the scale of the yaw axis counts down from 180°"),
        ("yaw_deg", 170.0, 178.0, -178.0, "chain_sign", "the scale of the yaw axis has the wrong sign"),
        ("vertical_mm", -150.0, -142.0, 142.0, "chain_sign", "the scale of the vertical axis has the wrong sign"),
        ("vertical_mm", -150.0, -142.0, -14.2, "chain_scale", "the vertical axis stands at a tenth of the target"),
        ("vertical_mm", -150.0, -142.0, -1420.0, "chain_scale", "the vertical axis stands at ten times the target"),
    ],
)
def test_a_target_read_on_another_scale_is_named(axis, start, target, stands, code, words):
    began = replace(START, **{axis: start})
    finding = the_one({axis: target - start}, {axis: stands - start}, start=began)
    assert (finding.code, words in finding.sentence) == (code, True)


def test_an_axis_that_was_to_stay_and_moved_is_named():
    finding = the_one({}, {"vertical_mm": -3.0})
    assert finding.code == "chain_stray"
    assert finding.sentence == "The couch moved 3.0 mm down where 0.0 mm vertically was asked: the vertical axis moved by itself."


@pytest.mark.parametrize(
    ("asked", "made", "words"),
    [
        ({"lateral_mm": 5, "vertical_mm": -2}, {"lateral_mm": -2, "vertical_mm": 5}, "lateral and vertical axes are taken for each other."),
        ({"lateral_mm": 5}, {"longitudinal_mm": 5}, "lateral and longitudinal axes are taken for each other."),
        (
            {"lateral_mm": 5, "longitudinal_mm": 2},
            {"lateral_mm": -2, "longitudinal_mm": 5},
            "lateral and longitudinal axes are taken for each other, lateral with the wrong sign.",
        ),
        (
            {"lateral_mm": 5, "longitudinal_mm": 2},
            {"lateral_mm": -2, "longitudinal_mm": -5},
            "lateral and longitudinal axes are taken for each other, lateral and longitudinal with the wrong sign.",
        ),
        ({"pitch_deg": 2, "roll_deg": -1}, {"pitch_deg": -1, "roll_deg": 2}, "pitch and roll axes are taken for each other."),
    ],
)
def test_axes_taken_for_each_other_are_named_once(asked, made, words):
    finding = the_one(asked, made)
    assert finding.code == "chain_swapped"
    assert words in finding.sentence
    assert abs(finding.value) > finding.limit


def test_the_sentence_of_an_exchange_says_both_axes():
    sentence = the_one({"lateral_mm": 5.0, "vertical_mm": -2.0}, {"lateral_mm": -2.0, "vertical_mm": 5.0}).sentence
    assert sentence.startswith(
        "The couch moved 2.0 mm to the left, seen facing the gantry and 5.0 mm up "
        "where 5.0 mm to the right, seen facing the gantry and 2.0 mm down was asked: "
    )


def test_two_wrong_signs_are_two_wrong_signs_and_no_exchange():
    found = close({"lateral_mm": 5, "vertical_mm": -5}, {"lateral_mm": -5, "vertical_mm": 5})
    assert [finding.code for finding in found] == ["chain_sign", "chain_sign"]


def test_a_shift_and_a_turn_are_not_exchanged():
    found = close({"lateral_mm": 2, "pitch_deg": 5}, {"lateral_mm": 5, "pitch_deg": 2})
    assert [finding.code for finding in found] == ["chain_scale", "chain_short"]


def test_small_moves_of_two_axes_are_no_exchange():
    found = close({"lateral_mm": 0.1}, {"lateral_mm": 0.65, "vertical_mm": 0.55})
    assert [finding.code for finding in found] == ["chain_stray", "chain_stray"]
    assert len(close({"lateral_mm": 0.9}, {"vertical_mm": 0.9})) == 2
    assert len(close({"lateral_mm": 1.1}, {"vertical_mm": 1.1})) == 1


@pytest.mark.parametrize(
    ("asked", "made", "code"),
    [
        (0.6, 0.0, "chain_short"),
        (0.6, -0.1, "chain_short"),
        (0.6, -1.2, "chain_sign"),
        (0.4, -0.4, "chain_stray"),
        (5.0, -365.0, "chain_sign"),
    ],
)
def test_a_mistake_is_named_only_where_the_reading_tells_it(asked, made, code):
    finding = the_one({"lateral_mm": asked}, {"lateral_mm": made})
    assert finding.code == code
    assert "wrong sign" not in finding.sentence
    assert "did not move" not in finding.sentence


@pytest.mark.parametrize(("asked", "made"), [((5, 8, 8), (8, 5, 5)), ((8, 8, 5), (5, 5, 8))])
def test_an_exchange_takes_an_axis_once(asked, made):
    found = close(dict(zip(AXES[:3], asked, strict=True)), dict(zip(AXES[:3], made, strict=True)))
    assert [finding.code for finding in found] == ["chain_swapped", "chain_short"]


def test_two_axes_that_are_off_are_not_always_an_exchange():
    found = close({"lateral_mm": 5, "vertical_mm": 8}, {"lateral_mm": 2, "vertical_mm": 12})
    assert [finding.code for finding in found] == ["chain_short", "chain_scale"]


def test_every_axis_that_is_off_is_told():
    found = close(dict.fromkeys(AXES, 4.0), dict.fromkeys(AXES, -4.0))
    assert [finding.code for finding in found] == ["chain_sign"] * 6


def test_angles_are_compared_modulo_a_turn():
    start = replace(START, yaw_deg=359.0)
    assert close({"yaw_deg": 1.0}, {"yaw_deg": -359.0}, start=start) == []
    assert the_one({"yaw_deg": 2.0}, {"yaw_deg": -362.0}, start=start).code == "chain_sign"


@given(st.tuples(*[st.floats(-1, 1)] * 6), st.tuples(*[st.floats(-9, 9)] * 6))
def test_an_axis_is_found_exactly_where_it_is_beyond_its_tolerance(off, asked):
    limits = (0.5, 0.5, 0.5, 0.2, 0.2, 0.2)
    target = moved(**dict(zip(AXES, asked, strict=True)))
    achieved = replace(target, **{axis: getattr(target, axis) + value for axis, value in zip(AXES, off, strict=True)})
    found = close_chain(start=START, target=target, achieved=achieved, model=MODEL, table_angle_deg=0.0)
    apart = [abs(a - b) > limit for a, b, limit in zip(astuple(achieved), astuple(target), limits, strict=True)]
    by_axis = [finding for finding in found if finding.code != "chain_place"]
    exchanged = sum(finding.code == "chain_swapped" for finding in by_axis)
    assert len(by_axis) + exchanged == sum(apart)


def test_a_value_at_the_limit_is_within_it():
    start = CouchPosition(**dict.fromkeys(AXES, 0.0))
    assert close({}, {"lateral_mm": 0.5, "yaw_deg": 0.2}, start=start) == []
    assert len(close({}, {"lateral_mm": 0.5000001}, start=start)) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
@pytest.mark.parametrize("axis", AXES)
def test_an_axis_that_reads_back_no_number_stops(axis, value):
    achieved = SimpleNamespace(**{name: getattr(START, name) for name in AXES} | {axis: value})
    (finding,) = close_chain(start=START, target=START, achieved=achieved, model=MODEL, table_angle_deg=0.0)
    assert (finding.code, finding.level) == ("chain_unreadable", Level.STOP)
    assert axis in finding.sentence


def test_small_errors_of_turns_far_from_the_isocentre_are_found_where_the_tissue_is():
    """0.15 degrees of pitch are within tolerance, and move tissue 600 mm from the table's origin by 1.6 mm."""
    achieved = moved(pitch_deg=0.15)
    (finding,) = close_chain(start=START, target=START, achieved=achieved, model=MODEL, table_angle_deg=0.0)
    assert (finding.code, finding.level, finding.limit) == ("chain_place", Level.STOP, 1.0)
    assert finding.value == pytest.approx(math.radians(0.15) * math.hypot(600, 150), rel=1e-4)
    assert close_chain(start=START, target=START, achieved=achieved, model=MODEL, table_angle_deg=0.0, **AXES_ONLY) == ()


def test_the_place_follows_the_turntable_where_the_table_top_yaws():
    tabletop = replace(MODEL, yaw_axis=YawAxis.TABLETOP)
    for table_angle_deg in (0.0, 90.0):
        (finding,) = close_chain(
            start=START, target=START, achieved=moved(yaw_deg=0.19), model=tabletop, table_angle_deg=table_angle_deg
        )  # fmt: skip
        assert finding.value == pytest.approx(math.radians(0.19) * 600, rel=1e-4)


@pytest.mark.parametrize(("field", "most"), [("shift_mm", 0.5), ("turn_deg", 0.2), ("place_mm", 1.0)])
def test_a_tolerance_may_be_tightened_and_never_loosened(field, most):
    for value in (0.0, -0.1, most * 1.001, math.nan, math.inf):
        with pytest.raises(InputError, match=f"^chain tolerance: {field} is"):
            ChainTolerance(**{field: value})
    with pytest.raises(InputError, match=f"{field} is None; give a finite number"):
        ChainTolerance(**{field: None})
    assert getattr(ChainTolerance(**{field: most}), field) == most


def test_a_tighter_tolerance_finds_more():
    tight = ChainTolerance(shift_mm=0.1, turn_deg=0.1, place_mm=0.2)
    assert the_one({}, {"lateral_mm": 0.2}, tolerance=tight).limit == 0.1
