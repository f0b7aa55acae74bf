"""Two followers of the event stream, in processes of their own: one keeps every frame, the other is the bus client and its recovery."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zmq

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import EngineSilentError
from igrt.bus.sockets import Endpoints
from igrt.bus.topics import EVENTS, decode

_LENGTH = struct.Struct("<I")


def follow_raw(port: int, path: Path) -> None:
    """Until killed: every event's frame goes to a file as it came."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    events = context.socket(zmq.SUB)
    events.setsockopt(zmq.RECONNECT_IVL, 5)
    events.subscribe(b"")
    events.connect(f"tcp://127.0.0.1:{port}")
    with path.open("ab", buffering=0) as file:
        while True:
            frame = events.recv()
            if isinstance(decode(frame, EVENTS), m.Event):
                file.write(_LENGTH.pack(len(frame)) + frame)


def raw_frames(path: Path) -> Iterator[bytes]:
    """What the first follower heard."""
    data = path.read_bytes() if path.exists() else b""
    while len(data) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        yield data[_LENGTH.size : end]
        data = data[end:]


def follow_as_client(ports: tuple[int, int, int], path: Path) -> None:
    """Until killed: where this follower believes the session to be, one line at each change, whatever it missed."""
    addresses = [f"tcp://127.0.0.1:{port}" for port in ports]
    endpoints = Endpoints(commands=addresses[0], images=addresses[1], events=addresses[2], pid=os.getpid())
    with path.open("ab", buffering=0) as file:
        while True:
            try:
                with Client(endpoints) as client:
                    for message in client.events():
                        if isinstance(message, m.SnapshotReply | m.StateChanged):
                            known = {"snapshot": isinstance(message, m.SnapshotReply), "session": message.header.session}
                            file.write(msgspec.json.encode(known | {"number": message.number, "state": message.state}) + b"\n")
            except EngineSilentError:
                continue


def believed(path: Path) -> list[dict[str, Any]]:
    """What the second follower believed, in order."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [msgspec.json.decode(line) for line in lines if line]
