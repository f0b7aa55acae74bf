"""What the guard is asked at a claim: everything that is known, right or wrong. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from igrt.bus import messages as m
from igrt.engine.chain import Chain, Reading
from igrt.engine.tasks import PlanReady
from igrt.geometry.angles import wrap_deg
from igrt.geometry.couch import residuals_mm
from igrt.geometry.couch_model import CouchPosition, YawAxis
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes
from igrt.guard.landmarks import LANDMARKS_MM
from igrt.guard.request import (
    Approval,
    Claim,
    CouchReading,
    LinacReport,
    Moment,
    Override,
    Point,
    Record,
    ReleaseRequest,
    Treatment,
    Units,
)
from igrt.verification.machine import MachineProfile
from igrt.verification.record import RADIOGRAPHS

AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What a request is built from; `clock` names the clock that every time in it is of, `token` is the one that was issued."""

    state: str
    newest_image_id: str | None
    result: m.Proposal | m.Refusal | m.ImageFailed | None
    chain: Chain
    plan: PlanReady
    fraction: int | None
    profile: MachineProfile
    records: tuple[Record, ...]
    clock: str
    claim: m.Claim
    claimed_s: float
    token: str
    token_used: bool


def release_request(facts: Facts) -> ReleaseRequest:
    """The request; what is not known is None, which the guard denies."""
    chain, proposal = facts.chain, facts.result if isinstance(facts.result, m.Proposal) else None
    answer: dict[str, Any] = proposal.answer if proposal else {}
    couch: dict[str, Any] = answer.get("couch") or {}
    correction, made = _motion(answer.get("correction")), _motion(couch.get("made"))
    return ReleaseRequest(
        proposal_id=proposal.proposal_id if proposal else None,
        state=facts.state,
        outcome=answer.get("outcome"),
        verdict=answer.get("verdict"),
        override=_override(chain.approved),
        approval=_approval(facts, chain.approved),
        claim=Claim(proposal_id=facts.claim.proposal_id, token=facts.claim.token, issued_token=facts.token, token_used=facts.token_used),
        research=answer.get("research"),
        units=_units(chain.machine),
        proposed=_proposed(facts, answer),
        linac=_linac(facts, chain.machine),
        records=facts.records,
        image_id=proposal.image_id if proposal else None,
        newest_image_id=facts.newest_image_id,
        plan_position=facts.plan.position,
        daily_position=PatientPosition(answer["position"]) if "position" in answer else None,
        daily_isocentre_mm=_point(answer.get("daily_isocentre_mm")),
        image_axes=_image_axes(facts.profile, answer),
        table_angle_deg=answer.get("table_angle_deg"),
        image_table_angle_deg=answer.get("image_table_angle_deg"),
        plan_from_daily=_pose(answer.get("plan_from_daily")),
        correction=correction,
        made=made,
        couch_model=couch.get("model"),
        couch_at_scan_start=_reading(facts, chain.scan_start),
        couch_at_scan_end=_reading(facts, chain.scan_end),
        couch_at_claim=_reading(facts, _at_claim(facts)),
        start=known_position(chain.scan_start.couch) if chain.scan_start else None,
        target=_target(couch.get("target")),
        promised_residuals_mm=_promised(correction, made),
        proposed_at=Moment(clock=facts.clock, at_s=proposal.published_monotonic_s) if proposal else None,
    )


def difference(couch: m.CouchReadout, target: m.CouchReadout) -> m.CouchReadout:
    """Axis by axis, `couch` less `target`; angles within half a turn."""
    apart = {name: getattr(couch, name) - getattr(target, name) for name in AXES}
    return m.CouchReadout(
        **{name: wrap_deg(value) if name.endswith("_deg") and math.isfinite(value) else value for name, value in apart.items()}
    )


def position(readout: m.CouchReadout) -> CouchPosition:
    """A position from the bus."""
    return CouchPosition(**{name: getattr(readout, name) for name in AXES})


def known_position(readout: m.CouchReadout | None) -> CouchPosition | None:
    """None where there is none, or an axis does not read a number."""
    if readout is None or not all(math.isfinite(getattr(readout, name)) for name in AXES):
        return None
    return position(readout)


def readout(couch: CouchPosition, *, table_angle_deg: float | None = None) -> m.CouchReadout:
    """A position for the bus."""
    return m.CouchReadout(**{name: getattr(couch, name) for name in AXES}, table_angle_deg=table_angle_deg)


def correction_of(axes: dict[str, Any]) -> Correction:
    """A correction from its JSON object."""
    return Correction(**{name: axes[name] for name in AXES})


