"""The worker may crash, hang or be killed; the engine says so, and the answer still comes."""

import os
import signal
import time
from pathlib import Path

import pytest

from igrt.bus import messages as m
from igrt.bus.errors import RefusedError
from igrt.engine.supervisor import Budgets
from igrt.geometry.position import PatientPosition

HFS = PatientPosition.HFS
WAIT_S = 30.0


def appears(path: Path) -> bool:
    until = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.005)
    return path.exists()


def alerts_until_answer(client, image_id):
    codes = []
    for event in client.events(timeout_s=WAIT_S):
        if isinstance(event, m.Alert):
            codes.append(event.alert.code)
        if isinstance(event, m.Proposal) and event.image_id == image_id:
            return codes, event
    raise AssertionError(f"no proposal; alerts {codes}")


def total(volume):
    return volume.hu.astype(float).sum(axis=(1, 2)).mean()


def test_killed_while_registering_it_is_told_again_and_the_answer_comes(engine, client, plan_file, volume, tmp_path):
    client.load_plan(plan_file(hold="answer"))
    image_id = client.send_image(volume, position=HFS)
    assert appears(tmp_path / "held")
    os.kill(engine.worker_pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    codes, proposal = alerts_until_answer(client, image_id)
    assert codes == ["worker_died"]
    assert proposal.answer["correction"]["lateral_mm"] == total(volume)
    assert client.snapshot().alerts == []


def test_killed_while_an_image_is_taken_in(engine, client, plan_file, volume):
    client.load_plan(plan_file())
    transfer = client.begin_image(volume.grid, position=HFS)
    transfer.send(0, volume.hu[:7])
    transfer.drain()
    os.kill(engine.worker_pid, signal.SIGKILL)
    transfer.send_missing(volume.hu, slab_slices=2)
    transfer.end()
    codes, proposal = alerts_until_answer(client, transfer.image_id)
    assert codes == ["worker_died"]
    assert proposal.answer["correction"]["lateral_mm"] == total(volume)


@pytest.mark.parametrize("task", ["add", "answer"])
def test_a_crash_on_one_task_happens_once(client, plan_file, volume, tmp_path, task):
    client.load_plan(plan_file(crash=task))
    (tmp_path / "again").touch()
    codes, proposal = alerts_until_answer(client, client.send_image(volume, position=HFS))
    assert codes == ["worker_died"]
    assert proposal.answer["correction"]["lateral_mm"] == total(volume)


def test_a_crash_while_the_plan_is_loaded(client, plan_file, tmp_path):
    (tmp_path / "again").touch()
    client.load_plan(plan_file(crash="load"))
    assert client.wait_for(m.Alert, timeout_s=WAIT_S).alert.code == "worker_died"


def test_a_hang_is_ended_at_its_budget(start_engine, plan_file, volume, tmp_path):
    from igrt.bus.client import Client

    engine = start_engine(budgets=Budgets(answer_s=0.5))
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(hang="answer"))
        (tmp_path / "again").touch()
        codes, proposal = alerts_until_answer(client, client.send_image(volume, position=HFS))
    assert codes == ["worker_over_budget"]
    assert proposal.answer["correction"]["lateral_mm"] == total(volume)


def test_an_image_that_always_kills_the_worker_fails_and_the_next_one_does_not(client, plan_file, volume, tmp_path):
    client.load_plan(plan_file(crash="answer", always=True))
    image_id = client.send_image(volume, position=HFS)
    with pytest.raises(RefusedError, match="died every time") as caught:
        client.wait_for_answer(image_id, timeout_s=WAIT_S)
    assert caught.value.code == "worker_failed"
    assert client.snapshot().state == "interrupted"
    client.load_plan(plan_file("good.json"))
    client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=WAIT_S)


def test_a_plan_that_always_kills_the_worker_is_refused(client, plan_file):
    with pytest.raises(RefusedError, match="died every time"):
        client.load_plan(plan_file(crash="load", always=True))
    assert client.snapshot().state == "idle"


def test_a_plan_that_changed_on_disk_goes_out_of_use_when_it_is_read_again(engine, client, plan_file):
    client.load_plan(plan_file())
    plan_file(patient_id="another patient")
    os.kill(engine.worker_pid, signal.SIGKILL)
    codes = []
    for event in client.events(timeout_s=WAIT_S):
        if isinstance(event, m.Alert):
            codes.append(event.alert.code)
            if event.alert.code == "plan_changed":
                break
    assert codes == ["worker_died", "plan_changed"]
    assert client.snapshot().state == "idle"
    client.load_plan(plan_file())
    assert client.snapshot().alerts == []


def test_a_plan_that_cannot_be_read_again_goes_out_of_use(engine, client, plan_file):
    path = plan_file()
    client.load_plan(path)
    path.unlink()
    os.kill(engine.worker_pid, signal.SIGKILL)
    for event in client.events(timeout_s=WAIT_S):
        if isinstance(event, m.Alert) and event.alert.code == "plan_lost":
            assert "there is no such plan" in event.alert.sentence
            break
    else:
        pytest.fail("no alert")
    assert client.snapshot().state == "idle"
