"""What every desk needs: to deny, to know the plan that is meant, to address a reply."""

from __future__ import annotations

from typing import Any

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.case import Case
from igrt.errors import InputError


def deny(why: str | None) -> None:
    """Raise WireError where there is a reason."""
    if why:
        raise WireError("not_now", why)


def as_told(error: Exception, request: m.Message) -> WireError:
    """What is told of an error to who made the request."""
    if isinstance(error, WireError):
        return error
    if isinstance(error, InputError):
        return WireError("bad_input", str(error))
    return WireError("defect", f"a defect of igrt ({type(error).__name__}) in {request.wire_kind()}; report it with the engine's log")


def plan_in_use(case: Case, header: m.Header) -> str:
    """The fingerprint of the plan in use, which the header must name; WireError where it does not."""
    stream = case.stream
    if header.session and header.session != stream.session:
        raise WireError("wrong_session", "the message speaks of another run of the engine; ask for the snapshot")
    if stream.plan_fingerprint is None:
        raise WireError("not_now", "no plan is loaded; load the patient's plan first")
    if header.plan_fingerprint != stream.plan_fingerprint:
        raise WireError("wrong_plan", "the message names another plan than the one in use, or none; ask for the snapshot")
    return stream.plan_fingerprint


def reply_to(case: Case, request: m.Message) -> dict[str, Any]:
    """What every reply carries."""
    return {"header": case.stream.header(), "request_id": request.header.message_id}
