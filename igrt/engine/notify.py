"""Telling systemd that the engine serves, that it still does, and that it stops: one datagram each, as sd_notify sends them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Silent where systemd did not start this process, and where it does not listen."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Reads NOTIFY_SOCKET, and WATCHDOG_USEC where WATCHDOG_PID names this process or none."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watched = mine and environment.get("WATCHDOG_USEC", "").isdecimal()

    def ready(self) -> None:
        """The engine serves."""
        self._tell(b"READY=1")

    def alive(self) -> None:
        """The loop still turns; to be told more often than twice in the unit's WatchdogSec."""
        if self._watched:
            self._tell(b"WATCHDOG=1")

    def stopping(self) -> None:
        """The engine was asked to stop."""
        self._tell(b"STOPPING=1")

    def _tell(self, state: bytes) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as ear:
                ear.sendto(state, self._address)
