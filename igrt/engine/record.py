"""What the engine writes down: the kinds of row, and where the next run finds what it needs.

`run` (an engine starts), `request` (as it came, without its token) and `reply`, `event` (as it was published), `state` (all that the next
run needs) and `release` (a correction left; a second of one proposal cannot be written). What only a replay needs: `plan` (a plan was
prepared, and what its images are judged by), `answer` (what the answer of an image, or at a pose set by hand, rests on), `claim` (what a
claim was decided on) and `second` (what the second solver measured).
`image_removed` (an image goes from the disk after this row) and `restored` (what is before came from a backup).
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from igrt.bus.messages import LoadPlan
from igrt.bus.pose_messages import Pose
from igrt.engine.basis import Basis, Build
from igrt.engine.journal import Entry, Journal
from igrt.engine.spool import Description
from igrt.engine.tasks import PlanReady

FILE = "journal.sqlite"
SPOOL = "spool"
IMAGE_REMOVED, RESTORED = "image_removed", "restored"
RUN, REQUEST, REPLY, EVENT, STATE, RELEASE = "run", "request", "reply", "event", "state", "release"
PLAN, ANSWER, CLAIM, SECOND = "plan", "answer", "claim", "second"
_STRIDE = 64


class RunRow(Struct, frozen=True, kw_only=True):
    """An engine starts; `lifetime_s` is the most that an image of it lives. Older runs tell no build and had no second solver."""

    session: str
    boot: str
    engine: str
    version: str
    build: Build | None = None
    lifetime_s: float | None = None
    second_solver: bool = False


class PlanRow(Struct, frozen=True, kw_only=True):
    """The worker has prepared a plan, for the first time or again."""

    request: LoadPlan
    ready: PlanReady


class AnswerRow(Struct, frozen=True, kw_only=True):
    """An image was answered, or cannot be: then `failed` says why. Its answer is in the event that follows.

    `pose` is the one that was set by hand, where that was measured.
    """

    description: Description
    basis: Basis
    failed: str | None = None
    pose: Pose | None = None


def row_of(kind: str, content: Struct, *, patient_id: str | None) -> Entry:
    """A row of one of these."""
    return Entry(kind, msgspec.msgpack.encode(content), patient_id=patient_id or None)


def release_once(proposal_id: str, payload: bytes, *, patient_id: str | None) -> Entry:
    """The row of a release: keyed as a reply is, so that the journal takes one of a proposal and no second."""
    return Entry(RELEASE, payload, patient_id=patient_id, request_id=f"{RELEASE}.{proposal_id}"[:64])


def last_state(journal: Journal) -> bytes | None:
    """What the last run left; None where there was none, it was erased with its patient, or the journal came from a backup since."""
    last, since = journal.head.number, journal.head.number
    while since > 0:
        since = max(0, since - _STRIDE)
        found = [row for row in journal.rows(since) if row.number <= last and row.kind in (STATE, RESTORED)]
        if found:
            return found[-1].payload if found[-1].kind == STATE else None
        last = since
    return None
