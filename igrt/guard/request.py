"""What the guard is asked: all that is known at the claim, right or wrong.

Any field may be None where the engine does not know it. Building a request never fails: `decide` denies it, in a sentence that
names the field. Units are in the names, and again in `Units`, because what arrives here came through other hands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from igrt.geometry.couch_model import CouchPosition
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import ImageAxes

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant of a monotonic clock (s); `clock` names the clock and the boot it belongs to, for only one clock's times compare."""

    clock: str | None
    at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The instant of the decision: on the engine's monotonic clock, and as a date with time zone for records that carry dates."""

    monotonic: Moment | None
    utc: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What the numbers of the request are in, as their sources state it: `mm`, `deg`, `iec61217`."""

    length: str | None
    angle: str | None
    couch_scale: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is to be treated, as one side knows it.

    `plan_approval` is the DICOM Approval Status (300E,0002), `isocentre_mm` plan LPS, `fraction` counts from 1.
    """

    patient_id: str | None
    plan_uid: str | None
    plan_revision: str | None
    plan_approval: str | None
    fraction: int | None
    isocentre_mm: Point | None
    beam: str | None
    machine: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchReading:
    """The couch read back: absolute, IEC 61217. `table_angle_deg` is the turntable's (for a couch whose turntable yaws, its yaw again)."""

    position: CouchPosition | None
    table_angle_deg: float | None
    at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinacReport:
    """What the linac says of itself at the claim; `simulated` is its own word that nothing real moves."""

    loaded: Treatment | None
    beam_on: bool | None
    simulated: bool | None
    at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The linac's claim of one proposal, and what the engine knows of its token. Tokens never show in a repr or a sentence."""

    proposal_id: str | None
    token: str | None = field(repr=False)
    issued_token: str | None = field(repr=False)
    token_used: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who approved which proposal and when; `simulated` for a therapist of the simulation."""

    proposal_id: str | None
    by: str | None
    at: Moment | None
    simulated: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who set a verdict of stop aside, and why."""

    by: str | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A dated record of the machine, such as `daily_qa`; `done_at` has a time zone."""

    name: str | None
    machine: str | None
    done_at: datetime | None
    passed: bool | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReleaseRequest:
    """All that a release is decided on, built by the engine at the claim.

    `plan_from_daily` is the registration's pose (LPS mm); `correction` the motion it asks for and `made` the one the couch will really
    make (both `fixed_from_fixed`); `table_angle_deg` is the planned angle that the correction brings the patient to and
    `image_table_angle_deg` the turntable's at the image, which may hold the yaw of earlier corrections; `start` is where the couch stood
    for the proposal and `target` the absolute position to send.
    `promised_residuals_mm` are `made - correction` at the tissue that belongs at each of `landmarks.LANDMARKS_MM` (fixed axes, mm):
    `residuals_mm(correction, made, correction.inverse().apply(LANDMARKS_MM))`. `proposed_at` is when the proposal was made.
    """

    proposal_id: str | None
    state: str | None
    outcome: str | None
    verdict: str | None
    override: Override | None
    approval: Approval | None
    claim: Claim | None
    research: bool | None
    units: Units | None
    proposed: Treatment | None
    linac: LinacReport | None
    records: tuple[Record, ...] | None
    image_id: str | None
    newest_image_id: str | None
    plan_position: PatientPosition | None
    daily_position: PatientPosition | None
    daily_isocentre_mm: Point | None
    image_axes: ImageAxes | None
    table_angle_deg: float | None
    image_table_angle_deg: float | None
    plan_from_daily: RigidMotion | None
    correction: RigidMotion | None
    made: RigidMotion | None
    couch_model: str | None
    couch_at_scan_start: CouchReading | None
    couch_at_scan_end: CouchReading | None
    couch_at_claim: CouchReading | None
    start: CouchPosition | None
    target: CouchPosition | None
    promised_residuals_mm: tuple[Point, ...] | None
    proposed_at: Moment | None
