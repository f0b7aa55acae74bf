"""What an answer says of how it was matched: by hand, on a part, and of the target's soft tissue."""

import dataclasses

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.options import Around, Freedom, MatchOptions, Mode
from igrt.verification.findings import Level
from igrt.verification.matching import Matched, judge_match, judge_target, match_record, target_record
from igrt.verification.protocol import TargetPositionTable, load_protocol
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import ISOCENTRE_MM, box, make_daily, make_match, make_plan

TABLE = load_protocol().tables.evidence
PLAN, DAILY = make_plan(), make_daily()
GOOD = make_match(PLAN, DAILY)
SOFT = MatchOptions(region=Around((PLAN.structures[0],), 5.0), mode=Mode.SOFT, freedom=Freedom.TRANSLATIONS)
TOLERANCE = TargetPositionTable(margin_mm=5.0, tolerance_mm=Tolerance(inform=1.0, warn=2.0, stop=4.0))


def moved(match, shift):
    step = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array(shift, float))
    return dataclasses.replace(match, plan_from_daily=step @ match.plan_from_daily)


def codes(findings):
    return [finding.code for finding in findings]


def test_an_automatic_match_of_the_whole_says_nothing_of_itself():
    assert judge_match(Matched(GOOD, ISOCENTRE_MM), TABLE) == ((), ())
    assert match_record(Matched(GOOD, ISOCENTRE_MM), TABLE, None).manual is False


def test_what_an_automatic_match_lacks_refuses_it():
    findings, refusing = judge_match(Matched(make_match(PLAN, DAILY, similarity=0.1), ISOCENTRE_MM), TABLE)
    assert codes(findings) == codes(refusing) == ["evidence_similarity"]


def test_a_manual_pose_is_accepted_and_says_so():
    matched = Matched(moved(GOOD, (3, 0, 4)), ISOCENTRE_MM, automatic=GOOD)
    findings, refusing = judge_match(matched, TABLE)
    assert refusing == ()
    assert [(f.code, f.level) for f in findings] == [("match_manual", Level.WARN)]
    assert findings[0].value == pytest.approx(5.0)
    assert "is believed" in findings[0].sentence
    record = match_record(matched, TABLE, None)
    assert (record.manual, record.automatic.reason, record.automatic.difference_deg) == (True, "", pytest.approx(0, abs=1e-6))


def test_a_manual_pose_is_never_better_than_its_evidence():
    findings, refusing = judge_match(Matched(make_match(PLAN, DAILY, similarity=0.2, converged=False), ISOCENTRE_MM, automatic=GOOD), TABLE)
    assert refusing == ()
    assert {(f.code, f.level) for f in findings} == {
        ("match_manual", Level.WARN), ("evidence_similarity", Level.STOP), ("evidence_not_converged", Level.STOP)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "code"),
    [({"identity": 0.1}, "evidence_identity"), ({"mirror_margin": -0.1}, "evidence_mirror"), ({"stretch": 0.06}, "evidence_stretch")],
)
def test_nobody_sets_aside_another_patient_side_or_size(evidence, code):
    by_hand = Matched(make_match(PLAN, DAILY, similarity=0.2, **evidence), ISOCENTRE_MM, automatic=GOOD)
    findings, refusing = judge_match(by_hand, TABLE)
    assert codes(refusing) == [code]
    assert "evidence_similarity" in codes(findings)


def test_a_pose_set_by_hand_may_set_aside_what_the_automatic_match_lacks():
    failed = make_match(PLAN, DAILY, identity=0.1, similarity=0.2)
    assert judge_match(Matched(GOOD, ISOCENTRE_MM, automatic=failed), TABLE)[1] == ()
    lacking = make_match(PLAN, DAILY, vertebra_margin=-0.2, region_residual_mm=20.0, swap_difference_mm=9.0, rival_margin=0.0)
    assert judge_match(Matched(lacking, ISOCENTRE_MM, automatic=lacking), TABLE)[1] == ()


@pytest.mark.parametrize(
    ("evidence", "code"),
    [({"identity": 0.8}, "evidence_identity"), ({"mirror_margin": 0.09}, "evidence_mirror"), ({"stretch": 0.031}, "evidence_stretch")],
)
def test_no_pose_nearby_sets_aside_what_the_refusal_says_that_none_does(evidence, code):
    automatic = make_match(PLAN, DAILY, **evidence)
    findings, refusing = judge_match(Matched(GOOD, ISOCENTRE_MM, automatic=automatic), TABLE)
    assert codes(refusing) == [code]
    assert findings.count(refusing[0]) == 1
    there_too = make_match(PLAN, DAILY, **evidence)
    assert codes(judge_match(Matched(there_too, ISOCENTRE_MM, automatic=automatic), TABLE)[1]) == [code]


