"""Requests that the guard releases, built with geometry as the engine builds them; and ways to spoil one field of them."""

from copy import copy
from datetime import UTC, datetime, timedelta

from igrt.geometry.couch import couch_move, residuals_mm
from igrt.geometry.couch_model import AxisRange, CouchModel, CouchPosition, YawAxis
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, fixed_from_daily, fixed_from_plan
from igrt.guard.decision import Denied, decide
from igrt.guard.facts import Case
from igrt.guard.landmarks import LANDMARKS_MM
from igrt.guard.policy import CALIBRATION, DAILY_QA, Policy, RequiredRecord
from igrt.guard.request import Approval, Claim, CouchReading, LinacReport, Moment, Now, Record, ReleaseRequest, Treatment, Units

BOOT = "boot-4f1c"
TODAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN = "t" * 32
ISOCENTRE_MM = (12.0, -34.0, 56.0)
DAILY_ISOCENTRE_MM = (3.0, -7.0, 11.0)
ERROR = Correction(lateral_mm=3.2, longitudinal_mm=-6.1, vertical_mm=-4.3, pitch_deg=1.1, roll_deg=-0.7, yaw_deg=1.6)


def couch(*, degrees_of_freedom=6, yaw_axis=YawAxis.TURNTABLE, axis_mm=(0.0, 0.0, 0.0), step=0.1):
    def to(limit, lowest=None):
        return AxisRange(minimum=-limit if lowest is None else lowest, maximum=limit, step=step)

    return CouchModel(
        name="six-axis couch",
        degrees_of_freedom=degrees_of_freedom,
        yaw_axis=yaw_axis,
        lateral=to(250.0),
        longitudinal=to(200.0, -1500.0),
        vertical=to(50.0, -600.0),
        pitch=to(3.0),
        roll=to(3.0),
        yaw=to(95.0) if yaw_axis is YawAxis.TURNTABLE else to(3.0),
        turntable_axis_mm=axis_mm,
    )


def at(lateral=20.1, longitudinal=-612.3, vertical=-151.2, pitch=0.8, roll=-0.6, yaw=0.4):
    return CouchPosition(
        lateral_mm=lateral, longitudinal_mm=longitudinal, vertical_mm=vertical, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw
    )


def make_case(
    *,
    model=None,
    position=PatientPosition.HFS,
    table_angle_deg=30.0,
    image_axes=ImageAxes.TABLE,
    start=None,
    error=ERROR,
    reference_mm=(20.0, -10.0, 30.0),
    simulated=False,
    research=False,
):
    """A case that is released; `start.yaw_deg` is relative to the table angle for a turntable that yaws."""
    model, start = model or couch(), start or at()
    if model.yaw_axis is YawAxis.TURNTABLE:
        start = at(
            start.lateral_mm, start.longitudinal_mm, start.vertical_mm, start.pitch_deg, start.roll_deg, start.yaw_deg + table_angle_deg
        )
    goal = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=position, table_angle_deg=table_angle_deg)
    turntable = start.yaw_deg if model.yaw_axis is YawAxis.TURNTABLE else table_angle_deg
    now = fixed_from_daily(isocentre_mm=DAILY_ISOCENTRE_MM, position=position, table_angle_deg=turntable, image_axes=image_axes)
    correction = error.motion
    move = couch_move(correction, model=model, reference_mm=reference_mm, scatter_mm2=None, start=start, table_angle_deg=turntable)
    promised = residuals_mm(correction, move.motion, correction.inverse().apply(LANDMARKS_MM))
    treatment = Treatment(
        patient_id="ID-7",
        plan_uid="1.2.3",
        plan_revision="rev-2",
        plan_approval="APPROVED",
        fraction=4,
        isocentre_mm=ISOCENTRE_MM,
        beam="arc 1",
        machine="linac-3",
    )

    def reading(at_s):
        return CouchReading(position=start, table_angle_deg=turntable, at=Moment(clock=BOOT, at_s=at_s))

    request = ReleaseRequest(
        proposal_id="proposal-9",
        state="approved",
        outcome="accepted",
        verdict="proceed",
        override=None,
        approval=Approval(proposal_id="proposal-9", by="A. Therapist", at=Moment(clock=BOOT, at_s=900.0), simulated=False),
        claim=Claim(proposal_id="proposal-9", token=TOKEN, issued_token=TOKEN, token_used=False),
        research=research,
        units=Units(length="mm", angle="deg", couch_scale="iec61217"),
        proposed=treatment,
        linac=LinacReport(loaded=treatment, beam_on=False, simulated=simulated, at=Moment(clock=BOOT, at_s=999.0)),
        records=(
            Record(name=CALIBRATION, machine="linac-3", done_at=TODAY - timedelta(days=30), passed=True),
            Record(name=DAILY_QA, machine="linac-3", done_at=TODAY - timedelta(hours=2), passed=True),
        ),
        image_id="image-2",
        newest_image_id="image-2",
        plan_position=position,
        daily_position=position,
        daily_isocentre_mm=DAILY_ISOCENTRE_MM,
        image_axes=image_axes,
        table_angle_deg=table_angle_deg,
        image_table_angle_deg=turntable,
        plan_from_daily=goal.inverse() @ correction @ now,
        correction=correction,
        made=move.motion,
        couch_model=model.name,
        couch_at_scan_start=reading(800.0),
        couch_at_scan_end=reading(860.0),
        couch_at_claim=reading(999.5),
        start=start,
        target=move.target,
        promised_residuals_mm=tuple((x, y, z) for x, y, z in promised.tolist()),
        proposed_at=Moment(clock=BOOT, at_s=875.0),
    )
    policy = Policy(
        machine="linac-3",
        simulated=simulated,
        research=research,
        couch=model,
        required=(RequiredRecord(name=CALIBRATION, valid_days=365.0), RequiredRecord(name=DAILY_QA, valid_days=1.0)),
    )
    return Case(request=request, policy=policy, now=Now(monotonic=Moment(clock=BOOT, at_s=1000.0), utc=TODAY))


def look_at(root, path):
    """The value at a path such as `request.records.1.passed`."""
    for name in path.split("."):
        root = root[int(name)] if name.isdigit() else getattr(root, name)
    return root


def spoiled(root, path, value):
    """A copy with one field forged, past every check that its type makes when it is built."""
    name, _, rest = path.partition(".")
    if name.isdigit():
        index = int(name)
        return (*root[:index], spoiled(root[index], rest, value) if rest else value, *root[index + 1 :])
    forged = copy(root)
    object.__setattr__(forged, name, spoiled(getattr(root, name), rest, value) if rest else value)
    return forged


def decided(case):
    return decide(case.request, case.policy, now=case.now)


def reasons(case):
    """`{rule: [sentences]}` of a denial; empty where released."""
    decision = decided(case)
    found = {}
    if isinstance(decision, Denied):
        for reason in decision.reasons:
            found.setdefault(reason.rule, []).append(reason.sentence)
    return found


CASE_MOTION = ERROR.motion
