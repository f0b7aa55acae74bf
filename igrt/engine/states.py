"""The session: one table of states and transitions, pure, with the clock passed in.

What follows a proposal (approval, claim, motion) is not in this table, so nothing can be approved or claimed.
"""

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
    REFUSED = "refused"
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
    PROPOSAL_WITHDRAWN = "proposal_withdrawn"
    INTERRUPTION = "interruption"


MEANING: Mapping[State, str] = {
    State.IDLE: "no plan is loaded",
    State.READY: "a plan is prepared; an image may begin",
    State.ACQUIRING: "an image is being taken in",
    State.REGISTERING: "the image is whole; its answer is being worked out",
    State.PROPOSED: "a correction is proposed; nothing is released",
    State.REFUSED: "the match is not to be trusted; there is no correction",
    State.WITHDRAWN: "a newer image or plan took the place of a proposal",
    State.INTERRUPTED: "an image broke off, or its answer failed; image again",
}

TRANSITIONS: Mapping[tuple[State, Trigger], State] = {
    (State.IDLE, Trigger.PLAN_LOADED): State.READY,
    (State.READY, Trigger.PLAN_DROPPED): State.IDLE,
    (State.READY, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.ACQUIRING, Trigger.IMAGE_ENDED): State.REGISTERING,
    (State.ACQUIRING, Trigger.INTERRUPTION): State.INTERRUPTED,
    (State.REGISTERING, Trigger.ANSWER_ACCEPTED): State.PROPOSED,
    (State.REGISTERING, Trigger.ANSWER_REFUSED): State.REFUSED,
    (State.REGISTERING, Trigger.INTERRUPTION): State.INTERRUPTED,
    (State.PROPOSED, Trigger.PROPOSAL_WITHDRAWN): State.WITHDRAWN,
    (State.REFUSED, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.REFUSED, Trigger.PLAN_DROPPED): State.IDLE,
    (State.WITHDRAWN, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.WITHDRAWN, Trigger.PLAN_DROPPED): State.IDLE,
    (State.INTERRUPTED, Trigger.IMAGE_BEGUN): State.ACQUIRING,
    (State.INTERRUPTED, Trigger.PLAN_DROPPED): State.IDLE,
}

LEAVING: Mapping[State, tuple[Trigger, ...]] = {
    State.PROPOSED: (Trigger.PROPOSAL_WITHDRAWN,),
    State.ACQUIRING: (Trigger.INTERRUPTION,),
    State.REGISTERING: (Trigger.INTERRUPTION,),
}
"""What ends a state before another image or plan may take its place."""


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


def why_no_plan_now(session: Session, *, now_s: float, stall_s: float) -> str | None:
    """Why another plan may not be loaded now; None where it may."""
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
