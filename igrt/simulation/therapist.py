"""A simulated therapist: approves what may be approved, and says that no person did."""

from __future__ import annotations

from pathlib import Path

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.sockets import Endpoints
from igrt.simulation.follower import Follower

NAME = "simulated therapist (igrt simulation, no person)"


class Therapist(Follower):
    """Follows one engine until `end`; approves every proposal whose verdict lets the couch move. `approved` lists what it did."""

    def __init__(self, endpoints: Endpoints | Path) -> None:
        super().__init__(endpoints, name="simulated therapist")
        self.approved: list[str] = []

    def hear(self, client: Client, message: m.SnapshotReply | m.Event) -> None:
        """As `Follower.hear`."""
        if isinstance(message, m.SnapshotReply):
            proposal = message.result if message.state == "proposed" else None
        else:
            proposal = message if isinstance(message, m.Proposal) else None
        if isinstance(proposal, m.Proposal) and proposal.answer["verdict"] in ("proceed", "caution"):
            try:
                client.snapshot()
                client.approve(proposal.proposal_id, by=NAME, simulated=True)
            except RefusedError:
                return  # a newer image or plan took its place
            self.approved.append(proposal.proposal_id)
