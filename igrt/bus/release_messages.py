"""From a proposal to the couch and back: what is asked, and its replies. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from igrt.bus.wire import NOT_BLANK_PATTERN, Identifier, Message, Ordinal, Reply, Seconds, Sentence, Text, Vector

Person = Annotated[str, Meta(min_length=1, max_length=256, pattern=NOT_BLANK_PATTERN, description="who, by name")]
Why = Annotated[str, Meta(min_length=1, max_length=4096, pattern=NOT_BLANK_PATTERN, description="the reason, in words")]
ProposalId = Annotated[Identifier, Meta(description="of the proposal that is meant")]
Simulated = Annotated[bool, Meta(description="true for a therapist of the simulation, who can release to a simulated machine alone")]


class CouchReadout(Struct, frozen=True, kw_only=True):
    """The couch as it stands, absolute, IEC 61217 table axes."""

    lateral_mm: float
    longitudinal_mm: float
    vertical_mm: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    table_angle_deg: Annotated[
        float | None,
        Meta(description="the turntable's angle; null where the yaw is the turntable's, or it stands at the table angle of the image"),
    ] = None


class StatedUnits(Struct, frozen=True, kw_only=True):
    """What the numbers of the linac are in, in its own words; any others than these are denied at the claim."""

    length: Annotated[Text | None, Meta(description="`mm`")]
    angle: Annotated[Text | None, Meta(description="`deg`")]
    couch_scale: Annotated[Text | None, Meta(description="`iec61217`")]


class LoadedPlan(Struct, frozen=True, kw_only=True):
    """What the linac has loaded; null where it does not know. A claim is denied unless all of it is what was proposed."""

    patient_id: Text | None
    plan_uid: Annotated[Text | None, Meta(description="SOP Instance UID of the RT Plan")]
    plan_revision: Annotated[Text | None, Meta(description="RT Plan Date and Time (300A,0006) (300A,0007), written together")]
    plan_approval: Annotated[Text | None, Meta(description="Approval Status (300E,0002)")]
    fraction: Ordinal | None
    isocentre_mm: Annotated[Vector | None, Meta(description="plan LPS")]
    beam: Annotated[Text | None, Meta(description="name of the beam (300A,00C2)")]
    machine: Annotated[Text | None, Meta(description="as the machine profile is named")]


class Denial(Struct, frozen=True, kw_only=True):
    """One rule of docs/guard.md that does not hold."""

    rule: Text
    sentence: Sentence


class ReportMachine(Message, frozen=True, kw_only=True):
    """The linac says what it has loaded and whether its beam is on: at every change, and again right before a claim."""

    loaded: Annotated[LoadedPlan | None, Meta(description="null where no plan is loaded")]
    beam_on: bool | None
    simulated: Annotated[bool | None, Meta(description="the linac's own word that nothing real moves")]
    units: StatedUnits


class ReportMachineReply(Reply, frozen=True, kw_only=True):
    """Taken down; `state` is the session's."""

    state: Text


class Approve(Message, frozen=True, kw_only=True):
    """A person approves the proposal. A verdict of stop needs `override` instead."""

    proposal_id: ProposalId
    by: Person
    simulated: Simulated = False


class ApproveReply(Reply, frozen=True, kw_only=True):
    """Approved: the linac may claim until the image expires."""

    proposal_id: Identifier
    expires_monotonic_s: Annotated[Seconds, Meta(description="of the engine's monotonic clock")]


class Override(Message, frozen=True, kw_only=True):
    """A person sets a verdict of stop aside and approves, by name and with the reason. A refusal cannot be set aside."""

    proposal_id: ProposalId
    by: Person
    why: Why
    simulated: Simulated = False


class OverrideReply(Reply, frozen=True, kw_only=True):
    """As `approve_reply`."""

    proposal_id: Identifier
    expires_monotonic_s: Annotated[Seconds, Meta(description="of the engine's monotonic clock")]


class Reject(Message, frozen=True, kw_only=True):
    """A person wants nothing of it: a proposal or approval is rejected, a released correction withdrawn, what is over put aside."""

    by: Person
    why: Why


class RejectReply(Reply, frozen=True, kw_only=True):
    """Done; `state` is the session's."""

    state: Text


class Claim(Message, frozen=True, kw_only=True):
    """The linac asks for the approved correction, once. It has reported its plan and beam since the approval, at most 5 s ago."""

    proposal_id: ProposalId
    token: Annotated[Text, Meta(description="from `approved`; releases once")]
    couch: Annotated[CouchReadout | None, Meta(description="read back now")]


class Release(Struct, frozen=True, kw_only=True):
    """What the couch may do, once."""

    proposal_id: Identifier
    machine: Text
    start: Annotated[CouchReadout, Meta(description="where the couch stood for the proposal, and stands")]
    target: Annotated[CouchReadout, Meta(description="where it may go, absolute")]


class ClaimReply(Reply, frozen=True, kw_only=True):
    """Released, or denied with every reason; a repeated request gets this very reply."""

    release: Annotated[Release | None, Meta(description="null where denied")]
    denials: Annotated[list[Denial], Meta(description="empty where released")]


class ReportCouch(Message, frozen=True, kw_only=True):
    """The couch read back: when its move starts, during it, after it, or where it stopped on the way."""

    proposal_id: ProposalId
    phase: Literal["start", "during", "after", "stopped"]
    couch: CouchReadout


class ReportCouchReply(Reply, frozen=True, kw_only=True):
    """Taken down; `hold` is true where the couch must not move on."""

    state: Text
    hold: bool


class ConfirmCouch(Message, frozen=True, kw_only=True):
    """A person has looked at the couch after an interruption. At the target of what was released it is in position, else image again."""

    by: Person
    couch: CouchReadout


class ConfirmCouchReply(Reply, frozen=True, kw_only=True):
    """Confirmed; `state` is `in_position` or `ready`."""

    state: Text


class AcknowledgeHold(Message, frozen=True, kw_only=True):
    """The linac has heard `hold`, and holds."""

    hold_id: Identifier


class AcknowledgeHoldReply(Reply, frozen=True, kw_only=True):
    """Taken down."""

    hold_id: Identifier


class ClearAlert(Message, frozen=True, kw_only=True):
    """A person has dealt with an alert that a person clears."""

    code: Identifier
    by: Person


class ClearAlertReply(Reply, frozen=True, kw_only=True):
    """It no longer stands."""

    code: Identifier
