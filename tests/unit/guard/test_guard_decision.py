"""Default deny: no request with one field corrupted is ever released, whatever the field; and nothing makes the guard fail open."""

import hmac
import itertools
import math
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from igrt.geometry.couch_model import CouchPosition, YawAxis
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes
from igrt.guard import decision as decision_module
from igrt.guard.decision import Denied, Released, decide
from igrt.guard.facts import Breach
from igrt.guard.request import Moment, Override, ReleaseRequest
from igrt.guard.table import RULES, Rule
from tests.unit.guard.guard_cases import TOKEN, at, couch, decided, look_at, make_case, reasons, spoiled

CASE = make_case()


def leaves(value, path):
    """`(path, value)` of everything that a request is made of, down to single numbers, words and motions."""
    yield path, value
    if is_dataclass(value) and not isinstance(value, RigidMotion):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}.{index}")


LEAVES = dict(leaves(CASE.request, "request"))
del LEAVES["request"]
# Any name is a name; that a person has this one is the console's to know.
ANY_OTHER_TEXT = {"request.approval.by"}
# A time may be earlier than it was without harm, up to the next limit: it is moved past every limit.
PAST_EVERY_LIMIT_S = 5000.0
# Least change of a number that matters: above the tolerance of the rule that watches it.
LEAST = {"isocentre": 0.25, "table_angle_deg": 11.0, "promised": 0.11, "target": 0.25, "fraction": 1.0, "at_s": PAST_EVERY_LIMIT_S}


def least(path):
    return next((amount for part, amount in LEAST.items() if part in path), 0.55)


def corruptions(path, value):
    """Values that this field may not have, by its kind."""
    anything = [None, math.nan, math.inf, " ", "unheard-of", (), object()]
    if path in ANY_OTHER_TEXT:
        anything.remove("unheard-of")
    if value is None:
        return [Override(by="somebody", why="something"), *anything[1:]]
    if isinstance(value, bool):
        return [not value, int(value), *anything]
    if isinstance(value, PatientPosition | ImageAxes):
        return [other for other in type(value) if other is not value] + anything
    if isinstance(value, str):
        return [value.upper() + "x", value[:-1], value + " ", *anything] if path not in ANY_OTHER_TEXT else anything
    if isinstance(value, float | int):
        return [*anything, *numbers(path, value)]
    if isinstance(value, datetime):
        return [value.replace(tzinfo=None), value + timedelta(days=400), value - timedelta(days=400), *anything]
    if isinstance(value, RigidMotion):
        return [*anything, *motions(value)]
    if isinstance(value, tuple):
        return [*anything, value[:-1], (*value, value[-1]), list(value)]
    return anything


def numbers(path, value):
    """Another unit, another sign, another axis' size, and the smallest change that matters, either way."""
    enough = least(path)
    candidates = [value + enough, value - enough, value * 10, value / 10, -value, math.radians(value), math.degrees(value), value + 1e6]
    return [candidate for candidate in candidates if far_enough(path, candidate, value, enough)]


def far_enough(path, candidate, value, enough):
    change = math.remainder(candidate - value, 360.0) if path.endswith("_deg") else candidate - value
    return abs(change) >= enough * (1 - 1e-9)


def motions(motion):
    """Inverted, transposed, shifted, turned, stretched, mirrored, of other frames."""
    tilt = Correction(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, pitch_deg=0.2, roll_deg=0, yaw_deg=0).motion.rotation
    yield motion.inverse()
    for frame in ("patient", "couch"):
        yield spoiled(motion, "target", frame)
        yield spoiled(motion, "source", frame)
    yield spoiled(motion, "rotation", motion.rotation.T)
    yield spoiled(motion, "rotation", motion.rotation @ tilt)
    yield spoiled(motion, "rotation", motion.rotation * 1.001)
    yield spoiled(motion, "rotation", -motion.rotation)
    yield spoiled(motion, "rotation", motion.rotation[[1, 0, 2]])
    yield spoiled(motion, "rotation", motion.rotation * math.nan)
    for axis in range(3):
        shift = np.eye(3)[axis]
        yield spoiled(motion, "translation_mm", motion.translation_mm + 0.15 * shift)
        yield spoiled(motion, "translation_mm", motion.translation_mm + math.inf * np.where(shift, shift, 0.0).clip(1e-300))
    yield spoiled(motion, "translation_mm", motion.translation_mm / 10)
    yield spoiled(motion, "translation_mm", motion.translation_mm[[1, 0, 2]])


