"""Every rule of the table, one row each: just inside is released, just outside is denied, missing and NaN are denied."""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.guard.decision import Denied, Released
from igrt.guard.request import Override
from igrt.guard.table import RULES
from tests.unit.guard.guard_cases import BOOT, TODAY, TOKEN, decided, look_at, make_case, reasons, spoiled

CASE = make_case()
SIMULATED = make_case(simulated=True, research=True)
BY_NAME = Override(by="Dr. Physicist", why="bowel gas, seen in the image")


def plus(path, amount):
    return path, look_at(CASE, path) + amount


def shifted(path, index, amount):
    values = list(look_at(CASE, path))
    values[index] += amount
    return path, tuple(values)


def bent(path, *, rotation=None, translation_mm=None):
    """A motion forged past its own checks."""
    motion = look_at(CASE, path)
    forged = motion if rotation is None else spoiled(motion, "rotation", motion.rotation + rotation)
    return path, forged if translation_mm is None else spoiled(forged, "translation_mm", motion.translation_mm + translation_mm)


def stretched(factor):
    motion = CASE.request.made
    return "request.made", spoiled(motion, "rotation", motion.rotation * factor)


def between(path, target, source):
    motion = look_at(CASE, path)
    return path, RigidMotion(target, source, motion.rotation, motion.translation_mm)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`inside` and `outside` are single changes `(path, value)`, or several made together; `needs` are the fields that must be there."""

    inside: tuple = ()
    outside: tuple
    needs: tuple = ()
    base: object = field(default=CASE, repr=False)


READINGS = ("request.couch_at_scan_start", "request.couch_at_scan_end", "request.couch_at_claim")
LOADED, PROPOSED = "request.linac.loaded", "request.proposed"
MOTIONS = ("request.plan_from_daily", "request.correction", "request.made")
MOMENTS = (
    *(f"{reading}.at" for reading in READINGS),
    "request.proposed_at",
    "request.approval.at",
    "request.linac.at",
    "now.monotonic",
)
QA = "request.records.1"


def same(name, other):
    """A row for a text that both sides must hold alike."""
    return Row(
        inside=(((f"{LOADED}.{name}", other), (f"{PROPOSED}.{name}", other)),),
        outside=((f"{LOADED}.{name}", other), (f"{PROPOSED}.{name}", other), (f"{LOADED}.{name}", " "), (f"{LOADED}.{name}", 7)),
        needs=(f"{LOADED}.{name}", f"{PROPOSED}.{name}", "request.linac.loaded", "request.linac", "request.proposed"),
    )


ROWS = {
    "units": Row(
        outside=(("request.units.length", "cm"), ("request.units.angle", "rad"), ("request.units.couch_scale", "varian_standard")),
        needs=("request.units", "request.units.length", "request.units.angle", "request.units.couch_scale"),
    ),
    "frames": Row(
        outside=(
            between("request.plan_from_daily", Frame.DAILY, Frame.PLAN),
            between("request.plan_from_daily", Frame.PLAN, Frame.PLAN),
            between("request.correction", Frame.COUCH, Frame.FIXED),
            between("request.made", Frame.FIXED, Frame.COUCH),
            ("request.made", "fixed_from_fixed"),
        ),
        needs=MOTIONS,
    ),
    "rigid": Row(
        inside=(stretched(1.0 + 4e-7), stretched(1.0 - 4e-7)),
        outside=(
            stretched(1.0 + 6e-7),
            stretched(1.0 - 6e-7),
            bent("request.made", rotation=[[0, 2e-6, 0], [0, 0, 0], [0, 0, 0]]),
            bent("request.made", rotation=[[0, 0, 2e-6], [0, 0, 0], [0, 0, 0]]),
            bent("request.made", rotation=[[0, 0, 0], [0, 0, 2e-6], [0, 0, 0]]),
            bent("request.plan_from_daily", rotation=[[0, 0, math.nan], [0, 0, 0], [0, 0, 0]]),
            bent("request.correction", translation_mm=[math.nan, 0, 0]),
            bent("request.correction", translation_mm=[0, 0, math.inf]),
            ("request.made", spoiled(CASE.request.made, "rotation", -CASE.request.made.rotation)),
            ("request.made", spoiled(CASE.request.made, "rotation", np.diag([1.0, 1.0, -(1.0 - 4e-7)]))),
            *(
                ("request.made", spoiled(CASE.request.made, "rotation", np.diag([1.0 + 1e-5 * (axis == row) for axis in range(3)])))
                for row in range(3)
            ),
            ("request.made", spoiled(CASE.request.made, "rotation", 1.1 * rotation_from_angles(pitch_deg=40, roll_deg=50, yaw_deg=60))),
        ),
        needs=MOTIONS,
    ),
    "patient": same("patient_id", "ID-8"),
    "plan": Row(
        inside=(((f"{LOADED}.plan_revision", "rev-3"), (f"{PROPOSED}.plan_revision", "rev-3")),),
        outside=((f"{LOADED}.plan_uid", "1.2.4"), (f"{LOADED}.plan_revision", "rev-1"), (f"{PROPOSED}.plan_revision", "rev-3")),
        needs=tuple(f"{side}.{name}" for side in (LOADED, PROPOSED) for name in ("plan_uid", "plan_revision")),
    ),
    "plan_approval": Row(
        outside=(
            (f"{LOADED}.plan_approval", "UNAPPROVED"),
            (f"{PROPOSED}.plan_approval", "REJECTED"),
            ((f"{LOADED}.plan_approval", "REJECTED"), (f"{PROPOSED}.plan_approval", "REJECTED")),
            (f"{LOADED}.plan_approval", "approved"),
        ),
        needs=(f"{LOADED}.plan_approval", f"{PROPOSED}.plan_approval"),
    ),
    "fraction": Row(
        inside=(((f"{LOADED}.fraction", 1), (f"{PROPOSED}.fraction", 1)),),
        outside=(
            plus(f"{LOADED}.fraction", 1),
            plus(f"{PROPOSED}.fraction", -1),
            (f"{LOADED}.fraction", 4.0),
            ((f"{LOADED}.fraction", True), (f"{PROPOSED}.fraction", True)),
            ((f"{LOADED}.fraction", 0), (f"{PROPOSED}.fraction", 0)),
        ),
        needs=(f"{LOADED}.fraction", f"{PROPOSED}.fraction"),
    ),
    "isocentre": Row(
        inside=(shifted(f"{LOADED}.isocentre_mm", 0, 0.099), shifted(f"{LOADED}.isocentre_mm", 2, -0.099)),
        outside=(
            shifted(f"{LOADED}.isocentre_mm", 0, 0.101),
            shifted(f"{LOADED}.isocentre_mm", 1, 0.101),
            shifted(f"{LOADED}.isocentre_mm", 2, -0.101),
            (f"{LOADED}.isocentre_mm", [12.0, -34.0, 56.0]),
            (f"{LOADED}.isocentre_mm", (12.0, -34.0)),
            (f"{LOADED}.isocentre_mm", (12.0, math.nan, 56.0)),
            (f"{LOADED}.isocentre_mm", (12.0, "-34", 56.0)),
        ),
        needs=(f"{LOADED}.isocentre_mm", f"{PROPOSED}.isocentre_mm"),
    ),
    "beam": same("beam", "arc 2"),
    "machine": Row(
        outside=(
            (f"{LOADED}.machine", "linac-4"),
            (f"{PROPOSED}.machine", "linac-4"),
            ("policy.machine", "linac-4"),
            ((f"{LOADED}.machine", "linac-4"), (f"{PROPOSED}.machine", "linac-4")),
        ),
        needs=(f"{LOADED}.machine", f"{PROPOSED}.machine"),
    ),
    "patient_position": Row(
        outside=(
            ("request.daily_position", PatientPosition.HFP),
            ("request.plan_position", PatientPosition.FFS),
            ("request.daily_position", "HFS"),
        ),
        needs=("request.plan_position", "request.daily_position"),
    ),
    "couch_model": Row(outside=(("request.couch_model", "another"),), needs=("request.couch_model",)),
    "couch_unmoved": Row(
        inside=(
            tuple(  # readings about 90, whose sums with one another wrap
                (f"{path}.yaw_deg", 90.05 if path == "request.couch_at_claim.position" else 89.95)
                for path in ("request.start", *(f"{reading}.position" for reading in READINGS))
            ),
            plus("request.couch_at_claim.position.lateral_mm", 0.499),
            plus("request.couch_at_scan_start.position.longitudinal_mm", -0.499),
            plus("request.couch_at_scan_end.position.yaw_deg", 0.199),
            plus("request.couch_at_claim.position.pitch_deg", 359.9),
            plus("request.couch_at_claim.position.roll_deg", -360.1),
            plus("request.couch_at_claim.table_angle_deg", -360.0),
        ),
        outside=(
            *(
                plus(f"{reading}.position.{name}", 0.501)
                for reading in READINGS
                for name in ("lateral_mm", "longitudinal_mm", "vertical_mm")
            ),
            *(plus(f"{reading}.position.{name}", -0.201) for reading in READINGS for name in ("pitch_deg", "roll_deg", "yaw_deg")),
            *(plus(f"{reading}.table_angle_deg", 0.201) for reading in READINGS),
            plus("request.couch_at_claim.position.yaw_deg", 180.0),
            plus("request.start.vertical_mm", 0.501),
            (
                plus("request.couch_at_scan_start.position.lateral_mm", 0.3),
                plus("request.couch_at_claim.position.lateral_mm", -0.3),
            ),
        ),
        needs=(
            "request.start",
            *READINGS,
            *(f"{reading}.position" for reading in READINGS),
            *(f"{reading}.position.{name}" for reading in READINGS for name in ("lateral_mm", "vertical_mm", "roll_deg")),
            *(f"{reading}.table_angle_deg" for reading in READINGS),
        ),
    ),
    "table_angle": Row(
        inside=(
            plus("request.couch_at_claim.table_angle_deg", 0.199),
            plus("request.couch_at_claim.table_angle_deg", 359.9),
        ),
        outside=(
            plus("request.couch_at_claim.table_angle_deg", 0.201),
            plus("request.couch_at_scan_start.table_angle_deg", -0.201),
            plus("request.image_table_angle_deg", 0.201),
            plus("request.image_table_angle_deg", -0.201),
            plus("request.table_angle_deg", 10.41),
            plus("request.table_angle_deg", -9.61),
            ("request.table_angle_deg", math.radians(30.0)),
        ),
        needs=(
            "request.table_angle_deg",
            "request.image_table_angle_deg",
            *(f"{reading}.table_angle_deg" for reading in READINGS),
            *(f"{reading}.position.yaw_deg" for reading in READINGS),
        ),
    ),
    "travel": Row(
        outside=(
            ("request.target.lateral_mm", 250.1),
            ("request.target.longitudinal_mm", -1500.1),
            ("request.target.vertical_mm", 50.1),
            ("request.target.pitch_deg", 3.1),
            ("request.target.roll_deg", -3.1),
            ("request.target.yaw_deg", 95.1),
            ("request.target.yaw_deg", 392.0),
        ),
        needs=("request.target", "request.target.lateral_mm", "request.target.pitch_deg", "request.target.yaw_deg"),
    ),
    "steps": Row(
        inside=(plus("request.target.lateral_mm", 9e-7),),
        outside=(
            plus("request.target.lateral_mm", 2e-6),
            plus("request.target.vertical_mm", -2e-6),
            plus("request.target.roll_deg", 0.05),
            plus("request.target.yaw_deg", 0.01),
        ),
        needs=("request.target", "request.target.longitudinal_mm", "request.target.roll_deg"),
    ),
    "held_axes": Row(
        base=(FOUR := make_case(model=replace(CASE.policy.couch, degrees_of_freedom=4))),
        inside=(
            ("request.target.pitch_deg", FOUR.request.start.pitch_deg + 9e-7),
            ("request.target.roll_deg", FOUR.request.start.roll_deg + 360.0),
        ),
        outside=(
            ("request.target.pitch_deg", FOUR.request.start.pitch_deg + 2e-6),
            ("request.target.roll_deg", 0.0),
            ("request.target.pitch_deg", 0.0),
        ),
        needs=("request.start", "request.target", "request.start.pitch_deg", "request.target.roll_deg"),
    ),
    "isocentre_height": Row(
        outside=(
            ("request.start.vertical_mm", -15.12),
            ("request.target.vertical_mm", -15.12),
            ("request.start.vertical_mm", 848.8),
            ("request.start.vertical_mm", 0.0),
            ("request.start.vertical_mm", -400.0),
        ),
        needs=("request.start", "request.target", "request.start.vertical_mm", "request.target.roll_deg", "request.image_table_angle_deg"),
    ),
    "size": Row(
        outside=(
            bent("request.correction", translation_mm=[100.0, 0, 0]),
            bent("request.made", translation_mm=[0, -100.0, 0]),
            bent("request.made", translation_mm=[0, 0, -100.0]),
            ("request.made", spoiled(CASE.request.made, "rotation", rotation_from_angles(pitch_deg=4, roll_deg=5, yaw_deg=9))),
        ),
        needs=("request.correction", "request.made"),
    ),
    "correction_follows": Row(
        inside=(bent("request.correction", translation_mm=[0.06, 0, 0.06]),),
        outside=(
            bent("request.correction", translation_mm=[0.101, 0, 0]),
            bent("request.correction", translation_mm=[0, 0, -0.101]),
            bent("request.plan_from_daily", translation_mm=[0, 0.101, 0]),
            ("request.daily_isocentre_mm", (3.0, -7.0, 11.2)),
            (f"{PROPOSED}.isocentre_mm", (12.2, -34.0, 56.0)),
        ),
        needs=(
            *MOTIONS[:2],
            "request.daily_isocentre_mm",
            f"{PROPOSED}.isocentre_mm",
            "request.plan_position",
            "request.image_axes",
            "request.table_angle_deg",
            "request.image_table_angle_deg",
        ),
    ),
    "move_follows": Row(
        inside=(bent("request.made", translation_mm=[0, 0.099, 0]),),
        outside=(
            bent("request.made", translation_mm=[0, 0.101, 0]),
            plus("request.target.lateral_mm", 0.2),
            plus("request.target.pitch_deg", 0.1),
        ),
        needs=("request.made", "request.start", "request.target", "request.target.vertical_mm", "request.start.roll_deg"),
    ),
    "promise_kept": Row(
        inside=(
            (
                "request.promised_residuals_mm.2",
                (*CASE.request.promised_residuals_mm[2][:2], CASE.request.promised_residuals_mm[2][2] + 0.099),
            ),
        ),
        outside=(
            *(
                (f"request.promised_residuals_mm.{i}", tuple(v + (0.101 if k == i % 3 else 0) for k, v in enumerate(promise)))
                for i, promise in enumerate(CASE.request.promised_residuals_mm)
            ),
            ("request.promised_residuals_mm", CASE.request.promised_residuals_mm[:3]),
            ("request.promised_residuals_mm", (*CASE.request.promised_residuals_mm, (0.0, 0.0, 0.0))),
            ("request.promised_residuals_mm", list(CASE.request.promised_residuals_mm)),
            ("request.promised_residuals_mm.3", (math.nan, 0.0, 0.0)),
        ),
        needs=("request.promised_residuals_mm", "request.promised_residuals_mm.0", "request.target", "request.start"),
    ),
    "residual": Row(
        outside=(plus("request.target.lateral_mm", 15.3), plus("request.target.pitch_deg", 3.0)),
        needs=("request.start", "request.target", "request.plan_from_daily"),
    ),
    "one_clock": Row(
        inside=(tuple((f"{moment}.clock", "boot-5") for moment in MOMENTS),),
        outside=tuple((f"{moment}.clock", "boot-5") for moment in MOMENTS),
        needs=(*MOMENTS, *(f"{moment}.clock" for moment in MOMENTS)),
    ),
    "in_order": Row(
        inside=(
            ("request.couch_at_scan_start.at.at_s", 860.0),
            ("request.proposed_at.at_s", 860.0),
            ("request.proposed_at.at_s", 900.0),
            ("request.linac.at.at_s", 1000.0),
            ("request.couch_at_claim.at.at_s", 1000.0),
        ),
        outside=(
            ("request.couch_at_scan_start.at.at_s", 860.001),
            ("request.couch_at_scan_end.at.at_s", 875.001),
            ("request.proposed_at.at_s", 900.001),
            ("request.approval.at.at_s", 999.001),
            (("request.approval.at.at_s", 999.2), ("request.linac.at.at_s", 999.4), ("request.couch_at_claim.at.at_s", 999.1)),
            ("request.linac.at.at_s", 1000.001),
            ("request.couch_at_claim.at.at_s", 1000.001),
            ("now.monotonic.at_s", 999.4),
            ("now.monotonic.at_s", -5.0),
        ),
        needs=tuple(f"{moment}.at_s" for moment in MOMENTS),
    ),
    "expiry": Row(
        inside=(
            tuple((f"{moment}.at_s", 1160.0) for moment in MOMENTS[4:] + MOMENTS[2:3]),
            (("request.couch_at_scan_start.at.at_s", 560.0),),
        ),
        outside=(
            tuple((f"{moment}.at_s", 1160.001) for moment in MOMENTS[4:] + MOMENTS[2:3]),
            ("request.couch_at_scan_start.at.at_s", 559.999),
            ("now.monotonic.at_s", 859.9),
        ),
        needs=(
            "request.couch_at_scan_start.at.at_s",
            "request.couch_at_scan_end.at.at_s",
            "now.monotonic.at_s",
            "request.couch_at_scan_end.at",
        ),
    ),
    "fresh_report": Row(
        inside=(("request.linac.at.at_s", 995.0), ("request.couch_at_claim.at.at_s", 995.0), ("request.couch_at_claim.at.at_s", 1000.0)),
        outside=(
            ("request.linac.at.at_s", 994.999),
            ("request.couch_at_claim.at.at_s", 994.999),
            ("request.couch_at_claim.at.at_s", 1000.001),
        ),
        needs=("request.linac.at.at_s", "request.couch_at_claim.at.at_s", "now.monotonic.at_s", "request.linac", "request.couch_at_claim"),
    ),
    "records": Row(
        inside=(
            (f"{QA}.done_at", TODAY - timedelta(days=1)),
            (f"{QA}.done_at", TODAY),
            (f"{QA}.done_at", (TODAY - timedelta(hours=23)).astimezone(timezone(timedelta(hours=9)))),
            ("request.records.0.done_at", TODAY - timedelta(days=365)),
        ),
        outside=(
            (f"{QA}.done_at", TODAY - timedelta(days=1, seconds=1)),
            (f"{QA}.done_at", TODAY + timedelta(seconds=1)),
            (f"{QA}.done_at", datetime(2026, 3, 2, 7, 0)),
            (f"{QA}.done_at", "2026-03-02T07:00:00Z"),
            ("now.utc", datetime(2026, 3, 2, 9, 0)),
            ("now.utc", datetime(2026, 3, 1, 9, 0, tzinfo=UTC)),
            (f"{QA}.passed", False),
            (f"{QA}.passed", "yes"),
            (f"{QA}.machine", "linac-4"),
            (f"{QA}.name", "weekly_qa"),
            ("request.records", CASE.request.records[:1]),
            ("request.records", CASE.request.records[1:]),
            ("request.records", (*CASE.request.records, CASE.request.records[1])),
            ("request.records", list(CASE.request.records)),
            (QA, "daily_qa"),
        ),
        needs=("request.records", QA, f"{QA}.done_at", f"{QA}.passed", f"{QA}.machine", f"{QA}.name", "now.utc"),
    ),
    "state": Row(
        outside=tuple(("request.state", name) for name in ("proposed", "claimed", "expired", "withdrawn", "Approved", "", 1)),
        needs=("request.state",),
    ),
    "approval": Row(
        inside=(("request.approval.by", "B. Therapist"),),
        outside=(
            ("request.approval.by", " "),
            ("request.approval.proposal_id", "proposal-8"),
            ("request.claim.proposal_id", "proposal-8"),
            ("request.proposal_id", "proposal-10"),
        ),
        needs=(
            "request.approval",
            "request.approval.by",
            "request.proposal_id",
            "request.approval.proposal_id",
            "request.claim.proposal_id",
        ),
    ),
    "approver_real": Row(
        outside=(("request.approval.simulated", True), ("request.approval.simulated", 0)),
        needs=("request.approval.simulated", "request.approval"),
    ),
    "outcome": Row(outside=(("request.outcome", "partial"), ("request.outcome", "refused")), needs=("request.outcome",)),
    "verdict": Row(
        inside=(("request.verdict", "caution"), (("request.verdict", "stop"), ("request.override", BY_NAME))),
        outside=(
            ("request.verdict", "stop"),
            ("request.verdict", "refused"),
            ("request.verdict", "PROCEED"),
            (("request.verdict", "refused"), ("request.override", BY_NAME)),
            (("request.verdict", "stop"), ("request.override", replace(BY_NAME, by=None))),
            (("request.verdict", "stop"), ("request.override", replace(BY_NAME, why=" "))),
            ("request.override", BY_NAME),
        ),
        needs=("request.verdict",),
    ),
    "newest_image": Row(
        outside=(("request.image_id", "image-1"), ("request.newest_image_id", "image-3")),
        needs=("request.image_id", "request.newest_image_id"),
    ),
    "token": Row(
        inside=((("request.claim.token", "é" * 32), ("request.claim.issued_token", "é" * 32)),),
        outside=(
            ("request.claim.token", "u" * 32),
            ("request.claim.token", TOKEN + "t"),
            ("request.claim.issued_token", "u" * 32),
            ("request.claim.issued_token", "t" * 31),
            (("request.claim.token", ""), ("request.claim.issued_token", "")),
            (("request.claim.token", "t" * 31), ("request.claim.issued_token", "t" * 31)),
            (("request.claim.token", None), ("request.claim.issued_token", None)),
            ("request.claim.token", TOKEN.encode()),
        ),
        needs=("request.claim", "request.claim.token", "request.claim.issued_token"),
    ),
    "token_unused": Row(
        outside=(("request.claim.token_used", True), ("request.claim.token_used", 0), ("request.claim.token_used", "")),
        needs=("request.claim.token_used", "request.claim"),
    ),
    "beam_off": Row(
        outside=(("request.linac.beam_on", True), ("request.linac.beam_on", 0)), needs=("request.linac.beam_on", "request.linac")
    ),
    "same_reality": Row(
        outside=(("request.linac.simulated", True), ("request.linac.simulated", 0)), needs=("request.linac.simulated", "request.linac")
    ),
    "research": Row(outside=(("request.research", True), ("policy.research", True)), needs=("request.research",)),
}


def broken_in_turn():
    """`(rule, index of the change, sentence)` of each change outside its rule, every sentence of that rule."""
    for name, row in ROWS.items():
        for index, change in enumerate(row.outside):
            for sentence in reasons(changed(row, change))[name]:
                yield name, index, sentence


def changed(row, change):
    case = row.base
    for path, value in (change,) if isinstance(change[0], str) else change:
        case = spoiled(case, path, value)
    return case


def each(kind):
    return [
        pytest.param(name, change, id=f"{name}-{index}") for name, row in ROWS.items() for index, change in enumerate(getattr(row, kind))
    ]


def test_every_rule_has_a_row_that_can_fail_in_every_way():
    assert list(ROWS) == [rule.name for rule in RULES]
    assert all(row.outside and row.needs for row in ROWS.values())


@pytest.mark.parametrize("case", [CASE, SIMULATED, FOUR], ids=["real", "simulated", "four axes"])
def test_a_request_that_is_right_in_everything_is_released(case):
    decision = decided(case)
    assert isinstance(decision, Released)
    assert (decision.target, decision.start, decision.correction) == (case.request.target, case.request.start, case.request.correction)
    assert (decision.proposal_id, decision.machine, decision.table_angle_deg) == ("proposal-9", "linac-3", 30.0)
    assert (decision.at.clock, decision.at.at_s) == (BOOT, 1000.0)


@pytest.mark.parametrize(("rule", "change"), each("inside"))
def test_just_inside_the_rule_holds(rule, change):
    assert rule not in reasons(changed(ROWS[rule], change))


# What leaves other rules untouched is released whole, so that "inside" means more than "denied for something else".
@pytest.mark.parametrize(
    ("rule", "change"),
    [
        param
        for param in each("inside")
        if param.values[0] not in ("rigid", "table_angle", "couch_unmoved", "correction_follows", "held_axes")
    ],
)
def test_just_inside_is_released(rule, change):
    assert reasons(changed(ROWS[rule], change)) == {}


@pytest.mark.parametrize(("rule", "change"), each("outside"))
def test_just_outside_is_denied_by_this_rule(rule, change):
    case = changed(ROWS[rule], change)
    assert isinstance(decided(case), Denied)
    assert rule in reasons(case)


@pytest.mark.parametrize(("rule", "path"), each("needs"))
def test_what_is_missing_or_no_value_is_denied_by_this_rule_and_named(rule, path):
    for nothing in (None, math.nan, math.inf, " ", object()):
        found = reasons(spoiled(ROWS[rule].base, path, nothing))
        assert rule in found, nothing
        named = path.removeprefix("request.").replace("records.1", "records[daily_qa]").replace("mm.0", "mm[0]")
        owner = named.removesuffix(".name")  # a record without a name is a record that is not there
        assert any(sentence.startswith(owner) for sentence in found[rule]), found[rule]


def test_a_number_of_the_policy_that_is_not_a_number_denies():
    for limit in (
        "couch_shift_mm",
        "couch_turn_deg",
        "isocentre_mm",
        "landmark_mm",
        "residual_mm",
        "lifetime_s",
        "report_age_s",
        "largest_turn_deg",
    ):
        assert isinstance(decided(spoiled(CASE, f"policy.{limit}", math.nan)), Denied), limit
        assert isinstance(decided(spoiled(CASE, f"policy.{limit}", None)), Denied), limit
