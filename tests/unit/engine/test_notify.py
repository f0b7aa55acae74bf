"""What systemd hears, on a real datagram socket."""

import os
import socket

import pytest

from igrt.engine.notify import Notifier


@pytest.fixture(params=["a path", "an abstract name"])
def ear(request, tmp_path):
    """The socket that systemd listens on, and its name as the environment gives it."""
    name = str(tmp_path / "notify") if request.param == "a path" else f"@igrt-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(5)
        yield listening, name


def test_each_state_is_one_datagram(ear):
    listening, name = ear
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())})
    for tell, said in ((notifier.ready, b"READY=1"), (notifier.alive, b"WATCHDOG=1"), (notifier.stopping, b"STOPPING=1")):
        tell()
        assert listening.recv(100) == said


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_set_or_anothers_is_not_told(ear, watchdog):
    listening, name = ear
    notifier = Notifier({"NOTIFY_SOCKET": name} | watchdog)
    notifier.alive()
    notifier.ready()
    assert listening.recv(100) == b"READY=1"


def test_nobody_listening_is_no_trouble(tmp_path):
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1"}):
        notifier = Notifier(environment)
        notifier.ready()
        notifier.alive()
        notifier.stopping()


def test_a_full_queue_does_not_hold_the_engine_up(ear):
    _, name = ear
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1"})
    for _ in range(2000):
        notifier.alive()