def test_every_field_of_a_request_is_among_the_corrupted():
    for field in fields(ReleaseRequest):
        assert f"request.{field.name}" in LEAVES
    assert len(LEAVES) > 130


@pytest.mark.parametrize("path", LEAVES)
def test_no_field_can_be_corrupted_and_released(path):
    for wrong in corruptions(path, LEAVES[path]):
        decision = decided(spoiled(CASE, path, wrong))
        assert isinstance(decision, Denied), f"{path} = {wrong!r} was released"
        assert all(len(reason.sentence) > 30 and reason.sentence.endswith(".") for reason in decision.reasons)


small = st.floats(-2.5, 2.5)
errors = st.builds(
    lambda x, y, z, pitch, roll, yaw: Correction(
        lateral_mm=x, longitudinal_mm=y, vertical_mm=z, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw
    ),
    *[st.floats(1, 12)] * 3,
    *[small] * 3,
)
starts = st.builds(at, st.floats(-80, 80), st.floats(-700, -100), st.floats(-280, -100), *[st.floats(-1.5, 1.5)] * 3)
couches = st.builds(
    lambda dof, yaw, x, y, step: couch(degrees_of_freedom=dof, yaw_axis=yaw, axis_mm=(x, y, 0.0), step=step),
    st.sampled_from([6, 4, 3]),
    st.sampled_from(list(YawAxis)),
    st.floats(-3, 3),
    st.floats(-3, 3),
    st.sampled_from([0.0, 0.1]),
)
cases = st.builds(
    lambda model, position, angle, axes, start, error: make_case(
        model=model, position=position, table_angle_deg=angle, image_axes=axes, start=start, error=error
    ),
    couches,
    st.sampled_from(list(PatientPosition)),
    st.sampled_from([-90.0, -30.0, 30.0, 90.0]),
    st.sampled_from(list(ImageAxes)),
    starts,
    errors,
)


@given(case=cases, path=st.sampled_from(sorted(LEAVES)), data=st.data())
@settings(max_examples=250)
def test_law_a_valid_request_is_released_and_with_one_field_corrupted_it_is_not(case, path, data):
    assert reasons(case) == {}
    wrong = data.draw(st.sampled_from(corruptions(path, look_at(case, path))))
    assume(not leaves_every_landmark_where_it_was(case, path, wrong))
    assert isinstance(decided(spoiled(case, path, wrong)), Denied), f"{path} = {wrong!r} was released"


def leaves_every_landmark_where_it_was(case, path, wrong):
    """A changed motion that is the same motion to within the tolerance is no corruption."""
    if not isinstance(wrong, RigidMotion) or not np.isfinite([*wrong.rotation.flat, *wrong.translation_mm]).all():
        return False
    given = look_at(case, path)
    same_frames = (wrong.target, wrong.source) == (given.target, given.source)
    points = case.request.plan_from_daily.inverse().apply(np.vstack([np.zeros(3), 100 * np.eye(3)])) if "plan" in path else 100 * np.eye(3)
    return same_frames and bool(np.linalg.norm(wrong.apply(points) - given.apply(points), axis=1).max() < 0.3)


