"""A simulated linac with its couch: reports what it has loaded, claims what is approved, moves, reads back, and holds when told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.release_client import Phase
from igrt.bus.sockets import Endpoints
from igrt.simulation.couch import NO_FAULT, Fault, SimulatedCouch
from igrt.simulation.follower import Follower

UNITS = m.StatedUnits(length="mm", angle="deg", couch_scale="iec61217")
STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim of this linac and what came of it."""

    proposal_id: str
    reply: m.ClaimReply


class Linac(Follower):
    """Follows one engine until `end`. `claims` lists every claim, `holds` every hold; `loaded` is what it says it has loaded.

    `couch` is where its couch stands; `fault` spoils the next moves.
    """

    def __init__(self, endpoints: Endpoints | Path, *, couch: SimulatedCouch, loaded: m.LoadedPlan | None, fault: Fault = NO_FAULT) -> None:
        super().__init__(endpoints, name="simulated linac")
        self.couch, self.loaded, self.fault = couch, loaded, fault
        self.claims: list[Claimed] = []
        self.holds: list[str] = []

    def hear(self, client: Client, message: m.SnapshotReply | m.Event) -> None:
        """As `Follower.hear`."""
        match message:
            case m.SnapshotReply():
                if message.standing.hold:
                    self._hold(client, message.standing.hold)
                if message.state == "approved" and message.standing.approved:
                    self._claim(client, message.standing.approved)
            case m.Hold():
                self._hold(client, message)
            case m.Approved():
                self._claim(client, message)

    def _hold(self, client: Client, hold: m.Hold) -> None:
        self.holds.append(hold.reason)
        try:
            client.acknowledge_hold(hold.hold_id)
        except RefusedError as error:
            if error.code != "not_now":  # acknowledged already
                raise

    def _claim(self, client: Client, approved: m.Approved) -> None:
        """Report, claim, and go where the reply sends the couch."""
        client.snapshot()
        client.report_machine(self.loaded, beam_on=False, simulated=True, units=UNITS)
        try:
            reply = client.claim(approved.proposal_id, token=approved.token, couch=readout(self.couch))
        except RefusedError as error:
            if error.code in ("wrong_plan", "wrong_session", "not_now"):
                return  # the plan or the engine changed meanwhile
            raise
        if reply.release:
            self._move(client, reply.release)
        self.claims.append(Claimed(proposal_id=approved.proposal_id, reply=reply))

    def _move(self, client: Client, release: m.Release) -> None:
        client.report_couch(release.proposal_id, "start", readout(self.couch))
        run = self.couch.move_to(release.target, fault=self.fault)
        for step in range(1, STEPS + 1):
            self.couch = run.at(run.duration_s * step / STEPS)
            if client.report_couch(release.proposal_id, "during", readout(self.couch)).hold:
                return
        phase: Phase = "after" if self.fault.after >= 1.0 else "stopped"
        client.report_couch(release.proposal_id, phase, readout(self.couch))


def readout(couch: SimulatedCouch) -> m.CouchReadout:
    """The couch as it reads itself back."""
    return m.CouchReadout(**couch.reading())
