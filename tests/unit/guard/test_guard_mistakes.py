"""Mistakes that have hurt patients, planted whole: each is denied, by the rule that is there for it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from igrt.geometry.couch import motion_from_positions, residuals_mm
from igrt.geometry.couch_model import YawAxis
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes
from igrt.guard.facts import Case
from igrt.guard.landmarks import LANDMARKS_MM
from tests.unit.guard.guard_cases import at, couch, make_case, reasons, spoiled

CASE = make_case()
START, TARGET = CASE.request.start, CASE.request.target


def with_request(case=CASE, **changes):
    return Case(request=replace(case.request, **changes), policy=case.policy, now=case.now)


def consistent(target, case=CASE):
    """A wrong target with a move and a promise that agree with it: only what it leaves, and what it rests on, can show it."""
    request = case.request
    made = motion_from_positions(request.start, target, case.policy.couch, table_angle_deg=request.image_table_angle_deg)
    promised = residuals_mm(request.correction, made, request.correction.inverse().apply(LANDMARKS_MM))
    return with_request(case, target=target, made=made, promised_residuals_mm=tuple(map(tuple, promised.tolist())))


def sent(**changes):
    return {"target": replace(TARGET, **changes)}


WRONG_TARGETS = {
    "centimetres": sent(lateral_mm=2.3, longitudinal_mm=-61.8, vertical_mm=-16.2),
    "one axis in centimetres": sent(vertical_mm=TARGET.vertical_mm / 10),
    "lateral and longitudinal swapped": sent(lateral_mm=TARGET.longitudinal_mm, longitudinal_mm=TARGET.lateral_mm),
    "pitch and roll swapped": sent(pitch_deg=TARGET.roll_deg, roll_deg=TARGET.pitch_deg),
    "vertical of the other sign": sent(vertical_mm=2 * START.vertical_mm - TARGET.vertical_mm),
    "pitch of the other sign": sent(pitch_deg=-TARGET.pitch_deg),
    "yaw of the other way": sent(yaw_deg=2 * START.yaw_deg - TARGET.yaw_deg),
    "angles in radians": sent(
        pitch_deg=math.radians(TARGET.pitch_deg), roll_deg=math.radians(TARGET.roll_deg), yaw_deg=math.radians(TARGET.yaw_deg)
    ),
    "the increment instead of the position": {"target": TARGET.minus(START)},
    "the increment twice": sent(longitudinal_mm=2 * TARGET.longitudinal_mm - START.longitudinal_mm),
    "no move at all": {"target": START},
    "isocentric shifts instead of the table top's": sent(
        lateral_mm=START.lateral_mm + 3.2, longitudinal_mm=START.longitudinal_mm - 6.1, vertical_mm=START.vertical_mm - 4.3
    ),
}


@pytest.mark.parametrize("mistake", WRONG_TARGETS)
def test_a_wrong_target_is_not_the_move_that_was_judged(mistake):
    found = reasons(with_request(**WRONG_TARGETS[mistake]))
    assert {"move_follows", "promise_kept"} <= set(found)


def test_a_target_in_centimetres_shows_though_move_and_promise_agree_with_it():
    found = reasons(consistent(replace(TARGET, lateral_mm=2.3, longitudinal_mm=-61.8, vertical_mm=-16.2)))
    assert {"isocentre_height", "size", "residual"} <= set(found)


def test_a_large_swap_of_axes_shows_though_move_and_promise_agree_with_it():
    error = Correction(lateral_mm=15.0, longitudinal_mm=-12.0, vertical_mm=2.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
    case = make_case(error=error, table_angle_deg=0.0)
    start = case.request.start
    swapped = replace(case.request.target, lateral_mm=start.lateral_mm - 12.0, longitudinal_mm=start.longitudinal_mm + 15.0)
    assert "residual" in reasons(consistent(swapped, case))


@pytest.mark.parametrize("name", ["couch_at_scan_start", "couch_at_scan_end", "couch_at_claim"])
def test_one_reading_in_centimetres_is_a_couch_that_moved(name):
    reading = getattr(CASE.request, name)
    shown = replace(reading.position, lateral_mm=2.01, longitudinal_mm=-61.23, vertical_mm=-15.12)
    assert set(reasons(with_request(**{name: replace(reading, position=shown)}))) == {"couch_unmoved"}


def test_a_couch_read_in_centimetres_throughout_shows_by_the_height_of_the_isocentre():
    start = make_case().request.start
    small = replace(start, lateral_mm=2.01, longitudinal_mm=-61.23, vertical_mm=-15.12, yaw_deg=0.4)
    assert set(reasons(make_case(start=small))) == {"isocentre_height"}


def test_a_couch_scale_with_another_zero_shows_by_the_height_of_the_isocentre():
    case = make_case(
        model=replace(couch(), vertical=replace(couch().vertical, maximum=1500.0)), start=replace(START, vertical_mm=848.8, yaw_deg=0.4)
    )
    assert set(reasons(case)) == {"isocentre_height"}


@pytest.mark.parametrize("name", ["plan_from_daily", "correction", "made"])
def test_an_inverted_motion_shows(name):
    motion = getattr(CASE.request, name)
    backwards = motion.inverse()
    relabelled = RigidMotion(motion.target, motion.source, backwards.rotation, backwards.translation_mm)
    assert set(reasons(with_request(**{name: relabelled}))) & {"correction_follows", "move_follows"}


def test_a_transposed_rotation_shows():
    pose = CASE.request.plan_from_daily
    transposed = RigidMotion(Frame.PLAN, Frame.DAILY, pose.rotation.T, pose.translation_mm)
    assert "correction_follows" in reasons(with_request(plan_from_daily=transposed))


@pytest.mark.parametrize("position", [p for p in PatientPosition if p is not PatientPosition.HFS])
def test_another_patient_position_than_the_correction_was_made_for_shows(position):
    assert "correction_follows" in reasons(with_request(plan_position=position, daily_position=position))


@pytest.mark.parametrize("axes", ImageAxes)
def test_image_axes_taken_for_the_others_show_away_from_zero(axes):
    other = ImageAxes.ROOM if axes is ImageAxes.TABLE else ImageAxes.TABLE
    assert "correction_follows" in reasons(with_request(make_case(image_axes=axes), image_axes=other))
    level = make_case(image_axes=axes, table_angle_deg=0.0, start=at(yaw=0.0))
    assert reasons(with_request(level, image_axes=other)) == {}


def test_a_turntable_elsewhere_shows_for_a_table_top_that_yaws():
    case = make_case(model=couch(yaw_axis=YawAxis.TABLETOP))
    for angle in (29.79, 30.21):
        readings = {
            name: replace(getattr(case.request, name), table_angle_deg=angle)
            for name in ("couch_at_scan_start", "couch_at_scan_end", "couch_at_claim")
        }
        assert "table_angle" in reasons(with_request(case, **readings))
    assert reasons(with_request(case, couch_at_claim=replace(case.request.couch_at_claim, table_angle_deg=30.199))) == {}


@pytest.mark.parametrize(("yaw_axis", "most"), [(YawAxis.TABLETOP, 0.2), (YawAxis.TURNTABLE, 10.0)])
def test_only_a_turntable_that_yaws_may_stand_off_the_planned_angle(yaw_axis, most):
    case = make_case(model=couch(yaw_axis=yaw_axis), start=at(yaw=0.0))
    for off, denied in ((most - 0.001, False), (most + 0.001, True)):
        found = reasons(with_request(case, table_angle_deg=30.0 + off)).get("table_angle", [])
        assert any("from the planned table angle" in sentence for sentence in found) is denied


@pytest.mark.parametrize("edge", ["minimum", "maximum"])
def test_the_height_of_the_isocentre_is_allowed_to_its_ends(edge):
    straight = make_case(start=replace(START, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0, vertical_mm=-150.0), error=NOTHING)
    height = straight.policy.isocentre_height_mm
    inside = spoiled(height, edge, 150.0)
    outside = spoiled(height, edge, 150.001 if edge == "minimum" else 149.999)
    assert reasons(spoiled(straight, "policy.isocentre_height_mm", inside)) == {}
    assert set(reasons(spoiled(straight, "policy.isocentre_height_mm", outside))) == {"isocentre_height"}


NOTHING = Correction(lateral_mm=0.0, longitudinal_mm=0.0, vertical_mm=0.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)


@pytest.mark.parametrize(
    ("limit", "change", "beyond"),
    [
        ("largest_shift_mm", {"lateral_mm": 30.0, "longitudinal_mm": 40.0}, 49.999),
        ("largest_turn_deg", {"pitch_deg": 2.0}, 1.999),
        ("largest_turn_deg", {"roll_deg": -2.0}, 1.999),
        ("largest_turn_deg", {"yaw_deg": 2.0}, 1.999),
    ],
)
def test_a_correction_may_be_as_large_as_the_policy_says_and_no_larger(limit, change, beyond):
    case = make_case(error=replace(NOTHING, **change), start=replace(START, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0), table_angle_deg=0.0)
    reached = 50.0 if limit == "largest_shift_mm" else 2.0
    assert reasons(spoiled(case, f"policy.{limit}", reached + 1e-6)) == {}
    sentences = reasons(spoiled(case, f"policy.{limit}", beyond))["size"]
    assert len(sentences) == 2
    assert f"{reached:.3f}" in sentences[0]


def test_half_a_turn_is_a_large_turn():
    for signs in ([1, -1, -1], [-1, 1, -1], [-1, -1, 1]):
        turned = RigidMotion(Frame.FIXED, Frame.FIXED, np.diag(signs), [0, 0, 0])
        assert "180.000 deg" in reasons(with_request(correction=turned))["size"][0]


def test_travel_is_allowed_to_its_ends():
    target = CASE.request.target
    for axis, value in (("lateral", target.lateral_mm), ("yaw", target.yaw_deg)):
        limits = getattr(CASE.policy.couch, axis)
        for edge, sign in (("minimum", 1.0), ("maximum", -1.0)):
            inside, outside = (spoiled(CASE, f"policy.couch.{axis}", spoiled(limits, edge, value + sign * off)) for off in (9e-7, 2e-6))
            assert reasons(inside) == {}
            assert set(reasons(outside)) == {"travel"}


def test_a_couch_without_steps_goes_anywhere_in_its_travel():
    assert reasons(make_case(model=couch(step=0.0))) == {}


def test_what_remains_may_be_as_large_as_the_policy_says_and_no_larger():
    case = make_case(model=couch(degrees_of_freedom=3))
    largest = max(float(np.linalg.norm(promise)) for promise in case.request.promised_residuals_mm)
    assert reasons(spoiled(case, "policy.residual_mm", largest + 1e-9)) == {}
    assert set(reasons(spoiled(case, "policy.residual_mm", largest - 1e-9))) == {"residual"}