@pytest.mark.parametrize("what", ["request", "policy", "now"])
@pytest.mark.parametrize("nothing", [None, math.nan, "", (), object()])
def test_without_a_request_a_policy_or_a_clock_nothing_is_released(what, nothing):
    arguments = {"request": CASE.request, "policy": CASE.policy, "now": CASE.now} | {what: nothing}
    assert isinstance(decide(arguments["request"], arguments["policy"], now=arguments["now"]), Denied)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_fails_to_judge_denies_and_says_which(rule, monkeypatch):
    def defective(_case):
        raise RuntimeError("a defect")
        yield

    table = [replace(row, judge=defective) if row is rule else row for row in RULES]
    monkeypatch.setattr(decision_module, "RULES", table)
    assert reasons(CASE) == {
        rule.name: [
            f"rule {rule.name} is not to be judged (RuntimeError), but only what every rule holds for is released: "
            "image again and call service, for this is a defect of igrt."
        ]
    }


def test_every_rule_is_asked_and_every_breach_is_told(monkeypatch):
    one = Breach(field="a", value="b", limit="c", remedy="d")
    monkeypatch.setattr(decision_module, "RULES", [Rule(name, lambda _case: iter((one, one)), "") for name in "xyz"])
    assert [reason.rule for reason in decided(CASE).reasons] == list("xxyyzz")


def test_a_denial_has_a_reason():
    with pytest.raises(ValueError, match=r"^a denial has no reason; give the reasons$"):
        Denied(reasons=())


def test_the_clock_is_passed_in_and_the_decision_is_the_same_each_time():
    first, second = decided(CASE), decided(CASE)
    assert isinstance(first, Released)
    assert (first.target, first.at) == (second.target, second.at)
    assert first.at == Moment(clock=CASE.now.monotonic.clock, at_s=1000.0)


def test_a_token_is_compared_in_constant_time_and_never_shown(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert isinstance(decided(CASE), Released)
    assert compared == [(TOKEN.encode(), TOKEN.encode())]
    secret = "s3cret" * 8
    wrong = spoiled(CASE, "request.claim.token", secret)
    said = repr(wrong.request) + repr(decided(wrong))
    assert secret not in said
    assert TOKEN not in said


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_names_of_rules_are_unique_words(rule):
    assert [row.name for row in RULES].count(rule) == 1
    assert rule.replace("_", "").isalpha()


def test_simulated_approvals_and_research_profiles_stay_among_simulated_machines():
    simulated = make_case(simulated=True, research=True)
    assert reasons(spoiled(simulated, "request.approval.simulated", value=True)) == {}
    unguarded = replace(simulated.policy, required=())
    assert isinstance(decide(replace(simulated.request, records=()), unguarded, now=simulated.now), Released)
    for path in ("policy.simulated", "request.linac.simulated"):
        assert isinstance(decided(spoiled(simulated, path, value=False)), Denied)
    both = spoiled(spoiled(simulated, "policy.simulated", value=False), "request.linac.simulated", value=False)
    assert set(reasons(spoiled(both, "request.approval.simulated", value=True))) == {"approver_real", "research"}
    assert set(reasons(spoiled(both, "policy.research", value=False))) == {"research"}
    assert set(reasons(spoiled(both, "request.research", value=False))) == {"research"}


def test_an_infinite_or_unknown_couch_axis_is_denied_wherever_it_stands():
    places = ("start", "target", *(f"{name}.position" for name in ("couch_at_scan_start", "couch_at_scan_end", "couch_at_claim")))
    for place, axis in itertools.product(places, CouchPosition.__dataclass_fields__):
        for value in (math.nan, math.inf, -math.inf, None, "0"):
            assert isinstance(decided(spoiled(CASE, f"request.{place}.{axis}", value)), Denied)


@dataclass(frozen=True)
class Lookalike:
    """Has every field of a position and is none."""

    lateral_mm: float = 22.6


def test_a_lookalike_of_another_type_is_denied():
    assert "travel" in reasons(spoiled(CASE, "request.target", Lookalike()))