def test_after_a_refusal_the_reason_stays_with_the_manual_pose():
    refused = make_match(PLAN, DAILY, second_start_difference_mm=14.0)
    matched = Matched(GOOD, ISOCENTRE_MM, automatic=refused)
    findings, _ = judge_match(matched, TABLE)
    assert "would be refused" in findings[0].sentence
    record = match_record(matched, TABLE, None).automatic
    assert "two starts 14 mm" in record.reason
    assert record.evidence.second_start_difference_mm == 14.0


def test_a_restricted_match_says_what_it_rests_on():
    match = dataclasses.replace(GOOD, options=SOFT, whole_similarity=0.7)
    findings, refusing = judge_match(Matched(match, ISOCENTRE_MM), TABLE)
    assert refusing == ()
    assert [(f.code, f.level, f.value) for f in findings] == [("match_restricted", Level.INFORM, 0.7)]
    assert "CTV and 5 mm around, soft, with translations free" in findings[0].sentence


@pytest.mark.parametrize("similarity", [0.39, float("nan")])
def test_another_body_around_the_region_refuses(similarity):
    _, refusing = judge_match(Matched(dataclasses.replace(GOOD, options=SOFT, whole_similarity=similarity), ISOCENTRE_MM), TABLE)
    assert codes(refusing) == ["evidence_whole"]


@pytest.mark.parametrize(
    ("shift_mm", "level"), [(0.5, Level.INFORM), (1.0, Level.INFORM), (1.5, Level.INFORM), (3.0, Level.WARN), (5.0, Level.STOP)]
)
def test_a_target_that_moved_is_a_finding_of_the_protocols_level(shift_mm, level):
    target = dataclasses.replace(moved(GOOD, (0, 0, -shift_mm)), options=SOFT)
    record = target_record(Matched(GOOD, ISOCENTRE_MM, target=target), TABLE, ISOCENTRE_MM)
    np.testing.assert_allclose(record.shift_mm, (0, 0, shift_mm), atol=1e-9)
    (finding,) = judge_target(record, TOLERANCE)
    assert (finding.code, finding.level) == ("target_position", level)
    assert finding.value == pytest.approx(shift_mm)


def test_a_target_that_is_not_seen_gives_no_number():
    target = make_match(PLAN, DAILY, converged=False, similarity=0.3)  # similarity is of whole bodies
    record = target_record(Matched(GOOD, ISOCENTRE_MM, target=dataclasses.replace(target, options=SOFT)), TABLE, ISOCENTRE_MM)
    assert (record.shift_mm, record.distance_mm, record.reason) == (None, None, "The registration did not settle on a pose.")
    (finding,) = judge_target(record, TOLERANCE)
    assert (finding.code, finding.level, finding.value) == ("target_position_unknown", Level.WARN, None)


def test_no_target_no_finding():
    assert target_record(Matched(GOOD, ISOCENTRE_MM), TABLE, ISOCENTRE_MM) is None
    assert judge_target(None, TOLERANCE) == ()


def test_turns_that_were_not_sought_need_no_turned_start():
    match = make_match(PLAN, DAILY, second_start_offset_deg=0.0, rotation_sd_deg=(0.0, 0.0, 0.0))
    assert codes(judge_match(Matched(match, ISOCENTRE_MM), TABLE)[1]) == ["evidence_second_start_offset"]
    shifted = dataclasses.replace(match, options=MatchOptions(freedom=Freedom.TRANSLATIONS))
    assert judge_match(Matched(shifted, ISOCENTRE_MM), TABLE)[1] == ()
    turned = dataclasses.replace(make_match(PLAN, DAILY, second_start_offset_mm=0.0), options=MatchOptions(freedom=Freedom.ROTATIONS))
    assert judge_match(Matched(turned, ISOCENTRE_MM), TABLE)[1] == ()


def test_structures_named_by_the_record():
    other = make_plan([box("GTV", "GTV", ISOCENTRE_MM)])
    options = MatchOptions(region=Around(other.structures, 0.0))
    assert match_record(Matched(dataclasses.replace(GOOD, options=options), ISOCENTRE_MM), TABLE, None).region == "GTV"
