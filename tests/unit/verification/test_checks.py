import dataclasses
import math
from datetime import datetime, timedelta

import msgspec
import pytest

from igrt.errors import InputError
from igrt.images.records import PlanIdentity
from igrt.verification.checks import CHECKS, FactCheck, Facts, check_facts, check_proposal
from igrt.verification.codes import CODES, found
from igrt.verification.correction import CouchAnswer, MatchPoint, PointResidual, Proposal
from igrt.verification.findings import Level
from igrt.verification.machine import ImagePose, IsocentreCheck, load_machine
from igrt.verification.points import MatchRule, PointKind
from igrt.verification.protocol import AxisTable, load_protocol
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import NOW, still

MACHINE, PROTOCOL = load_machine("c-arm-6dof"), load_protocol()
CHECKED = IsocentreCheck(checked_at=NOW - timedelta(hours=5), offset_mm=0.3)


def machine(*, check=CHECKED, required=True, research=False, pose=ImagePose.BEFORE_CORRECTION):
    tables = MACHINE.tables
    tables = msgspec.structs.replace(
        tables,
        profile=msgspec.structs.replace(tables.profile, research=research),
        image=msgspec.structs.replace(tables.image, pose=pose),
        isocentre_check=msgspec.structs.replace(tables.isocentre_check, required=required),
    )
    return dataclasses.replace(MACHINE, tables=tables, last_check=check)


def protocol(*, research=False, **tables):
    changed = {"protocol": msgspec.structs.replace(PROTOCOL.tables.protocol, research=research), **tables}
    return dataclasses.replace(PROTOCOL, tables=msgspec.structs.replace(PROTOCOL.tables, **changed))


def facts(*, plan_id="P1", daily_id="P1", plan_frame="1.2.3", daily_frame="1.2.9", offset=(0.0, 0.0, 0.0), now=NOW, **of):
    return Facts(
        machine=of.get("machine", machine()),
        protocol=of.get("protocol", protocol()),
        plan=PlanIdentity(plan_id, None, None, None, plan_frame),
        daily_patient_id=daily_id,
        daily_frame_of_reference_uid=daily_frame,
        scan_offset_mm=offset,
        now=now,
    )


def residual(total_mm, kind=PointKind.TARGET, name="CTV"):
    return PointResidual(name=f"{name}, worst point", structure=name, kind=kind, residual_mm=total_mm / 2, uncertainty95_mm=total_mm / 2)


ORGAN = residual(0.2, PointKind.ORGAN, "Cord")


def proposal(*, setup=None, turn_deg=0.0, rule=MatchRule.CENTROID, residuals=None, limited=()):
    couch = CouchAnswer(
        model="couch", degrees_of_freedom=6, made=still(), target=None, delta=None, limited=tuple(limited), words=()
    )  # fmt: skip
    return Proposal(
        correction=setup or still(),
        setup=setup or still(),
        turn_deg=turn_deg,
        couch=couch,
        match_point=MatchPoint(rule=rule, position_mm=(0.0, 0.0, 0.0)),
        residuals=tuple([residual(0.2), ORGAN] if residuals is None else residuals),
    )


def codes(findings):
    return {finding.code: finding.level for finding in findings}


def fact_codes(**of):
    return codes(check_facts(facts(**of))[0])


def proposal_codes(facts_of=None, **of):
    return codes(check_proposal(facts_of or facts(), proposal(**of))[0])


def test_where_nothing_is_wrong_nothing_is_found():
    assert fact_codes() == {}
    assert proposal_codes() == {}


# ------------------------------------------------------------------------------------------------------------ facts


def test_another_patient_stops_and_refuses():
    findings, refusing = check_facts(facts(daily_id="P2"))
    assert codes(findings) == {"patient_mismatch": Level.STOP}
    assert refusing == findings
    assert "P2" in findings[0].sentence
    assert "P1" in findings[0].sentence


@pytest.mark.parametrize(("plan_id", "daily_id"), [(None, "P1"), ("P1", None), (None, None), ("", "P1"), ("P1", "  ")])
def test_a_patient_that_is_not_stated_is_said_and_refuses_nothing(plan_id, daily_id):
    findings, refusing = check_facts(facts(plan_id=plan_id, daily_id=daily_id))
    assert codes(findings) == {"patient_unknown": Level.INFORM}
    assert refusing == ()


