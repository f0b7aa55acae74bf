import dataclasses
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.answer import Answer, verify
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.couch import CouchPosition
from igrt.geometry.couch_model import ANGLES, TRANSLATIONS, AxisRange
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, correction_motion
from igrt.registration.match import RegionResidual
from igrt.verification.findings import OVERRIDE_WORDS, Level, Outcome, Override, Verdict
from igrt.verification.machine import load_machine
from igrt.verification.protocol import load_protocol
from igrt.verification.record import PROPOSAL_FIELDS
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import (
    DAILY,
    ISOCENTRE_MM,
    NOW,
    PLAN,
    answer,
    box,
    corrections,
    make_daily,
    make_match,
    make_plan,
    still,
    strict_json,
)

START = CouchPosition(lateral_mm=0.0, longitudinal_mm=700.0, vertical_mm=-120.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
# A couch that leaves nothing over, so that no rounding along one axis or another tells positions apart.
EXACT = load_machine()
EXACT = dataclasses.replace(
    EXACT, couch=dataclasses.replace(EXACT.couch, **{axis: AxisRange(-1000.0, 1000.0, 0.0) for axis in (*TRANSLATIONS, *ANGLES)})
)


def codes(result):
    return {finding.code for finding in result.findings}


# ---------------------------------------------------------------------------------------------------------- accepted


@given(corrections(shift_mm=8.0, turn_deg=2.5), st.sampled_from(PatientPosition))
@settings(max_examples=25)
def test_the_correction_is_the_full_motion_that_follows_from_the_matrix(correction, position):
    plan, daily = make_plan(position=position), make_daily(position=position)
    result = answer(correction, plan=plan, daily=daily)
    assert result.outcome is Outcome.ACCEPTED
    follows = correction_motion(
        result.plan_from_daily, plan_isocentre_mm=ISOCENTRE_MM, daily_isocentre_mm=np.zeros(3),
        plan_position=position, daily_position=position,
    )  # fmt: skip
    for field in dataclasses.fields(Correction):
        value = getattr(result.correction, field.name)
        assert value == pytest.approx(getattr(Correction.from_motion(follows), field.name), abs=1e-9)
        assert value == pytest.approx(getattr(correction, field.name), abs=1e-6)


def test_a_small_set_up_error_proceeds():
    result = answer(still(lateral_mm=2.0, yaw_deg=0.5), couch_start=START)
    assert (result.outcome, result.verdict) == (Outcome.ACCEPTED, Verdict.PROCEED)
    assert codes(result) == {"research_profile"}
    assert result.research
    assert result.couch.made.lateral_mm == pytest.approx(2.0, abs=0.06)
    assert {residual.name for residual in result.residuals} == {"CTV, centroid", "CTV, worst point", "Cord, worst point"}


@pytest.mark.parametrize(("shift_mm", "expected"), [(4.0, "proceed"), (6.0, "proceed"), (11.0, "caution"), (21.0, "stop")])
def test_a_larger_set_up_error_is_graver(shift_mm, expected):
    assert answer(still(longitudinal_mm=shift_mm)).verdict == expected


def test_a_couch_that_cannot_turn_leaves_residuals_that_are_judged():
    target = box("CTV", "CTV", ISOCENTRE_MM, 60.0)
    result = answer(still(roll_deg=2.9), plan=make_plan([target]), machine=load_machine("c-arm-3dof"))
    assert "residual_target" in codes(result)
    assert result.verdict is Verdict.STOP
    assert result.correction.roll_deg == pytest.approx(2.9)


def test_an_uncertain_match_is_judged_by_its_uncertainty():
    def level(sd_mm):
        match = make_match(PLAN, DAILY, sd_mm=sd_mm)
        found = [finding.level for finding in answer(match=match).findings if finding.code == "residual_target"]
        return [None, *Level].index(found[0] if found else None)

    levels = [level(sd_mm) for sd_mm in (0.02, 0.5, 0.9, 1.5)]
    assert levels == [0, 1, 2, 3]


def widened(factor):
    """The default protocol with every tolerance times `factor`."""
    protocol = load_protocol()

    def wider(table):
        changes = {name: getattr(table, name) for name in table.__struct_fields__}
        changes = {name: value for name, value in changes.items() if isinstance(value, Tolerance)}
        return msgspec.structs.replace(table, **{name: scaled(value) for name, value in changes.items()})

    def scaled(tolerance):
        return Tolerance(inform=tolerance.inform * factor, warn=tolerance.warn * factor, stop=tolerance.stop * factor)

    tables = protocol.tables
    tables = msgspec.structs.replace(tables, setup=wider(tables.setup), residual=wider(tables.residual))
    return dataclasses.replace(protocol, tables=tables)


@given(corrections(), st.floats(1.0, 4.0), st.floats(0.01, 1.0))
@settings(max_examples=25)
def test_wider_tolerances_never_make_the_verdict_graver(correction, factor, sd_mm):
    match = make_match(PLAN, DAILY, correction, sd_mm=sd_mm)
    narrow, wide = answer(match=match), answer(match=match, protocol=widened(factor))
    assert wide.verdict.exit_code <= narrow.verdict.exit_code
    assert wide.correction == narrow.correction


@given(corrections(), st.sampled_from(PatientPosition))
@settings(max_examples=20)
def test_the_patient_position_turns_the_axes_and_changes_no_tolerance(correction, position):
    """The same motion of the same anatomy in the patient's own axes is judged alike in every position."""
    supine = answer(correction, machine=EXACT)
    plan, daily = make_plan(position=position), make_daily(position=position)
    other = answer(plan=plan, daily=daily, match=make_match(PLAN, DAILY, correction), machine=EXACT)
    assert other.outcome is supine.outcome
    for name in ("residual_mm", "uncertainty95_mm"):
        assert [getattr(r, name) for r in other.residuals] == pytest.approx([getattr(r, name) for r in supine.residuals], abs=0.02)
    lengths = [np.linalg.norm(result.correction.motion.translation_mm) for result in (supine, other)]
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-9)


