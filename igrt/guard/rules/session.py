"""The session agrees: state, approval, verdict, newest image, token, beam off, and nothing unproven near a real couch."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from igrt.guard.facts import SUPPLY, Breach, Case, known, look, text

STATE = "approved"
OUTCOME = "accepted"
RELEASED_VERDICTS = ("proceed", "caution")
STOP = "stop"
SHORTEST_TOKEN = 32


def state(case: Case) -> Iterator[Breach]:
    """The session is in the state approved."""
    value = text(case.request, "state")
    if value != STATE:
        yield Breach(field="state", value=repr(value), limit=f"only {STATE!r} releases", remedy="approve a fresh proposal first")


def approval(case: Case) -> Iterator[Breach]:
    """Somebody by name approved this very proposal, and the linac claims this very one."""
    text(case.request, "approval.by")
    ours = text(case.request, "proposal_id")
    for path in ("approval.proposal_id", "claim.proposal_id"):
        value = text(case.request, path)
        if value != ours:
            yield Breach(
                field=path, value=repr(value), limit=f"the proposal is {ours!r}", remedy="approve and claim the proposal that stands"
            )


def approver_real(case: Case) -> Iterator[Breach]:
    """A simulated therapist approves on simulated machines alone."""
    if known(case.request, "approval.simulated", bool) and not case.policy.simulated:
        yield Breach(
            field="approval.simulated",
            value="True",
            limit="a real machine moves for a person's approval alone",
            remedy="have a person approve",
        )


def outcome(case: Case) -> Iterator[Breach]:
    """The match was accepted."""
    value = text(case.request, "outcome")
    if value != OUTCOME:
        yield Breach(field="outcome", value=repr(value), limit=f"only {OUTCOME!r} is released", remedy="image again")


def verdict(case: Case) -> Iterator[Breach]:
    """The verdict lets the couch move: proceed or caution; stop only with an override by name and reason; refused never."""
    value = text(case.request, "verdict")
    if value == STOP:
        text(case.request, "override.by")
        text(case.request, "override.why")
        return
    if value not in RELEASED_VERDICTS:
        yield Breach(
            field="verdict", value=repr(value), limit="only proceed, caution, or an overridden stop is released", remedy="image again"
        )
    if case.request.override is not None:
        yield Breach(
            field="override",
            value="recorded",
            limit=f"the verdict {value!r} needs none",
            remedy="find out which proposal was overridden, then image again",
        )


def newest_image(case: Case) -> Iterator[Breach]:
    """The proposal is from the newest image that was acknowledged."""
    ours, newest = text(case.request, "image_id"), text(case.request, "newest_image_id")
    if ours != newest:
        yield Breach(field="image_id", value=repr(ours), limit=f"the newest image is {newest!r}", remedy="use the newest image's proposal")


def token(case: Case) -> Iterator[Breach]:
    """The claim carries the token that was issued for it; compared in constant time, never shown."""
    given, issued = (look(case.request, f"claim.{name}") for name in ("token", "issued_token"))
    for name, value in (("token", given), ("issued_token", issued)):
        if not isinstance(value, str) or len(value) < SHORTEST_TOKEN:
            shown = "missing" if value is None else "not a token"
            yield Breach(field=f"claim.{name}", value=shown, limit=f"{SHORTEST_TOKEN} characters or more are needed", remedy=SUPPLY)
            return
    if not hmac.compare_digest(str(given).encode(), str(issued).encode()):
        yield Breach(
            field="claim.token", value="another", limit="only the token issued for this proposal releases it", remedy="approve again"
        )


def token_unused(case: Case) -> Iterator[Breach]:
    """The token has released nothing yet."""
    if known(case.request, "claim.token_used", bool):
        yield Breach(field="claim.token_used", value="True", limit="a token releases once", remedy="image again for a fresh proposal")


def beam_off(case: Case) -> Iterator[Breach]:
    """The linac says that the beam is off."""
    if known(case.request, "linac.beam_on", bool):
        yield Breach(
            field="linac.beam_on", value="True", limit="the couch moves only with the beam off", remedy="stop the beam, then image again"
        )


def same_reality(case: Case) -> Iterator[Breach]:
    """The linac itself says whether it is simulated, and the policy agrees."""
    value = known(case.request, "linac.simulated", bool)
    if value is not case.policy.simulated:
        yield Breach(
            field="linac.simulated",
            value=str(value),
            limit=f"the policy of {case.policy.machine!r} says {case.policy.simulated}",
            remedy="connect the machine that the profile is for",
        )


def research(case: Case) -> Iterator[Breach]:
    """What rests on a research profile never moves a real couch."""
    answered = known(case.request, "research", bool)
    if (answered or case.policy.research) and not case.policy.simulated:
        yield Breach(
            field="research",
            value="True",
            limit="a research profile never moves a real couch",
            remedy="have a physicist prove every value of the machine profile",
        )
