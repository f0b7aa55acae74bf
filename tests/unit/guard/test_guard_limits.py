"""Each limit is reached exactly: what equals it is allowed, the next larger number is not."""

import math
from datetime import timedelta

import numpy as np
import pytest

from igrt.guard.rules import clock, couch, numbers
from tests.unit.guard.guard_cases import TODAY, look_at, make_case, reasons, spoiled
from tests.unit.guard.guard_cases import couch as couch_of

CASE = make_case()


class Watched(float):
    """A limit that notes what is held against it, and lets it pass; `<` is not what a limit is for."""

    def __new__(cls, value, seen):
        limit = super().__new__(cls, value)
        limit.seen = seen
        return limit

    def __ge__(self, other):
        self.seen.append(other)
        return True


def shifted(path, amount, case=CASE):
    return spoiled(case, path, look_at(case, path) + amount)


def moved(name, amount):
    motion = look_at(CASE, f"request.{name}")
    return spoiled(CASE, f"request.{name}", spoiled(motion, "translation_mm", motion.translation_mm + np.array([amount, 0.0, 0.0])))


LIMITED = [
    ("isocentre", "isocentre_mm", spoiled(CASE, "request.linac.loaded.isocentre_mm", (12.03, -34.02, 56.01))),
    ("couch_unmoved", "couch_shift_mm", shifted("request.couch_at_claim.position.lateral_mm", 0.3)),
    ("couch_unmoved", "couch_turn_deg", shifted("request.couch_at_claim.position.pitch_deg", -0.13)),
    ("couch_unmoved", "couch_turn_deg", shifted("request.couch_at_scan_end.table_angle_deg", 0.13)),
    ("table_angle", "couch_turn_deg", shifted("request.couch_at_scan_end.table_angle_deg", 0.13)),
    ("correction_follows", "landmark_mm", moved("correction", 0.07)),
    ("move_follows", "landmark_mm", moved("made", 0.07)),
    ("promise_kept", "landmark_mm", spoiled(CASE, "request.promised_residuals_mm.0", (0.02, 0.03, 0.01))),
    ("residual", "residual_mm", make_case(model=couch_of(degrees_of_freedom=3))),
    ("size", "largest_shift_mm", CASE),
    ("size", "largest_turn_deg", CASE),
    ("expiry", "lifetime_s", shifted("request.couch_at_scan_start.at.at_s", -100.125)),
    ("fresh_report", "report_age_s", CASE),
]


@pytest.mark.parametrize(("rule", "limit", "case"), LIMITED, ids=[f"{row[0]}-{row[1]}" for row in LIMITED])
def test_a_limit_of_the_policy_is_reached_exactly(rule, limit, case):
    seen = []
    reasons(spoiled(case, f"policy.{limit}", Watched(look_at(case, f"policy.{limit}"), seen)))
    largest = max(seen)
    assert largest > 0.0
    assert rule not in reasons(spoiled(case, f"policy.{limit}", largest))
    assert rule in reasons(spoiled(case, f"policy.{limit}", math.nextafter(largest, 0.0)))


@pytest.mark.parametrize("edge", ["minimum", "maximum"])
def test_a_height_of_the_policy_is_reached_exactly(edge):
    target = spoiled(CASE.request.target, "vertical_mm", CASE.request.start.vertical_mm + (40.0 if edge == "minimum" else -40.0))
    case = spoiled(CASE, "request.target", target)
    found = []
    for value in (0.0, 1e9):
        sentence = reasons(spoiled(case, f"policy.isocentre_height_mm.{edge}", value)).get("isocentre_height", [])
        found += [item for item in sentence if "target" in item]
    assert len(found) == 1
    reached = exactly(case, edge)
    beyond = math.nextafter(reached, math.inf if edge == "minimum" else -math.inf)
    assert "isocentre_height" not in reasons(spoiled(case, f"policy.isocentre_height_mm.{edge}", reached))
    assert "isocentre_height" in reasons(spoiled(case, f"policy.isocentre_height_mm.{edge}", beyond))


def exactly(case, edge):
    """The height at the target, to the last bit."""
    _, _, above = numbers.table_from_room(
        numbers.ISOCENTRE, numbers.table_pose(case.request.target, case.policy.couch, table_angle_deg=case.request.image_table_angle_deg)
    )
    return above


@pytest.mark.parametrize("axis", ["lateral_mm", "yaw_deg"])
@pytest.mark.parametrize("edge", ["minimum", "maximum"])
def test_travel_is_reached_exactly_but_for_rounding(axis, edge):
    limits = getattr(CASE.policy.couch, axis.split("_")[0])
    reached = limits.minimum - couch.ROUNDING if edge == "minimum" else limits.maximum + couch.ROUNDING
    beyond = math.nextafter(reached, -math.inf if edge == "minimum" else math.inf)
    assert "travel" not in reasons(spoiled(CASE, f"request.target.{axis}", reached))
    assert "travel" in reasons(spoiled(CASE, f"request.target.{axis}", beyond))


def test_rounding_is_a_millionth():
    assert (couch.ROUNDING, numbers.RIGID_TOLERANCE, couch.TABLE_ANGLE_AGREEMENT_DEG) == (1e-6, 1e-6, 10.0)
    assert numbers.ISOCENTRE == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("rule", "module", "name", "case"),
    [
        ("steps", couch, "ROUNDING", shifted("request.target.lateral_mm", 5e-7)),
        ("held_axes", couch, "ROUNDING", (four := make_case(model=couch_of(degrees_of_freedom=4)))),
        ("table_angle", couch, "TABLE_ANGLE_AGREEMENT_DEG", CASE),
        ("rigid", numbers, "RIGID_TOLERANCE", moved("made", 0.0)),
    ],
)
def test_rounding_and_agreement_are_reached_exactly(rule, module, name, case, monkeypatch):
    if rule == "held_axes":
        case = shifted("request.target.pitch_deg", 5e-7, four)
    seen = []
    monkeypatch.setattr(module, name, Watched(getattr(module, name), seen))
    reasons(case)
    largest = max(seen)
    monkeypatch.setattr(module, name, largest)
    assert rule not in reasons(case)
    monkeypatch.setattr(module, name, math.nextafter(largest, 0.0))
    assert rule in reasons(case)


def test_ages_are_reached_exactly():
    assert clock.MOMENTS == (
        "request.couch_at_scan_start.at",
        "request.couch_at_scan_end.at",
        "request.proposed_at",
        "request.approval.at",
        "request.linac.at",
        "request.couch_at_claim.at",
    )
    tick = timedelta(microseconds=1)
    for age, valid in ((timedelta(days=1), True), (timedelta(days=1) + tick, False), (timedelta(0), True), (-tick, False)):
        assert ("records" not in reasons(spoiled(CASE, "request.records.1.done_at", TODAY - age))) is valid


def test_a_shift_just_above_the_largest_is_too_large_in_any_direction():
    for axis in range(3):
        for sign in (1.0, -1.0):
            shift = [0.0, 0.0, 0.0]
            shift[axis] = sign * 100.0
            correction = spoiled(CASE.request.correction, "translation_mm", CASE.request.correction.translation_mm * 0 + shift)
            assert "size" not in reasons(spoiled(CASE, "request.correction", correction))
            larger = spoiled(correction, "translation_mm", correction.translation_mm * 1.00001)
            assert "size" in reasons(spoiled(CASE, "request.correction", larger))
