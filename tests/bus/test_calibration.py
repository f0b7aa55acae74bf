"""Images are judged by the machine profile and protocol that were read with the plan; where these change, the plan goes out of use."""

import os
import shutil
import signal

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.engine.journal import read_rows
from igrt.engine.record import FILE, PLAN, PlanRow
from igrt.geometry.position import PatientPosition
from igrt.verification.protocol import load_protocol
from igrt.verification.site import shipped_folder
from tests.bus.conftest import FAKE_WORKER, WAIT_S


@pytest.fixture
def protocol(tmp_path):
    """A protocol of the site."""
    file = tmp_path / "site" / "protocols" / "own.toml"
    file.parent.mkdir(parents=True)
    return shutil.copy(shipped_folder() / "protocols" / "default.toml", file)


@pytest.fixture
def engine(start_engine, tmp_path, protocol):
    return start_engine(site=tmp_path / "site", worker_command=(*FAKE_WORKER, "--site", str(tmp_path / "site")))


def change(protocol):
    with protocol.open("a") as file:
        file.write("\n# changed\n")


def test_the_journal_holds_them_by_value(engine, client, plan_file, tmp_path, protocol):
    client.load_plan(plan_file(), protocol="own")
    (row,) = [r for r in read_rows(engine.folder / FILE) if r.kind == PLAN]
    used = msgspec.msgpack.decode(row.payload, type=PlanRow).ready.used
    assert used.protocol.path == str(protocol)
    assert used.load()[1] == load_protocol("own", tmp_path / "site")


def test_a_protocol_that_changed_takes_the_plan_out_of_use_when_it_is_read_again(engine, client, plan_file, protocol):
    client.load_plan(plan_file(), protocol="own")
    change(protocol)
    os.kill(engine.worker_pid, signal.SIGKILL)
    while client.snapshot().state != "idle":
        client.wait_for(m.StateChanged, timeout_s=WAIT_S)
    assert "plan_changed" in {alert.code for alert in client.snapshot().alerts}


def test_also_over_a_restart(engine, client, plan_file, protocol, start_engine):
    client.load_plan(plan_file(), protocol="own")
    engine.stop()
    change(protocol)
    with Client(start_engine(site=engine.settings.site, worker_command=engine.settings.worker_command).endpoints) as other:
        while other.snapshot().state != "idle":
            other.wait_for(m.StateChanged, timeout_s=WAIT_S)
        assert [alert.code for alert in other.snapshot().alerts] == ["plan_changed"]


def test_a_worker_that_dies_brings_the_plan_back_where_nothing_changed(engine, client, plan_file, volume, protocol):
    client.load_plan(plan_file(), protocol="own")
    os.kill(engine.worker_pid, signal.SIGKILL)
    sent = client.send_image(volume, position=PatientPosition.HFS)
    assert isinstance(client.wait_for_answer(sent, timeout_s=WAIT_S), m.Proposal)
