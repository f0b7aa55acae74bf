"""The other side of the engine's sockets, in a process that may die at any instant: it looks where the session is, and goes on from there.

What it sends, hears and has acknowledged goes to a pipe, so that it is known whatever happens to it. A table of edges steers it
to a wanted state; there it does one or another of what can be done there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import zmq

from igrt.bus import messages as m
from igrt.bus.grids import wire_grid
from igrt.bus.sockets import CREDIT_SLABS
from igrt.bus.topics import REPLIES, SLAB_REPLIES, decode
from igrt.engine.states import State
from igrt.simulation.linac import UNITS
from tests.bus.chain_cases import COUCH
from tests.bus.raw import slab
from tests.faults.edges import EDGES, path_to
from tests.faults.scenarios import ANY, Scenario

ROUNDS = 2
AGAIN_S = 0.1
LOOK_S = 0.005


@dataclass(frozen=True)
class Door:
    """Where the engine is heard: ports of commands, images and events; and what is played."""

    ports: tuple[int, int, int]
    scenario: Scenario


class Walker:
    """`tell` takes what must be known of it, `wanted` gives the state to go to now."""

    def __init__(
        self, door: Door, rng: random.Random, *, tell: Callable[[str, Any], None], wanted: Callable[[], State], tokens: dict[str, str]
    ) -> None:
        self.scenario, self.rng, self.tell, self.wanted, self.tokens = door.scenario, rng, tell, wanted, tokens
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.commands, self.images = (_dealer(context, port) for port in door.ports[:2])
        self.session, self.patient, self.fingerprint = "", None, None

    def walk(self, unanswered: bytes | None) -> None:
        """For ever. `unanswered` is what the one before had asked when it died: asked again, with the same id."""
        if unanswered is not None and self.rng.random() < 0.7:
            self.ask_frame(unanswered, _request_id(unanswered))
        while True:
            snapshot = self.look()
            state = State(snapshot.state)
            self.tell("at", state.value)
            self.do(self.choice(state, snapshot), snapshot)

    def choice(self, state: State, snapshot: m.SnapshotReply) -> str:
        """The verb that leads on; at the goal any, most often after a while."""
        wanted, kind, closed = self.wanted(), self.scenario.kind_of(self.patient), self.closed_now(snapshot)
        if state is wanted or self.rng.random() < 0.1:
            here = [e.verb for e in EDGES[state] if kind in e.kinds and e.verb not in closed]
            return self.rng.choice(["stay", "claim_again", *here])
        edge = path_to(wanted, state, kind, closed)
        return edge.verb if edge else self.rng.choice([e.verb for e in EDGES[state] if e.verb not in closed])

    def closed_now(self, snapshot: m.SnapshotReply) -> frozenset[str]:
        """What the engine would deny because of the session's past, or there is no plan for."""
        closed = {f"load {kind}" for kind in ANY if kind not in self.scenario.plans}
        if snapshot.standing.verification:
            closed.add("beam_on")
        if snapshot.standing.rounds > ROUNDS:
            closed |= {"approve", "override"}
        if snapshot.standing.release is None:
            closed.add("confirm_there")
        return frozenset(closed)

    def do(self, verb: str, snapshot: m.SnapshotReply) -> None:
        """One verb; what the engine denies is looked at anew."""
        name, _, kind = verb.partition(" ")
        if snapshot.standing.hold and self.rng.random() < 0.5:
            self.ask(m.AcknowledgeHold(header=self.header(), hold_id=snapshot.standing.hold.hold_id))
        if name == "load":
            self.load(kind)
        elif name in ("stay", "wait"):
            time.sleep(self.rng.uniform(0.0, 2 * LOOK_S))
        elif name in ("image", "rest_of_image"):
            self.image(snapshot.image.image_id if name == "rest_of_image" and snapshot.image else f"i{self.rng.getrandbits(48):x}")
        elif name in ("beam_on", "beam_off"):
            self.report(beam_on=name == "beam_on")
        elif name in ("claim", "claim_again"):
            self.claim(snapshot, again=name == "claim_again")
        elif name in _PHASES:
            self.couch(name, snapshot)
        else:
            self.decide(name, snapshot)

    # ------------------------------------------------------------------------------------------ the verbs

    def decide(self, verb: str, snapshot: m.SnapshotReply) -> None:
        """What a person says."""
        header, by = self.header(), "Test"
        proposal = snapshot.result.proposal_id if isinstance(snapshot.result, m.Proposal) else "none"
        release = snapshot.standing.release
        requests: dict[str, Callable[[], m.Message]] = {
            "approve": lambda: m.Approve(header=header, proposal_id=proposal, by=by, simulated=True),
            "override": lambda: m.Override(header=header, proposal_id=proposal, by=by, why="seen", simulated=True),
            "reject": lambda: m.Reject(header=header, by=by, why="no"),
            "put_aside": lambda: m.Reject(header=header, by=by, why="done"),
            "confirm_there": lambda: m.ConfirmCouch(header=header, by=by, couch=release.target if release else COUCH),
            "confirm_elsewhere": lambda: m.ConfirmCouch(header=header, by=by, couch=msgspec.structs.replace(COUCH, lateral_mm=55.0)),
        }
        self.ask(requests[verb]())

    def load(self, kind: str) -> None:
        """A plan, or one that is not there."""
        plan = self.scenario.plans.get(kind)
        path, protocol = (str(plan.path), plan.protocol) if plan else ("/nothing", None)
        self.ask(m.LoadPlan(header=m.new_header(), path=path, protocol=protocol, fraction=4))

    def report(self, *, beam_on: bool) -> None:
        """The linac's word."""
        loaded = self.scenario.plans[self.scenario.kind_of(self.patient)].loaded
        self.ask(m.ReportMachine(header=self.header(), loaded=loaded, beam_on=beam_on, simulated=True, units=UNITS))

    def claim(self, snapshot: m.SnapshotReply, *, again: bool) -> None:
        """With the token of what is approved; `again`: with any token that was ever seen, which must be denied unless it stands."""
        approved = snapshot.standing.approved
        if approved and approved.token:
            self.tokens[approved.proposal_id] = approved.token
            self.tell("token", (approved.proposal_id, approved.token))
        known = self.rng.choice([*self.tokens]) if again and self.tokens else None
        proposal_id = known or (approved.proposal_id if approved else None)
        if proposal_id not in self.tokens:
            return
        self.report(beam_on=False)
        self.ask(m.Claim(header=self.header(), proposal_id=proposal_id, token=self.tokens[proposal_id], couch=COUCH))

    def couch(self, verb: str, snapshot: m.SnapshotReply) -> None:
        """The couch read back on its way."""
        release = snapshot.standing.release
        if release is None:
            return
        phase, where = _PHASES[verb]
        middle = msgspec.structs.replace(COUCH, lateral_mm=(release.start.lateral_mm + release.target.lateral_mm) / 2)
        couch = {"start": release.start, "middle": middle, "target": release.target}.get(where) or msgspec.structs.replace(
            COUCH, lateral_mm=COUCH.lateral_mm - 25.0
        )
        self.ask(m.ReportCouch(header=self.header(), proposal_id=release.proposal_id, phase=phase, couch=couch))

    def image(self, image_id: str) -> None:
        """Begin it, or go on with it; send what is missing, or half of that; end it where all is acknowledged."""
        volume = self.scenario.volume(image_id)
        begun = self.ask(
            m.BeginImage(header=self.header(), image_id=image_id, grid=wire_grid(volume.grid), couch=COUCH, **self.scenario.announced)
        )
        if not isinstance(begun, m.BeginImageReply):
            return
        slabs = [(k, n) for first, end in begun.missing for k, n in self.slabs(first, end)]
        if self.wanted() is State.ACQUIRING and self.rng.random() < 0.5:
            del slabs[len(slabs) // 2 :]
        if self.send(image_id, volume.hu, slabs) and self.whole(begun.missing, slabs):
            self.ask(m.EndImage(header=self.header(), image_id=image_id, couch=COUCH))

    def slabs(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """A cut of a range of slices into slabs."""
        while first < end:
            count = min(self.rng.randrange(1, 7), end - first)
            yield first, count
            first += count

    @staticmethod
    def whole(missing: list[tuple[int, int]], slabs: list[tuple[int, int]]) -> bool:
        """Whether these slabs are all that was missing."""
        return sum(b - a for a, b in missing) == sum(n for _, n in slabs)

    def send(self, image_id: str, hu: np.ndarray, slabs: list[tuple[int, int]]) -> bool:
        """Send slabs within the credit; False where one was not acknowledged in time, or was refused."""
        waiting: set[tuple[int, int]] = set()
        for place in [*slabs, None]:
            while waiting and (place is None or len(waiting) >= self.rng.randrange(1, CREDIT_SLABS)):
                if not self.images.poll(int(5 * AGAIN_S * 1000)):
                    return False
                reply = decode(self.images.recv(), SLAB_REPLIES)
                if isinstance(reply, m.SlabStored):
                    self.tell("stored", (reply.image_id, reply.k_start, reply.slices))
                    waiting.discard((reply.k_start, reply.slices))
                elif place is None:
                    return False
            if place is not None:
                k, n = place
                self.images.send_multipart(slab(image_id, k, hu[k : k + n].tobytes(), n))
                waiting.add(place)
        return True

    # ------------------------------------------------------------------------------------------- requests

    def header(self) -> m.Header:
        """As the last snapshot said."""
        return m.new_header(session=self.session, patient_id=self.patient, plan_fingerprint=self.fingerprint)

    def look(self) -> m.SnapshotReply:
        """Where the session is."""
        reply = self.ask(m.Snapshot(header=m.new_header()))
        assert isinstance(reply, m.SnapshotReply)
        h = reply.header
        self.session, self.patient, self.fingerprint = h.session, h.patient_id, h.plan_fingerprint
        return reply

    def ask(self, request: m.Message) -> m.Reply:
        """Until the reply comes, over any number of deaths."""
        return self.ask_frame(m.encode(request), request.header.message_id, told=not isinstance(request, m.Snapshot))

    def ask_frame(self, frame: bytes, request_id: str, *, told: bool = True) -> m.Reply:
        if told:
            self.tell("sent", frame)
        while True:
            self.commands.send(frame)
            again_s = time.monotonic() + AGAIN_S
            while self.commands.poll(max(1, int((again_s - time.monotonic()) * 1000))):
                answer = self.commands.recv()
                reply = decode(answer, REPLIES)
                if isinstance(reply, m.Reply) and reply.request_id == request_id:
                    if told:
                        self.tell("got", answer)
                    return reply


_PHASES = {"start": ("start", "start"), "arrive": ("after", "target"), "stop": ("stopped", "middle"), "go_astray": ("during", "astray")}


def _dealer(context: zmq.Context[zmq.Socket[bytes]], port: int) -> zmq.Socket[bytes]:
    made = context.socket(zmq.DEALER)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.RECONNECT_IVL, 5)
    made.connect(f"tcp://127.0.0.1:{port}")
    return made


def _request_id(frame: bytes) -> str:
    return str(msgspec.msgpack.decode(frame)["header"]["message_id"])
