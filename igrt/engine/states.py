"""The session: one table of states and transitions, pure, with the clock passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Where the session is."""

    IDLE = "idle"
    READY = "ready"
    ACQUIRING = "acquiring"
    REGISTERING = "registering"
    PROPOSED = "proposed"
    APPROVED = "approved"
    CLAIMED = "claimed"
    MOVING = "moving"
    IN_POSITION = "in_position"
    DELIVERING = "delivering"
    REFUSED = "refused"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    INTERRUPTED = "interrupted"


class Trigger(StrEnum):
    """What moves it."""

    PLAN_DROPPED = "plan_dropped"
    PLAN_LOADED = "plan_loaded"
    IMAGE_BEGUN = "image_begun"
    IMAGE_ENDED = "image_ended"
    ANSWER_ACCEPTED = "answer_accepted"
    ANSWER_REFUSED = "answer_refused"
    APPROVAL = "approval"
    OVERRIDE = "override"
    CLAIM = "claim"
    MOVE_STARTED = "move_started"
    ARRIVAL = "arrival"
    BEAM_ON = "beam_on"
    BEAM_OFF = "beam_off"
    REJECTION = "rejection"
    EXPIRY = "expiry"
    PROPOSAL_WITHDRAWN = "proposal_withdrawn"
    INTERRUPTION = "interruption"
    COUCH_AT_TARGET = "couch_at_target"
    COUCH_CONFIRMED = "couch_confirmed"
    PUT_ASIDE = "put_aside"


MEANING: Mapping[State, str] = {
    State.IDLE: "no plan is loaded",
    State.READY: "a plan is prepared; an image may begin",
    State.ACQUIRING: "an image is being taken in",
    State.REGISTERING: "the image is whole; its answer is being worked out",
    State.PROPOSED: "a correction is proposed; nothing is released",
    State.APPROVED: "a person approved the proposal; the linac may claim it, once",
    State.CLAIMED: "the correction is released to the linac; the couch has not moved yet",
    State.MOVING: "the couch is on its way to the target",
    State.IN_POSITION: "the couch was read back at its target; a verification image may follow",
    State.DELIVERING: "the beam is on",
    State.REFUSED: "the match is not to be trusted, or one radiograph shows no depth; there is no correction",
    State.REJECTED: "a person wanted nothing of the proposal",
    State.EXPIRED: "the image is too old to move a patient by",
    State.WITHDRAWN: "a newer image or plan, a person or the second solver took the proposal away; a linac that had it was told to hold",
    State.INTERRUPTED: "an image, a move or a beam broke off; confirm the couch, or image again",
}

_OVER = (State.REFUSED, State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.INTERRUPTED)

TRANSITIONS: Mapping[tuple[State, Trigger], State] = {
    (State.IDLE, Trigger.PLAN_LOADED): State.READY,
    (State.READY, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.ACQUIRING, Trigger.IMAGE_ENDED): State.REGISTERING,
    (State.REGISTERING, Trigger.ANSWER_ACCEPTED): State.PROPOSED,
    (State.REGISTERING, Trigger.ANSWER_REFUSED): State.REFUSED,
    (State.PROPOSED, Trigger.APPROVAL): State.APPROVED,
    (State.PROPOSED, Trigger.OVERRIDE): State.APPROVED,
    (State.APPROVED, Trigger.CLAIM): State.CLAIMED,
    (State.CLAIMED, Trigger.MOVE_STARTED): State.MOVING,
    (State.MOVING, Trigger.ARRIVAL): State.IN_POSITION,
    (State.IN_POSITION, Trigger.BEAM_ON): State.DELIVERING,
    (State.IN_POSITION, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.IN_POSITION, Trigger.PUT_ASIDE): State.READY,
    (State.DELIVERING, Trigger.BEAM_OFF): State.READY,
    **{(state, Trigger.REJECTION): State.REJECTED for state in (State.PROPOSED, State.APPROVED)},
    **{(state, Trigger.EXPIRY): State.EXPIRED for state in (State.PROPOSED, State.APPROVED, State.CLAIMED)},
    **{
        (state, Trigger.PROPOSAL_WITHDRAWN): State.WITHDRAWN
        for state in (State.PROPOSED, State.APPROVED, State.CLAIMED, State.MOVING, State.IN_POSITION)
    },
    **{(state, Trigger.IMAGE_BEGUN): State.ACQUIRING for state in _OVER},
    **{(state, Trigger.PUT_ASIDE): State.READY for state in _OVER if state is not State.INTERRUPTED},
    (State.INTERRUPTED, Trigger.COUCH_AT_TARGET): State.IN_POSITION,
    (State.INTERRUPTED, Trigger.COUCH_CONFIRMED): State.READY,
    **{(state, Trigger.PLAN_DROPPED): State.IDLE for state in (State.READY, *_OVER)},
    **{(state, Trigger.INTERRUPTION): State.INTERRUPTED for state in State if state not in (State.IDLE, State.INTERRUPTED)},
}

