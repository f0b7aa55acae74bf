"""Speaking to the engine frame by frame, as a foreign or faulty client would."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import zmq

from igrt.bus import messages as m
from igrt.bus.topics import REPLIES, SLAB_REPLIES, decode

WAIT_MS = 10_000


@contextmanager
def dealer(address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)
        yield socket


def ask(socket: zmq.Socket[bytes], frames: Sequence[bytes], *, slabs: bool = False) -> m.Message:
    socket.send_multipart(list(frames))
    return receive(socket, slabs=slabs)


def receive(socket: zmq.Socket[bytes], *, slabs: bool = False) -> m.Message:
    assert socket.poll(WAIT_MS), "no reply"
    return decode(socket.recv_multipart()[-1], SLAB_REPLIES if slabs else REPLIES)


def slab(image_id: str, k_start: int, data: bytes, slices: int, **changes: object) -> list[bytes]:
    fields = {
        "image_id": image_id,
        "k_start": k_start,
        "slices": slices,
        "length_bytes": len(data),
        "crc32": zlib.crc32(data),
    } | changes
    return [m.encode(m.Slab(header=m.new_header(), **fields)), data]
