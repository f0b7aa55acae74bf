"""The image socket: slabs are read, checked, written by the disk's own thread, and acknowledged once they are on disk.

What arrives while the disk is busy is written and synced together, so that the disk sets the pace and not the network.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import zmq
import zmq.asyncio

from igrt.bus import messages as m
from igrt.bus.sockets import CREDIT_SLABS
from igrt.bus.topics import SLABS, WireError, decode
from igrt.engine.case import Case
from igrt.engine.spool import SlabData, Spool


@dataclass(frozen=True, slots=True)
class _Arrival:
    peer: bytes
    message: m.Slab
    spool: Spool
    slab: SlabData
    received_s: float


class Intake:
    """Serves one ROUTER socket."""

    def __init__(self, socket: zmq.asyncio.Socket, case: Case, *, on_defect: Callable[[BaseException], None]) -> None:
        self._socket, self._case, self._on_defect = socket, case, on_defect
        self._arrivals: deque[_Arrival] = deque()
        self._arrived = asyncio.Event()
        self._unacknowledged = 0

    async def read(self) -> None:
        """Take slabs in, until cancelled."""
        while True:
            frames = await self._socket.recv_multipart(copy=False)
            received_s = self._case.stream.now_s
            peer = frames[0].bytes
            try:
                self._arrivals.append(self._arrival(peer, frames[1:], received_s))
            except WireError as error:
                await self._reply(
                    peer, m.Error(header=self._case.stream.header(), request_id=error.request_id, code=error.code, sentence=error.sentence)
                )
                continue
            self._unacknowledged += 1
            self._arrived.set()

    async def write(self) -> None:
        """Write, sync and acknowledge what has come, until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._arrivals:
                batch = [self._arrivals.popleft()]
                while self._arrivals and self._arrivals[0].spool is batch[0].spool:
                    batch.append(self._arrivals.popleft())
                try:
                    await self._store(batch)
                except Exception as error:  # noqa: BLE001 - a defect must not end the intake
                    self._on_defect(error)
                finally:
                    self._unacknowledged -= len(batch)

    async def finish(self) -> None:
        """Until all that has come is on disk and acknowledged; `read` must have ended."""
        while self._unacknowledged:
            await asyncio.sleep(0.001)

    def _arrival(self, peer: bytes, frames: list[zmq.Frame], received_s: float) -> _Arrival:
        if len(frames) != 2:
            raise WireError("malformed", f"{len(frames)} frames came; a slab is two: its message and its voxels")
        message = decode(frames[0].buffer, SLABS)
        assert isinstance(message, m.Slab)
        try:
            if self._unacknowledged >= CREDIT_SLABS:
                raise WireError("no_credit", f"{CREDIT_SLABS} slabs are unacknowledged already; wait for acknowledgements")
            data = frames[1].buffer
            if message.length_bytes != len(data):
                raise WireError("bad_slab", f"{message.length_bytes} bytes were announced and {len(data)} came; send the slab again")
            spool = self._case.spool_of(message.image_id)
            if message.dtype != spool.description.dtype:
                raise WireError(
                    "bad_input", f"image {message.image_id} is {spool.description.dtype}, not {message.dtype}; send it as announced"
                )
        except WireError as error:
            raise WireError(error.code, error.sentence, message.header.message_id) from error
        return _Arrival(peer, message, spool, SlabData(message.k_start, message.slices, message.crc32, data), received_s)

    async def _store(self, batch: list[_Arrival]) -> None:
        spool = batch[0].spool
        slabs = [a.slab for a in batch]
        try:
            outcomes = await self._case.on_disk(lambda: spool.take_in(slabs))
        except OSError as error:
            with self._case.stream.together():
                self._case.disk_failed(spool, error)
            refusal = WireError(
                "disk_failed", f"the slab could not be kept on disk ({error.strerror}); look at the disk, then begin the image again"
            )
            outcomes = [refusal] * len(batch)
        new = [a for a, outcome in zip(batch, outcomes, strict=True) if outcome is True]
        if new:
            self._case.slabs_stored(spool, [a.slab for a in new], received_s=max(a.received_s for a in new))
        for arrival, outcome in zip(batch, outcomes, strict=True):
            await self._reply(arrival.peer, self._acknowledgement(arrival, outcome))

    def _acknowledgement(self, arrival: _Arrival, outcome: bool | WireError) -> m.Reply:
        header, request_id = self._case.stream.header(), arrival.message.header.message_id
        if isinstance(outcome, WireError):
            return m.Error(header=header, request_id=request_id, code=outcome.code, sentence=outcome.sentence)
        return m.SlabStored(
            header=header,
            request_id=request_id,
            image_id=arrival.message.image_id,
            k_start=arrival.message.k_start,
            slices=arrival.message.slices,
            missing=arrival.spool.missing,
        )

    async def _reply(self, peer: bytes, reply: m.Reply) -> None:
        await self._socket.send_multipart([peer, m.encode(reply)])