# ----------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "evidence",
    [{"overlap": 0.1}, {"similarity": 0.0}, {"similarity": math.nan}, {"second_start_difference_mm": 9.0}, {"converged": False}],
    ids=str,
)
def test_a_refused_match_carries_no_number_and_keeps_its_evidence(evidence):
    result = answer(still(lateral_mm=2.0), evidence=evidence, couch_start=START)
    assert (result.outcome, result.verdict) == (Outcome.REFUSED, Verdict.REFUSED)
    for name in PROPOSAL_FIELDS:
        assert getattr(result, name) is None
    assert result.evidence is not None
    assert result.reason
    plain = strict_json(result)
    assert [plain[name] for name in ("plan_from_daily", "correction", "couch", "residuals_mm", "match_point")] == [None] * 5
    assert plain["reason"] == result.reason
    assert not any(code.startswith(("setup", "residual", "couch")) for code in codes(result))


@pytest.mark.parametrize(
    ("evidence", "override"),
    [
        ({"similarity": 0.1}, Override.MANUAL_POSE),
        ({"vertebra_margin": -0.2}, Override.MANUAL_POSE),
        ({"region_residual_mm": 30.0}, Override.MANUAL_POSE),
        ({"converged": False}, Override.MANUAL_POSE),
        ({"identity": 0.0}, Override.NONE),
        ({"mirror_margin": -0.2}, Override.NONE),
        ({"stretch": 0.05, "overlap": 0.1}, Override.NONE),
        ({"stretch": 0.05, "similarity": 0.1}, Override.MANUAL_POSE),
        ({"identity": math.nan}, Override.NONE),
    ],
    ids=str,
)
def test_a_refusal_says_which_way_is_left(evidence, override):
    result = answer(evidence=evidence)
    assert result.override is override
    assert result.reason.endswith(OVERRIDE_WORDS[override])
    assert strict_json(result)["override"] == override.value


def test_what_no_pose_by_hand_can_change_leaves_no_way():
    assert answer(still(vertical_mm=60.0)).override is Override.NONE
    assert verify(PLAN, make_daily(patient_id="P2"), now=NOW).override is Override.NONE
    assert answer().override is None


def test_a_changed_posture_is_told_with_the_part_that_moved_and_is_no_refusal():
    parts = tuple(
        RegionResidual(tuple((ISOCENTRE_MM + offset).tolist()), moved, (0.0, 0.0, 0.0), 0.3)
        for offset, moved in (((0, 30, 0), (0.0, 0.0, 4.1)), ((0, 0, 90), (0.2, 0.0, 0.0)))
    )
    tolerance = load_protocol().tables.evidence.region_residual_mm
    residual_mm = (tolerance.warn + tolerance.stop) / 2
    result = answer(match=dataclasses.replace(make_match(PLAN, DAILY, region_residual_mm=residual_mm), regions=parts))
    assert (result.outcome, result.verdict) == (Outcome.ACCEPTED, Verdict.CAUTION)
    (finding,) = [f for f in result.findings if f.code == "anatomy_changed"]
    assert finding.sentence == "The anatomy around Cord lies 4.1 mm from where the rest has it: posture or anatomy has changed."
    assert Answer.from_json(strict_json(result)).match.regions == parts


