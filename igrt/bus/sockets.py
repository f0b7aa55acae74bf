"""Where the sockets are, and how they are set up: loopback only, bounded queues, bounded messages."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import zmq
from msgspec import Struct

from igrt.bus.messages import VERSION
from igrt.errors import InputError

ENDPOINTS_FILE = "endpoints.json"
LARGEST_COMMAND_BYTES = 1 << 20
LARGEST_SLAB_BYTES = 64 << 20
CREDIT_SLABS = 8
EVENT_QUEUE = 10_000
_SocketT = TypeVar("_SocketT", bound="zmq.Socket[Any]")


class Endpoints(Struct, frozen=True, kw_only=True):
    """Addresses of a running engine; written to `endpoints.json` in its folder while it runs."""

    version: str = VERSION
    commands: str
    images: str
    events: str
    pid: int

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Endpoints:
        """From a file, or a folder that holds `endpoints.json`; InputError where no engine has left one."""
        file = path / ENDPOINTS_FILE if path.is_dir() else path
        try:
            endpoints = msgspec.json.decode(file.read_bytes(), type=cls)
        except FileNotFoundError as error:
            raise InputError(f"{file}: no engine has written its addresses here; start one with igrt serve") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise InputError(f"{file}: not a list of an engine's addresses ({error}); start the engine again") from error
        if endpoints.version != VERSION:
            raise InputError(f"{file}: the engine speaks {endpoints.version!r}, this side {VERSION!r}; run the same version on both sides")
        return endpoints


def loopback_host(host: str) -> str:
    """`host` where it is this machine's loopback; InputError for any other, until connections are authenticated by keys."""
    name = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError(
            f"host {host!r}: the engine listens on this machine only (127.0.0.1) until connections are authenticated by keys; "
            "run its clients on this machine"
        )
    return f"[{name}]" if ":" in name else name


def bind(socket: zmq.Socket[Any], *, host: str, port: int, what: str) -> str:
    """Bind to a loopback address and return it; port 0 lets the system choose. InputError where the port is taken."""
    address = f"tcp://{loopback_host(host)}:{port if port else '*'}"
    if ":" in host:
        socket.setsockopt(zmq.IPV6, 1)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise InputError(f"port {port} for {what}: {error.strerror}; give a free port, or 0 to let the system choose") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def router(make: Callable[[int], _SocketT], *, largest_bytes: int, queue: int) -> _SocketT:
    """A ROUTER: a peer that does not read loses its own replies, and holds up nobody."""
    socket = make(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.setsockopt(zmq.MAXMSGSIZE, largest_bytes)
    socket.setsockopt(zmq.RCVHWM, queue)
    socket.setsockopt(zmq.SNDHWM, 1000)
    return socket


def publisher(make: Callable[[int], _SocketT], *, welcome: bytes) -> _SocketT:
    """An XPUB that greets each subscriber, and drops what a subscriber does not read rather than wait for it."""
    socket = make(zmq.XPUB)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_COMMAND_BYTES)
    socket.setsockopt(zmq.SNDHWM, EVENT_QUEUE)
    socket.setsockopt(zmq.XPUB_NODROP, 0)
    socket.setsockopt(zmq.XPUB_WELCOME_MSG, welcome)
    return socket


def dealer(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    """A client's end of a ROUTER."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    if "[" in address:
        socket.setsockopt(zmq.IPV6, 1)
    socket.connect(address)
    return socket


def subscriber(context: zmq.Context[zmq.Socket[bytes]], address: str, *, queue: int = EVENT_QUEUE) -> zmq.Socket[bytes]:
    """A follower's end of the event stream, unfiltered."""
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, queue)
    if "[" in address:
        socket.setsockopt(zmq.IPV6, 1)
    socket.subscribe(b"")
    socket.connect(address)
    return socket
