"""What a journal tells of plans and images: read once from the first row to the last, also while it is being written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from igrt.engine.journal import Row
from igrt.engine.record import EVENT, RESTORED, STATE
from igrt.engine.states import State

CLOSED = frozenset({State.IDLE, State.READY, State.REFUSED, State.REJECTED, State.EXPIRED, State.WITHDRAWN})
"""Where nothing is under way that another run would have to go on with."""


class _Request(Struct, frozen=True):
    path: str


class _Plan(Struct, frozen=True):
    fingerprint: str
    patient_id: str | None = None
    plan_uid: str | None = None


class InHand(Struct, frozen=True):
    """Of a row of state: where the session was, and with which image and plan."""

    state: str = State.IDLE.value
    image_id: str | None = None
    plan_request: _Request | None = None
    plan: _Plan | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is under way; a state that this software does not know is."""
        return self.state not in CLOSED


class _Header(Struct, frozen=True):
    patient_id: str | None = None


class _Event(Struct, frozen=True):
    header: _Header
    image_id: str | None = None


@dataclass(slots=True)
class Survey:
    """Images by id, with the patient in whose session they came last; every plan that was in use; how it stood in the last row of state.

    `shared` are ids that images of several patients had, `patients` all that were named.
    """

    images: dict[str, str | None] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    patients: set[str] = field(default_factory=set)
    in_use: set[InHand] = field(default_factory=set)
    last: InHand = field(default_factory=InHand)
    last_number: int = 0

    def take(self, event: _Event) -> None:
        """What an event tells."""
        patient, image_id = event.header.patient_id, event.image_id
        if patient:
            self.patients.add(patient)
        if image_id is not None:
            if self.images.get(image_id, patient) != patient:
                self.shared.add(image_id)
            self.images[image_id] = patient


def survey(rows: Iterable[Row]) -> Survey:
    """Of all rows. What was erased is not known any more: an image of which no row tells, no state after the last was erased."""
    found, events, states = Survey(), msgspec.msgpack.Decoder(_Event), msgspec.msgpack.Decoder(InHand)
    for row in rows:
        if row.kind == EVENT and row.payload is not None:
            found.take(events.decode(row.payload))
        elif row.kind == STATE:
            found.last, found.last_number = states.decode(row.payload) if row.payload is not None else InHand(), row.number
            found.in_use.add(InHand(image_id=found.last.image_id, plan_request=found.last.plan_request, plan=found.last.plan))
        elif row.kind == RESTORED:
            found.last, found.last_number = InHand(), row.number
    return found
