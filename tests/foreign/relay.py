"""The event stream through a relay that loses one event, as a follower that reads too slowly would."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zmq

from igrt.bus.sockets import EVENT_QUEUE, Endpoints, publisher, subscriber

WAIT_MS = 10_000


@dataclass
class Relay:
    """Passes frames on until `end`; the first event of kind `loses` is lost, once."""

    engine: Endpoints
    loses: str
    lost: list[int] = field(default_factory=list)

    def start(self, folder: Path) -> None:
        """Write the addresses that a client of this relay uses to `folder`."""
        folder.mkdir()
        self._context = zmq.Context()
        self._from = subscriber(self._context, self.engine.events, queue=EVENT_QUEUE)
        assert self._from.poll(WAIT_MS)
        self._to = publisher(self._context.socket, welcome=self._from.recv())
        port = self._to.bind_to_random_port("tcp://127.0.0.1")
        msgspec.structs.replace(self.engine, events=f"tcp://127.0.0.1:{port}").write(folder / "endpoints.json")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._pass_on)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _pass_on(self) -> None:
        while not self._ended.is_set():
            if not self._from.poll(50):
                continue
            frame = self._from.recv()
            message = msgspec.msgpack.decode(frame)
            if message["kind"] == self.loses and not self.lost:
                self.lost.append(message["number"])
                continue
            self._to.send(frame)
