"""A loopback proxy between clients and engine, in a process of its own, that cuts, tears and delays what goes through it when told to.

Each port is one TCP stream a connection, in which nothing can change places; across connections and sockets everything does, for
each direction of each waits for itself.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress

FAULTS = ("cut", "tear", "delay", "hold")
"""Every connection is reset; or in the middle of what comes next; or each piece waits; or nothing goes through for a while."""
CHUNK_BYTES = 4096
LONGEST_S = 0.03
HOLD_S = 0.15
RECOVERY_S = 0.4
"""How long a delay stays on."""


class Proxy:
    """Serves until its process ends; a byte on `control` is the index of a fault."""

    def __init__(self, pairs: list[tuple[int, int]], control: int, rng: random.Random) -> None:
        """`pairs` are the port that clients use and the engine's own."""
        self._pairs, self._control, self._rng = pairs, control, rng
        self._writers: set[asyncio.StreamWriter] = set()
        self._tear = 0
        self._delayed_until_s = self._held_until_s = 0.0

    async def serve(self, ready: Callable[[], None]) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        servers = [await asyncio.start_server(self._taker(engine), "127.0.0.1", client) for client, engine in self._pairs]
        loop.add_reader(self._control, self._obey)
        ready()
        try:
            await asyncio.Event().wait()
        finally:
            loop.remove_reader(self._control)
            for server in servers:
                server.close()
            self._reset_all()

    def _taker(self, engine_port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]:
        async def take(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            try:
                from_engine, to_engine = await asyncio.open_connection("127.0.0.1", engine_port)
            except OSError:
                to_client.transport.abort()
                return
            self._writers |= {to_client, to_engine}
            ways = ((from_client, to_engine), (from_engine, to_client))
            await asyncio.gather(*(self._carry(*way, to_client, to_engine) for way in ways))
            self._writers -= {to_client, to_engine}

        return take

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *both: asyncio.StreamWriter) -> None:
        """One direction, until either end is gone."""
        now_s = asyncio.get_running_loop().time
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if now_s() < self._held_until_s:
                    await asyncio.sleep(self._held_until_s - now_s() + self._rng.uniform(0.0, LONGEST_S))
                if now_s() < self._delayed_until_s:
                    await asyncio.sleep(self._rng.uniform(0.0, LONGEST_S))
                if self._tear and len(data) > 1:
                    self._tear -= 1
                    writer.write(data[: self._rng.randrange(1, len(data))])
                    await writer.drain()
                    break
                writer.write(data)
                await writer.drain()
        for one in both:
            one.transport.abort()

    def _obey(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for index in os.read(self._control, 64):
            fault = FAULTS[index]
            if fault == "cut":
                self._reset_all()
            elif fault == "tear":
                self._tear = self._rng.randrange(1, 4)
            elif fault == "delay":
                self._delayed_until_s = now_s + RECOVERY_S
            else:
                self._held_until_s = now_s + HOLD_S

    def _reset_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


def run(pairs: list[tuple[int, int]], control: int, rng: random.Random, ready: Callable[[], None]) -> None:
    """The proxy's process."""
    asyncio.run(Proxy(pairs, control, rng).serve(ready))
