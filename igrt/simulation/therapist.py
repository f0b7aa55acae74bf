"""A simulated therapist: approves what may be approved, and says that no person did."""

from __future__ import annotations

import threading
from pathlib import Path

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.sockets import Endpoints

NAME = "simulated therapist (igrt simulation, no person)"
QUIET_S = 0.2


class Therapist(threading.Thread):
    """Follows one engine until `end`; approves every proposal whose verdict lets the couch move. `approved` lists what it did."""

    def __init__(self, endpoints: Endpoints | Path) -> None:
        super().__init__(name="simulated therapist", daemon=True)
        self._endpoints, self._ended = endpoints, threading.Event()
        self.approved: list[str] = []
        self.failure: BaseException | None = None

    def end(self) -> None:
        """Stop following; raises what went wrong meanwhile."""
        self._ended.set()
        self.join()
        if self.failure:
            raise self.failure

    def run(self) -> None:
        """Follow."""
        try:
            with Client(self._endpoints) as client:
                while not self._ended.is_set():
                    for message in client.events(timeout_s=QUIET_S):
                        self._look(client, message)
        except BaseException as error:  # noqa: BLE001 - raised where the thread is ended
            self.failure = error

    def _look(self, client: Client, message: m.SnapshotReply | m.Event) -> None:
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