def test_spaces_around_an_id_mean_nothing():
    assert fact_codes(daily_id=" P1 ") == {}


def test_a_shared_frame_of_reference_is_said():
    assert fact_codes(daily_frame="1.2.3") == {"shared_frame_of_reference": Level.INFORM}
    assert fact_codes(daily_frame=None, plan_frame=None) == {}


def test_an_image_after_another_correction_is_warned_of():
    assert fact_codes(machine=machine(pose=ImagePose.AFTER_CORRECTION)) == {"after_correction": Level.WARN}


@pytest.mark.parametrize(("of_machine", "of_protocol"), [(True, False), (False, True), (True, True)])
def test_research_is_marked(of_machine, of_protocol):
    found_here = check_facts(facts(machine=machine(research=of_machine), protocol=protocol(research=of_protocol)))[0]
    assert codes(found_here) == {"research_profile": Level.INFORM}
    assert ("c-arm-6dof" in found_here[0].sentence) is of_machine


def test_an_intended_shift_is_said():
    assert fact_codes(offset=(0.0, 0.0, 40.0)) == {"scan_offset": Level.INFORM}


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), {}),
        (timedelta(days=1), {}),
        (timedelta(days=1, microseconds=1), {"isocentre_check_expired": Level.STOP}),
        (timedelta(microseconds=-1), {"isocentre_check_future": Level.STOP}),
    ],
)
def test_the_isocentre_check_is_valid_for_its_days(age, expected):
    check = IsocentreCheck(checked_at=NOW - age, offset_mm=0.3)
    assert fact_codes(machine=machine(check=check)) == expected


def test_the_isocentre_check_is_missing_where_it_is_required_only():
    assert fact_codes(machine=machine(check=None)) == {"isocentre_check_missing": Level.STOP}
    assert fact_codes(machine=machine(check=None, required=False)) == {}


def test_the_isocentres_may_be_as_far_apart_as_the_limit():
    limit = MACHINE.tables.isocentre_check.limit_mm
    for offset, expected in ((limit, {}), (math.nextafter(limit, 9), {"isocentre_check_offset": Level.STOP})):
        assert fact_codes(machine=machine(check=IsocentreCheck(checked_at=NOW, offset_mm=offset))) == expected


def test_a_missed_isocentre_check_stops_but_refuses_no_match():
    assert check_facts(facts(machine=machine(check=None)))[1] == ()


def test_now_needs_a_time_zone():
    with pytest.raises(ValueError, match="without a time zone"):
        facts(now=datetime(2026, 3, 2))


@pytest.mark.parametrize("offset", [(0.0, 0.0), (math.nan, 0.0, 0.0)])
def test_an_intended_shift_is_three_finite_numbers(offset):
    with pytest.raises(InputError, match="scan_offset_mm"):
        facts(offset=offset)


# --------------------------------------------------------------------------------------------------------- proposal


@pytest.mark.parametrize(
    ("setup", "turn_deg", "expected"),
    [
        (still(lateral_mm=30.0, longitudinal_mm=40.0), 0.0, False),
        (still(lateral_mm=30.0, longitudinal_mm=40.001), 0.0, True),
        (still(), 10.0, False),
        (still(), math.nextafter(10.0, 11.0), True),
    ],
)
def test_beyond_the_resetup_limit_the_match_is_refused(setup, turn_deg, expected):
    _, refusing = check_proposal(facts(), proposal(setup=setup, turn_deg=turn_deg))
    assert bool(refusing) is expected


LEVELS = [(Level.INFORM, "inform"), (Level.WARN, "warn"), (Level.STOP, "stop")]


@pytest.mark.parametrize(("level", "key"), LEVELS)
def test_set_up_shift_just_inside_and_just_outside(level, key):
    limit = getattr(PROTOCOL.tables.setup.translation_mm, key)
    inside, outside = (proposal_codes(setup=still(vertical_mm=-value)) for value in (limit, math.nextafter(limit, 1e9)))
    assert outside["setup_translation"] is level
    assert inside.get("setup_translation") is not level


@pytest.mark.parametrize("axis", ["pitch_deg", "roll_deg", "yaw_deg"])
@pytest.mark.parametrize(("level", "key"), LEVELS)
def test_set_up_rotation_just_inside_and_just_outside(level, key, axis):
    limit = getattr(PROTOCOL.tables.setup.rotation_deg, key)
    inside, outside = (proposal_codes(setup=still(**{axis: -value})) for value in (limit, math.nextafter(limit, 1e9)))
    assert outside["setup_rotation"] is level
    assert inside.get("setup_rotation") is not level


