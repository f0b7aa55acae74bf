"""From a proposal to the couch and back: the events. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from igrt.bus.release_messages import CouchReadout, Denial, LoadedPlan, Person, Release, Simulated, StatedUnits, Why
from igrt.bus.wire import Count, Event, Identifier, Seconds, Sentence, Text

Verification = Annotated[list[str], Meta(description="why a verification image is needed before the beam; empty where none is")]


class MachineReported(Event, frozen=True, kw_only=True):
    """What the linac said of itself."""

    loaded: LoadedPlan | None
    beam_on: bool | None
    simulated: bool | None
    units: StatedUnits


class Approved(Event, frozen=True, kw_only=True):
    """A person approved the proposal: the linac may claim it with `token`, once."""

    proposal_id: Identifier
    by: Person
    simulated: Simulated
    overridden: Annotated[Why | None, Meta(description="why a verdict of stop was set aside; null where there was none")]
    token: Annotated[Text, Meta(description="for one claim; not kept in the journal")]
    expires_monotonic_s: Annotated[Seconds, Meta(description="of the engine's monotonic clock")]


class Rejected(Event, frozen=True, kw_only=True):
    """A person wanted nothing of it."""

    proposal_id: Identifier | None
    by: Person
    why: Why


class Expired(Event, frozen=True, kw_only=True):
    """The image of the proposal is too old to move a patient by."""

    proposal_id: Identifier


class Claimed(Event, frozen=True, kw_only=True):
    """The linac has claimed the correction; nobody else can."""

    release: Release


class ClaimDenied(Event, frozen=True, kw_only=True):
    """A claim was denied; nothing was released."""

    proposal_id: Identifier
    denials: list[Denial]


class CouchReported(Event, frozen=True, kw_only=True):
    """The couch read back."""

    proposal_id: Identifier
    phase: Text
    couch: CouchReadout


class ChainClosed(Event, frozen=True, kw_only=True):
    """The couch has moved: where it is against where it was sent."""

    proposal_id: Identifier
    within: Annotated[bool, Meta(description="every axis is where it was sent")]
    target: CouchReadout
    couch: CouchReadout
    difference: Annotated[CouchReadout, Meta(description="the couch less its target")]
    faults: Annotated[list[Sentence], Meta(description="by axis: what is off, and whether a sign, scale or axis explains it")]
    verification: Verification


class CouchConfirmed(Event, frozen=True, kw_only=True):
    """A person has looked at the couch after an interruption."""

    by: Person
    couch: CouchReadout
    at_target: Annotated[bool, Meta(description="it stands where what was released sent it")]
    verification: Verification


class Hold(Event, frozen=True, kw_only=True):
    """To the linac: stop couch and beam, and acknowledge. To move again needs a new release."""

    hold_id: Identifier
    reason: Sentence


class HoldAcknowledged(Event, frozen=True, kw_only=True):
    """The linac holds."""

    hold_id: Identifier


class SecondSolver(Event, frozen=True, kw_only=True):
    """What a second solver, of other code, says of the proposal: told when it starts and when it ends. Withdrawn: the proposal goes."""

    image_id: Identifier
    proposal_id: Identifier
    opinion: Literal["running", "confirmed", "withdrawn", "no_opinion"]
    sentence: Sentence
    difference_mm: Annotated[float | None, Meta(description="largest between the two poses within 80 mm of the plan isocentre")] = None
    similarity: Annotated[float | None, Meta(description="mutual information (nats) at its own pose")] = None
    similarity_there: Annotated[float | None, Meta(description="the same at the proposal's pose")] = None
    took_s: Annotated[Seconds | None, Meta(description="its work alone")] = None


class Standing(Struct, frozen=True, kw_only=True):
    """What stands between proposal and couch, for who joins or missed events."""

    approved: Annotated[Approved | None, Meta(description="the approval of the proposal that stands")] = None
    release: Annotated[Release | None, Meta(description="what was released of the image in hand or the one before it")] = None
    machine: Annotated[MachineReported | None, Meta(description="the linac's last report")] = None
    hold: Annotated[Hold | None, Meta(description="one that the linac has not acknowledged")] = None
    verification: Verification = []
    rounds: Annotated[Count, Meta(description="verification images since the first image of this set-up")] = 0
    second_solver: Annotated[SecondSolver | None, Meta(description="its last word on the proposal; null where it was not asked")] = None