LEAVING: Mapping[State, tuple[Trigger, ...]] = {
    State.ACQUIRING: (Trigger.INTERRUPTION,),
    State.REGISTERING: (Trigger.INTERRUPTION,),
    **dict.fromkeys((State.PROPOSED, State.APPROVED, State.CLAIMED, State.MOVING), (Trigger.PROPOSAL_WITHDRAWN,)),
    State.DELIVERING: (Trigger.INTERRUPTION,),
}
"""What ends a state before another image or plan may take its place."""

RELEASED = frozenset({State.CLAIMED, State.MOVING, State.DELIVERING})
"""While the linac acts on what was released: to leave these early the linac is told to hold."""

STANDING = frozenset({State.PROPOSED, State.APPROVED, State.IN_POSITION}) | RELEASED
"""While the patient is, or may yet be, moved or treated by the proposal."""

EXPIRING = frozenset({State.PROPOSED, State.APPROVED, State.CLAIMED})
"""While the age of the image counts."""


class NotAllowedError(Exception):
    """The table has no such transition."""


@dataclass(frozen=True, slots=True)
class Session:
    """A state, since when, and for which image; times are of one monotonic clock (s)."""

    state: State = State.IDLE
    since_s: float = 0.0
    image_id: str | None = None
    progress_s: float = 0.0


def step(session: Session, trigger: Trigger, *, now_s: float, image_id: str | None = None) -> Session:
    """The session after `trigger`; NotAllowedError where the table has no such row. `image_id` belongs to image_begun."""
    state = TRANSITIONS.get((session.state, trigger))
    if state is None:
        raise NotAllowedError(f"{trigger} cannot happen while the session is {session.state}: {MEANING[session.state]}")
    if trigger is Trigger.IMAGE_BEGUN:
        return Session(state, now_s, image_id, now_s)
    kept = None if trigger is Trigger.PLAN_DROPPED else session.image_id
    return Session(state, now_s, kept, now_s)


def progressed(session: Session, *, now_s: float) -> Session:
    """More of the image is on disk."""
    return replace(session, progress_s=now_s)


def is_stalled(session: Session, *, now_s: float, stall_s: float) -> bool:
    """Whether an image is being taken in and nothing of it came for `stall_s`."""
    return session.state is State.ACQUIRING and now_s - session.progress_s >= stall_s


def is_expired(session: Session, *, now_s: float, seen_s: float, lifetime_s: float) -> bool:
    """Whether the image, whose scan ended at `seen_s`, is too old for what stands; a clock that ran backwards expires it too."""
    return session.state in EXPIRING and not 0.0 <= now_s - seen_s <= lifetime_s


def why_no_plan_now(session: Session, *, now_s: float, stall_s: float) -> str | None:
    """Why another plan may not be loaded now; None where it may."""
    if session.state in RELEASED:
        return f"the session is {session.state}: {MEANING[session.state]}; reject it or let it end, then load a plan"
    if session.state is State.REGISTERING:
        return f"the answer for image {session.image_id} is being worked out; load a plan after it"
    if session.state is State.ACQUIRING and not is_stalled(session, now_s=now_s, stall_s=stall_s):
        return f"image {session.image_id} is being taken in; load a plan after it"
    return None


def why_no_image_now(session: Session, *, now_s: float, stall_s: float) -> str | None:
    """Why a new image may not begin now; None where it may."""
    if session.state is State.IDLE:
        return "no plan is loaded; load the patient's plan first"
    if session.state is State.REGISTERING:
        return f"the answer for image {session.image_id} is being worked out; begin after it"
    if session.state is State.ACQUIRING and not is_stalled(session, now_s=now_s, stall_s=stall_s):
        return f"image {session.image_id} is being taken in; end it first"
    return None


def why_not(session: Session, trigger: Trigger, *, remedy: str) -> str | None:
    """Why `trigger` cannot happen now, with what to do instead; None where it can."""
    if (session.state, trigger) in TRANSITIONS:
        return None
    return f"the session is {session.state}: {MEANING[session.state]}; {remedy}"
