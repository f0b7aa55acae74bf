"""Whoever follows one engine on a thread of its own."""

from __future__ import annotations

import threading
from abc import abstractmethod
from pathlib import Path

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.sockets import Endpoints

QUIET_S = 0.2


class Follower(threading.Thread):
    """Hears every snapshot and event of one engine until `end`."""

    def __init__(self, endpoints: Endpoints | Path, *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._endpoints, self._ended = endpoints, threading.Event()
        self.failure: BaseException | None = None

    @abstractmethod
    def hear(self, client: Client, message: m.SnapshotReply | m.Event) -> None:
        """What to do about a message."""

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
                        self.hear(client, message)
        except BaseException as error:  # noqa: BLE001 - raised where the thread is ended
            self.failure = error