@pytest.mark.parametrize("correction", [still(vertical_mm=50.1), still(yaw_deg=-10.1)])
def test_beyond_the_resetup_limit_no_correction_is_offered(correction):
    result = answer(correction)
    assert result.outcome is Outcome.REFUSED
    assert result.correction is None
    assert "set the patient up again" in result.reason
    assert not any(code.startswith(("setup", "residual", "couch")) for code in codes(result))


def test_another_patients_image_is_refused_before_it_is_matched():
    def never(*_):
        raise AssertionError("an image of another patient was matched")

    result = verify(PLAN, make_daily(patient_id="P2"), matcher=never, now=NOW)
    assert (result.outcome, result.evidence) == (Outcome.REFUSED, None)
    assert "P2" in result.reason
    plain = strict_json(result)
    assert plain["evidence"] is None
    assert strict_json(Answer.from_json(plain)) == plain


def test_the_planning_ct_in_place_of_the_days_image_is_an_error():
    plan, daily = make_plan(), make_daily()
    identity = dataclasses.replace(plan.identity, series_uid="2.25.7")
    with pytest.raises(InputError, match="daily folder is the planning CT itself, not the day's image; give"):
        verify(dataclasses.replace(plan, identity=identity), dataclasses.replace(daily, series_uid="2.25.7"))
    same = Volume(Grid.aligned(Frame.DAILY, shape_kji=(81, 81, 81), origin_mm=(0, 0, 0), spacing_mm=(2.5, 2.5, 2.5)), plan.ct.hu)
    with pytest.raises(InputError, match="is the planning CT itself"):
        verify(plan, dataclasses.replace(daily, volume=same))


def test_without_structures_the_isocentre_is_judged_and_the_output_says_so():
    result = answer(still(lateral_mm=2.0), plan=make_plan([]))
    assert [residual.name for residual in result.residuals] == ["isocentre"]
    assert {"match_point_isocentre", "no_organs"} <= codes(result)
    assert result.match_point.position_mm == pytest.approx(tuple(ISOCENTRE_MM))
    assert result.verdict is Verdict.PROCEED
    assert answer(still(lateral_mm=2.0), plan=make_plan([]), protocol="spine_sbrt").verdict is Verdict.STOP


# ------------------------------------------------------------------------------------------------- isocentre and start


def test_positions_that_disagree_are_an_error_that_names_both():
    with pytest.raises(InputError, match=r"daily folder: the daily image is HFP, the plan \(plan folder\) is HFS; "):
        answer(daily=make_daily(position=PatientPosition.HFP), match=make_match(PLAN, DAILY))


def start_error_mm(result):
    """How far the start puts the daily isocentre from the plan's."""
    return float(np.linalg.norm(result.start.apply(result.daily_isocentre_mm) - ISOCENTRE_MM))


@pytest.mark.parametrize(
    ("daily", "expected", "words"),
    [
        (make_daily(isocentre_mm=(1.0, 2.0, 3.0)), (1.0, 2.0, 3.0), "stated with the image"),
        (make_daily(isocentre_mm=None), (0.0, 0.0, 0.0), "at the image's 0 0 0, by machine profile research-default"),
        (make_daily(isocentre_mm=None, frame_uid=None), ISOCENTRE_MM, "at the coordinates of the plan isocentre"),
        (make_daily(isocentre_mm=None, frame_uid="1.2.3"), ISOCENTRE_MM, "at the coordinates of the plan isocentre"),
    ],
)
def test_the_isocentre_is_the_images_own_or_by_the_rule_of_the_profile(daily, expected, words):
    result = answer(daily=daily, match=make_match(PLAN, DAILY))
    np.testing.assert_array_equal(result.daily_isocentre_mm, expected)
    assert words in result.daily_isocentre_from
    assert start_error_mm(result) == pytest.approx(0.0, abs=1e-9)


def test_the_isocentre_can_be_a_point_of_the_profile(tmp_path):
    file = tmp_path / "room1.toml"
    text = (load_machine().file.path).read_text()
    file.write_text(text.replace('kind = "by-frame-of-reference"', 'kind = "point"\npoint_mm = [3.0, -2.0, 1.0]'))
    result = answer(daily=make_daily(isocentre_mm=None), match=make_match(PLAN, DAILY), machine=str(file))
    assert result.daily_isocentre_mm == (3.0, -2.0, 1.0)
    assert "at the point" in result.daily_isocentre_from


def test_an_isocentre_outside_the_daily_image_is_an_error_with_a_remedy():
    with pytest.raises(InputError, match=r"daily folder: .*\[150.0, 0.0, 0.0\] mm .* lies outside the daily image; state"):
        answer(daily=make_daily(isocentre_mm=(150.0, 0.0, 0.0)), match=make_match(PLAN, DAILY))


