"""Starting and stopping: loopback only, one engine a folder, nothing half-written, nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import EngineSilentError
from igrt.bus.sockets import Endpoints, loopback_host
from igrt.engine.alerts import ALERTS
from igrt.engine.server import Engine, Settings
from igrt.engine.spool import Description, Spool
from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from tests.bus.raw import dealer, receive

HFS = PatientPosition.HFS
WAIT_S = 30.0

SERVE = """
import sys
from pathlib import Path
from igrt.engine.case import Limits
from igrt.engine.alerts import ALERTS
from igrt.engine.server import Settings, serve
folder, *worker = sys.argv[1:]
settings = Settings(folder=Path(folder), worker_command=tuple(worker), limits=Limits(reserve_bytes=0, disk_low_bytes=0))
serve(settings, on_ready=lambda endpoints: print("ready", flush=True))
"""


@pytest.fixture
def process(tmp_path):
    """An engine in a process of its own."""
    worker = [sys.executable, str(Path(__file__).with_name("fake_worker.py"))]
    command = [sys.executable, "-c", SERVE, str(tmp_path / "engine"), *worker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        try:
            assert engine.stdout.readline() == "ready\n"
            yield engine
        finally:
            engine.kill()


def children(pid: int) -> list[int]:
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    """Within a few seconds; a process that has ended and not been waited for counts as gone."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_engine_leaves_nothing_half_written(process, tmp_path, plan_file, volume, number):
    folder = tmp_path / "engine"
    with Client(folder) as client:
        client.load_plan(plan_file())
        transfer = client.begin_image(volume.grid, position=HFS, image_id="scan-1")
        transfer.send(0, volume.hu[:5])
        transfer.drain()
        (worker,) = children(process.pid)
        for k in range(6, 12):
            transfer.send(k, volume.hu[k : k + 1])
        process.send_signal(number)
        told = client.wait_for(m.Stopping, timeout_s=WAIT_S)
        assert told.number > 0
        assert process.wait(WAIT_S) == 0
    assert is_gone(worker)
    assert sorted(p.name for p in folder.iterdir()) == ["engine.lock", "journal.sqlite", "journal.sqlite.lock", "release.key", "spool"]
    assert sorted(p.name for p in (folder / "spool").iterdir()) == ["scan-1.hu", "scan-1.json"]
    description = msgspec.json.decode((folder / "spool" / "scan-1.json").read_bytes(), type=Description)
    spool = Spool(folder / "spool", description, reserve_bytes=0)
    assert spool.stored[0] == (0, 5)
    on_disk = np.fromfile(spool.path, "<i2", volume.hu.size).reshape(volume.hu.shape)
    for first, end in spool.stored:
        assert (on_disk[first:end] == volume.hu[first:end]).all()
    spool.close()


def test_a_killed_engine_takes_its_worker_along_and_its_images_stay(process, tmp_path, plan_file, volume):
    folder = tmp_path / "engine"
    with Client(folder) as client:
        client.load_plan(plan_file())
        transfer = client.begin_image(volume.grid, position=HFS, image_id="scan-1")
        transfer.send(2, volume.hu[2:6])
        transfer.drain()
    (worker,) = children(process.pid)
    process.kill()
    process.wait(WAIT_S)
    assert is_gone(worker)
    assert (folder / "endpoints.json").exists()  # of the dead run; the next one replaces it
    spooled = (folder / "spool" / "scan-1.hu").read_bytes()
    assert spooled[2 * 60 : 6 * 60] == volume.hu[2:6].tobytes()


def test_an_engine_that_answers_is_stopped_without_waiting_for_the_answer(process, tmp_path, plan_file, volume):
    with Client(tmp_path / "engine") as client:
        client.load_plan(plan_file(hold="answer"))
        client.send_image(volume, position=HFS)
        until = time.monotonic() + WAIT_S
        while not (tmp_path / "held").exists() and time.monotonic() < until:
            time.sleep(0.01)
        (worker,) = children(process.pid)
        process.terminate()
        assert process.wait(WAIT_S) == 0
    assert is_gone(worker)


def test_an_engine_that_falls_silent_is_noticed_within_seconds_and_heard_again(process, tmp_path):
    with Client(tmp_path / "engine") as client:
        stream = client.events()
        assert isinstance(next(stream), m.SnapshotReply)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(EngineSilentError) as silence:
            next(stream)
        assert 2.9 < time.monotonic() - began < 15
        process.send_signal(signal.SIGCONT)
        assert client.snapshot().state == "idle"
    assert ALERTS["heartbeat_lost"].sentence in str(silence.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "example.org", "", "*", "127.0.0.1; ls"])
def test_any_other_address_than_this_machines_is_refused(host, tmp_path):
    with pytest.raises(InputError, match="listens on this machine only"):
        Engine(Settings(folder=tmp_path, host=host))


def test_loopback_addresses_are_taken():
    assert loopback_host("localhost") == "127.0.0.1"
    assert loopback_host("127.8.9.1") == "127.8.9.1"
    assert loopback_host("::1") == "[::1]"


def test_a_second_engine_in_the_same_folder_is_refused(engine, start_engine):
    with pytest.raises(InputError, match="an engine runs in this folder already"):
        start_engine()
    with Client(engine.folder) as client:
        assert client.snapshot().state == "idle"


def test_a_port_that_is_taken_is_named(engine, start_engine, tmp_path):
    port = int(engine.endpoints.images.rsplit(":", 1)[1])
    with pytest.raises(InputError, match=f"port {port} for images"):
        start_engine(folder=tmp_path / "other", images_port=port)


def test_the_addresses_stand_in_the_folder_while_the_engine_runs(start_engine):
    running = start_engine()
    assert Endpoints.read(running.folder) == running.endpoints
    assert running.endpoints.pid == os.getpid()
    for address in (running.endpoints.commands, running.endpoints.images, running.endpoints.events):
        assert address.startswith("tcp://127.0.0.1:")
    running.stop()
    with pytest.raises(InputError, match="no engine has written its addresses here"):
        Client(running.folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "igrt/1"}'])
def test_a_file_that_is_no_list_of_addresses_is_named(tmp_path, text):
    file = tmp_path / "endpoints.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"endpoints\.json: not a list"):
        Client(file)


def test_an_engine_of_another_version_is_named(tmp_path):
    Endpoints(version="igrt/9", commands="a", images="b", events="c", pid=1).write(tmp_path / "endpoints.json")
    with pytest.raises(InputError, match="igrt/9"):
        Client(tmp_path)


def test_who_waits_for_a_plan_when_the_engine_stops_is_told(engine, plan_file, tmp_path):
    (tmp_path / "again").touch()
    frame = m.encode(m.LoadPlan(header=m.new_header(), path=str(plan_file(hang="load"))))
    with dealer(engine.endpoints.commands) as socket:
        socket.send(frame)
        until = time.monotonic() + WAIT_S
        while (tmp_path / "again").exists() and time.monotonic() < until:
            time.sleep(0.01)
        engine.stop()
        reply = receive(socket)
    assert reply.code == "stopping"