def _image_axes(profile: MachineProfile, answer: dict[str, Any]) -> ImageAxes:
    """The profile's word on a volume; radiographs stay with the room whatever the table does."""
    return ImageAxes.ROOM if answer.get("modality") == RADIOGRAPHS else profile.tables.image.axes_at_table_angle


def _motion(axes: dict[str, Any] | None) -> RigidMotion | None:
    """None where there is none, or it is no motion: both are denied."""
    try:
        return None if axes is None else correction_of(axes).motion
    except (KeyError, TypeError, ValueError):
        return None


def _pose(matrix: Any) -> RigidMotion | None:
    """None where there is none, or it is no rigid motion."""
    try:
        return None if matrix is None else RigidMotion.from_matrix(matrix, target=Frame.PLAN, source=Frame.DAILY)
    except (TypeError, ValueError):
        return None


def _target(axes: dict[str, Any] | None) -> CouchPosition | None:
    """None where there is none, or it is no position."""
    try:
        return None if axes is None else CouchPosition(**axes)
    except (TypeError, ValueError):
        return None


def _promised(correction: RigidMotion | None, made: RigidMotion | None) -> tuple[Point, ...] | None:
    if correction is None or made is None:
        return None
    promised = residuals_mm(correction, made, correction.inverse().apply(LANDMARKS_MM))
    return tuple((x, y, z) for x, y, z in promised.tolist())


def _proposed(facts: Facts, answer: dict[str, Any]) -> Treatment:
    """A correction is for every beam of the plan about its isocentre: the one that the linac has loaded, where it is one of them."""
    plan, loaded = facts.plan, facts.chain.machine.loaded if facts.chain.machine else None
    beams = plan.beams_at(answer.get("plan_isocentre_mm"))
    first = beams[0] if beams else None
    return Treatment(
        patient_id=plan.patient_id,
        plan_uid=plan.plan_uid,
        plan_revision=plan.plan_revision,
        plan_approval=plan.plan_approval,
        fraction=facts.fraction,
        isocentre_mm=_point(answer.get("plan_isocentre_mm")),
        beam=loaded.beam if loaded and loaded.beam in beams else first,
        machine=answer.get("machine"),
    )


def _linac(facts: Facts, report: m.MachineReported | None) -> LinacReport | None:
    if report is None:
        return None
    loaded = report.loaded
    at = Moment(clock=facts.clock, at_s=report.header.monotonic_s)
    treatment = None if loaded is None else _treatment(loaded)
    return LinacReport(loaded=treatment, beam_on=report.beam_on, simulated=report.simulated, at=at)


def _treatment(loaded: m.LoadedPlan) -> Treatment:
    return Treatment(
        patient_id=loaded.patient_id,
        plan_uid=loaded.plan_uid,
        plan_revision=loaded.plan_revision,
        plan_approval=loaded.plan_approval,
        fraction=loaded.fraction,
        isocentre_mm=loaded.isocentre_mm,
        beam=loaded.beam,
        machine=loaded.machine,
    )


def _units(report: m.MachineReported | None) -> Units | None:
    if report is None:
        return None
    return Units(length=report.units.length, angle=report.units.angle, couch_scale=report.units.couch_scale)


def _approval(facts: Facts, approved: m.Approved | None) -> Approval | None:
    if approved is None:
        return None
    at = Moment(clock=facts.clock, at_s=approved.header.monotonic_s)
    return Approval(proposal_id=approved.proposal_id, by=approved.by, at=at, simulated=approved.simulated)


def _override(approved: m.Approved | None) -> Override | None:
    if approved is None or approved.overridden is None:
        return None
    return Override(by=approved.by, why=approved.overridden)


def _at_claim(facts: Facts) -> Reading | None:
    """The couch of the claim; its table angle, where it tells none, is the scan's."""
    couch, scan = facts.claim.couch, facts.chain.scan_start
    if couch is None or scan is None:
        return None
    return Reading(couch=couch, table_angle_deg=scan.table_angle_deg, at_s=facts.claimed_s)


def _reading(facts: Facts, reading: Reading | None) -> CouchReading | None:
    if reading is None or reading.couch is None:
        return None
    angle_deg = reading.couch.table_angle_deg
    if angle_deg is None:
        yaws = facts.profile.couch.yaw_axis is YawAxis.TURNTABLE
        angle_deg = reading.couch.yaw_deg if yaws else reading.table_angle_deg
    at = Moment(clock=facts.clock, at_s=reading.at_s)
    return CouchReading(position=known_position(reading.couch), table_angle_deg=angle_deg, at=at)


def _point(values: Any) -> Point | None:
    if values is None:
        return None
    x, y, z = values
    return x, y, z