@given(st.tuples(*[st.floats(-80, 80)] * 3), st.sampled_from([0.0, 30.0, -75.0]), st.sampled_from(PatientPosition))
@settings(max_examples=25)
def test_the_start_is_where_nothing_but_the_intended_shift_is_to_correct(offset, table_angle_deg, position):
    plan, daily = make_plan(position=position), make_daily(position=position)
    result = answer(plan=plan, daily=daily, scan_offset_mm=offset, table_angle_deg=table_angle_deg)
    to_make = correction_motion(
        result.start, plan_isocentre_mm=ISOCENTRE_MM, daily_isocentre_mm=np.zeros(3),
        plan_position=position, daily_position=position, table_angle_deg=table_angle_deg,
    )  # fmt: skip
    np.testing.assert_allclose(to_make.rotation, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(to_make.translation_mm, offset, atol=1e-9)


def test_an_intended_shift_is_corrected_and_not_held_against_the_set_up():
    result = answer(still(lateral_mm=80.0), scan_offset_mm=(80.0, 0.0, 0.0))
    assert (result.outcome, result.verdict) == (Outcome.ACCEPTED, Verdict.PROCEED)
    assert codes(result) == {"scan_offset", "research_profile"}
    assert result.correction.lateral_mm == pytest.approx(80.0)


def test_an_image_after_correction_gets_no_couch_target(tmp_path):
    file = tmp_path / "archive.toml"
    text = (load_machine().file.path).read_text()
    file.write_text(text.replace('pose = "before_correction"', 'pose = "after_correction"'))
    result = answer(still(lateral_mm=1.0), machine=str(file), couch_start=START)
    assert (result.couch.target, result.couch.delta) == (None, None)
    assert result.verdict is Verdict.CAUTION


# --------------------------------------------------------------------------------------------------------- the outside


def test_machine_and_protocol_are_said_with_where_they_are_from():
    result = answer(machine="c-arm-4dof", protocol="thorax")
    assert (result.machine, result.protocol) == ("c-arm-4dof", "thorax")
    assert result.calibration == (
        "machine profile c-arm-4dof (as shipped with igrt)", "protocol thorax (as shipped with igrt)"
    )  # fmt: skip
    assert result.verdict is Verdict.STOP  # there is no isocentre check


def test_loaded_profiles_are_taken_as_they_are(tmp_path):
    result = answer(machine=load_machine(None, tmp_path), protocol=load_protocol("head", tmp_path))
    assert (result.machine, result.protocol) == ("research-default", "head")


def test_what_was_checked_is_listed_in_the_order_of_the_work():
    accepted, refused = answer().checked, answer(evidence={"overlap": 0.0}).checked
    assert accepted[0] == "patient of plan and daily image"
    assert accepted[-1] == "residual at the organs"
    assert any(line.startswith("overlap of the daily anatomy with the planning CT 0 (at least") for line in refused)
    assert "residual at the targets" not in refused
    too_far = answer(still(vertical_mm=60.0)).checked
    assert too_far[-1] == "re-set-up limit"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"table_angle_deg": math.nan}, "table_angle_deg is nan; give"),
        ({"couch_start": START, "table_angle_deg": 40.0}, "taken at table angle 0, but the correction is for 40"),
        ({"scan_offset_mm": (0.0, math.nan, 0.0)}, "scan_offset_mm is"),
        ({"machine": "no-such"}, "there is no machine profile 'no-such'"),
        ({"plan": make_plan([box("CTV", "CTV", (500.0, 0.0, 0.0))])}, "structure 'CTV' is empty on the CT"),
    ],
)
def test_what_does_not_fit_is_said_before_the_registration(wrong, sentence):
    def never(*_):
        raise AssertionError("matched although the input was wrong")

    with pytest.raises(InputError, match=sentence):
        verify(**{"plan": PLAN, "daily": DAILY, "matcher": never, "now": NOW, **wrong})


def test_points_kept_from_the_last_image_are_those_of_this_plan_and_protocol():
    other = make_plan([box("GTV", "GTV", ISOCENTRE_MM)])
    names = [[r.structure for r in answer(plan=plan).residuals] for plan in (PLAN, other, PLAN)]
    assert names == [["CTV", "CTV", "Cord"], ["GTV", "GTV"], ["CTV", "CTV", "Cord"]]
    turned = answer(match=make_match(PLAN, DAILY, table_angle_deg=30.0), table_angle_deg=30.0)
    assert [r.residual_mm < 0.3 for r in turned.residuals] == [True] * 3


def test_progress_and_seconds_name_the_stages():
    told = []
    result = answer(progress=lambda stage, share: told.append((stage, share)))
    assert told == [("judge", 0.0), ("judge", 1.0)]
    assert set(result.seconds) == {"judge"}
    assert result.device == "the caller's matcher"