@pytest.mark.parametrize("axis", ["lateral_mm", "longitudinal_mm", "vertical_mm"])
@pytest.mark.parametrize(("level", "key"), LEVELS)
def test_set_up_shift_along_one_axis_just_inside_and_just_outside(level, key, axis):
    tolerance = Tolerance(inform=1.0, warn=2.0, stop=3.0)
    judged = facts(protocol=protocol(axis=AxisTable(**{axis: tolerance})))
    limit = getattr(tolerance, key)
    inside, outside = (proposal_codes(judged, setup=still(**{axis: -value})) for value in (limit, math.nextafter(limit, 9)))
    assert outside["setup_axis"] is level
    assert inside.get("setup_axis") is not level


@pytest.mark.parametrize(("level", "key"), LEVELS)
@pytest.mark.parametrize("kind", [PointKind.TARGET, PointKind.ISOCENTRE, PointKind.ORGAN])
def test_residual_just_inside_and_just_outside(level, key, kind):
    table = PROTOCOL.tables.residual
    tolerance, code = (table.organ_mm, "residual_organ") if kind is PointKind.ORGAN else (table.target_mm, "residual_target")
    others = [residual(0.1)] if kind is PointKind.ORGAN else [ORGAN]
    limit = getattr(tolerance, key)
    inside, outside = (proposal_codes(residuals=[residual(v, kind), *others]) for v in (limit, math.nextafter(limit, 1e9)))
    assert outside[code] is level
    assert inside.get(code) is not level


def test_residual_and_uncertainty_are_judged_together():
    point = PointResidual(name="CTV, worst point", structure="CTV", kind=PointKind.TARGET, residual_mm=1.5, uncertainty95_mm=1.6)
    findings = check_proposal(facts(), proposal(residuals=[point, ORGAN]))[0]
    assert codes(findings) == {"residual_target": Level.STOP}
    assert findings[0].value == pytest.approx(3.1)


def test_the_worst_target_decides_and_each_organ_is_named():
    organs = [residual(2.5, PointKind.ORGAN, name) for name in ("Cord", "Lung")]
    findings = check_proposal(facts(), proposal(residuals=[residual(0.1, name="A"), residual(2.5, name="B"), *organs]))[0]
    assert [finding.code for finding in findings] == ["residual_target", "residual_organ", "residual_organ"]
    assert findings[0].sentence.startswith("After the couch's move B, worst point")


def test_limits_of_the_couch_are_named():
    findings = check_proposal(facts(), proposal(limited=("pitch", "roll")))[0]
    assert codes(findings) == {"couch_limited": Level.INFORM}
    assert "pitch, roll" in findings[0].sentence


@pytest.mark.parametrize("rule", [MatchRule.PTV, MatchRule.SEVERAL_PTV])
def test_a_ptv_that_stands_in_is_labelled(rule):
    assert proposal_codes(rule=rule) == {"match_point_ptv": Level.INFORM}


@pytest.mark.parametrize("level", list(Level))
def test_without_a_target_the_protocol_says_how_much_that_matters(level):
    target = msgspec.structs.replace(PROTOCOL.tables.target, missing=level)
    judged = facts(protocol=protocol(target=target))
    assert proposal_codes(judged, rule=MatchRule.ISOCENTRE) == {"match_point_isocentre": level}


def test_without_an_organ_the_output_says_so():
    assert proposal_codes(residuals=[residual(0.1)]) == {"no_organs": Level.INFORM}


# ------------------------------------------------------------------------------------------------------------ table


def test_every_check_says_in_words_what_it_checks():
    words = [check.what for check in CHECKS]
    assert len(set(words)) == len(words)
    assert [check.what for check in CHECKS if check.refuses] == ["patient of plan and daily image", "re-set-up limit"]
    assert any(isinstance(check, FactCheck) for check in CHECKS)


def test_a_finding_is_of_the_table():
    with pytest.raises(KeyError):
        found("no_such_code", "A sentence.", level=Level.STOP)


def test_every_code_has_a_meaning_and_a_remedy():
    for code, row in CODES.items():
        assert code == code.lower()
        assert len(row.meaning) > 10
        assert len(row.remedy) > 10
