"""What the engine writes down: the kinds of row, and where the next run finds what it needs.

`run` (an engine starts), `request` (as it came, without its token) and `reply`, `event` (as it was published), `state` (all that the next
run needs) and `release` (a correction left; a second of one proposal cannot be written).
"""

from __future__ import annotations

from igrt.engine.journal import Entry, Journal

FILE = "journal.sqlite"
RUN, REQUEST, REPLY, EVENT, STATE, RELEASE = "run", "request", "reply", "event", "state", "release"
_STRIDE = 64


def release_once(proposal_id: str, payload: bytes, *, patient_id: str | None) -> Entry:
    """The row of a release: keyed as a reply is, so that the journal takes one of a proposal and no second."""
    return Entry(RELEASE, payload, patient_id=patient_id, request_id=f"{RELEASE}.{proposal_id}"[:64])


def last_state(journal: Journal) -> bytes | None:
    """What the last run left; None where there was none, or it was erased with its patient."""
    last, since = journal.head.number, journal.head.number
    while since > 0:
        since = max(0, since - _STRIDE)
        found = [row for row in journal.rows(since) if row.number <= last and row.kind == STATE]
        if found:
            return found[-1].payload
        last = since
    return None
