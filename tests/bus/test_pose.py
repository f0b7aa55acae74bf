"""A pose set by hand: measured beside the answer that stands, told, kept, and never in its place."""

import os
import signal
import time

import msgspec
import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError, RefusedInputError
from igrt.engine.journal import read_rows
from igrt.engine.record import EVENT, FILE, SPOOL
from igrt.engine.replay import replay
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition

HFS = PatientPosition.HFS
POSE = RigidMotion(Frame.PLAN, Frame.DAILY, rotation_from_angles(pitch_deg=1.0, roll_deg=2.0, yaw_deg=-3.0), np.array([1.5, -2.5, 3.5]))
WAIT_S = 30.0


def answered(client, plan, volume):
    """An image, sent and answered."""
    client.load_plan(plan)
    image_id = client.send_image(volume, position=HFS)
    return image_id, client.wait_for_answer(image_id, timeout_s=WAIT_S)


def until(path):
    """Wait for what a held worker leaves."""
    end_s = time.monotonic() + WAIT_S
    while not path.exists():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def ask(client, image_id):
    """Have the pose measured, without waiting for it."""
    rows = tuple(tuple(row) for row in POSE.matrix.tolist())
    request = m.EvaluatePose(header=client._header(), image_id=image_id, plan_from_daily=rows, by="Test Therapist")
    return client._request(request, m.EvaluatePoseReply, timeout_s=WAIT_S).request_id


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
def test_what_stands_goes_on_standing(client, plan_file, volume, outcome):
    plan = plan_file(outcome=outcome, verdict="proceed" if outcome == "accepted" else "refused")
    image_id, result = answered(client, plan, volume)
    before = client.snapshot()
    event = client.evaluate_pose(image_id, POSE, by="Test Therapist")
    assert (event.image_id, event.by) == (image_id, "Test Therapist")
    assert np.array_equal(event.answer["match"]["pose"], POSE.matrix)
    assert event.answer["correction"] == result.answer["correction"]  # of every voxel, the image told again
    now = client.snapshot()
    assert (now.state, now.result, now.image) == (before.state, before.result, before.image)
    assert now.result.answer["match"] == {"manual": False, "pose": None}
    client.evaluate_pose(image_id, POSE, by="Test Therapist")


def test_a_proposal_is_approved_after_it_as_before(client, plan_file, volume):
    image_id, proposal = answered(client, plan_file(), volume)
    client.evaluate_pose(image_id, POSE, by="Test Therapist")
    assert client.approve(proposal.proposal_id, by="Test Therapist", simulated=True).proposal_id == proposal.proposal_id
    client.evaluate_pose(image_id, POSE, by="Test Therapist")
    assert client.snapshot().state == "approved"


def test_it_is_kept(start_engine, plan_file, volume):
    engine = start_engine()
    with Client(engine.endpoints) as client:
        image_id, _ = answered(client, plan_file(patient_id="P1"), volume)
        event = client.evaluate_pose(image_id, POSE, by="Test Therapist")
    engine.stop()
    rows = [row for row in read_rows(engine.folder / FILE) if row.kind == EVENT]
    kept = [msgspec.msgpack.decode(row.payload) for row in rows if b"pose_evaluated" in row.payload]
    assert [one["answer"] for one in kept] == [event.answer]
    again = replay(engine.folder, answers=False)
    assert list(again.sentences) == []
    assert again.decisions["evaluate_pose"] == 1
    assert again.decisions["answer"] == 2


def test_another_image_or_nothing_or_no_motion(client, plan_file, volume):
    client.load_plan(plan_file())
    with pytest.raises(RefusedError, match="no image has been answered"):
        ask(client, "nothing")
    image_id, _ = answered(client, plan_file(), volume)
    with pytest.raises(RefusedError, match="not the image that was answered last"):
        ask(client, "another")
    stretched = ((1.1, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    request = m.EvaluatePose(header=client._header(), image_id=image_id, plan_from_daily=stretched, by="Test Therapist")
    with pytest.raises(RefusedInputError, match="no rigid motion"):
        client._request(request, m.EvaluatePoseReply, timeout_s=WAIT_S)
    with pytest.raises(ValueError, match="plan_from_daily"):
        client.evaluate_pose(image_id, POSE.inverse(), by="Test Therapist")
    assert client.snapshot().state == "proposed"


def test_one_at_a_time_and_the_next_image_ends_it(client, plan_file, volume):
    plan = plan_file(hold="pose")
    image_id, _ = answered(client, plan, volume)
    first = ask(client, image_id)
    until(plan.with_name("held"))
    with pytest.raises(RefusedError, match="another pose is being measured"):
        ask(client, image_id)
    second = client.send_image(volume, position=HFS)
    gone = client.wait_for(m.PoseNotEvaluated, timeout_s=WAIT_S)
    assert (gone.evaluation_id, gone.image_id, gone.code) == (first, image_id, "not_now")
    plan.with_name("go").touch()
    assert isinstance(client.wait_for_answer(second, timeout_s=WAIT_S), m.Proposal)
    assert client.evaluate_pose(second, POSE, by="Test Therapist").answer["match"]["manual"]


def test_a_worker_killed_at_it_is_told_again(start_engine, plan_file, volume):
    engine, plan = start_engine(), plan_file(hold="pose")
    with Client(engine.endpoints) as client:
        image_id, result = answered(client, plan, volume)
        asked = ask(client, image_id)
        until(plan.with_name("held"))
        os.kill(engine.worker_pid, signal.SIGKILL)
        plan.with_name("go").touch()
        event = client.wait_for(m.PoseEvaluated, timeout_s=WAIT_S)
        assert event.evaluation_id == asked
        assert event.answer["correction"] == result.answer["correction"]
        assert client.snapshot().state == "proposed"


def test_a_worker_that_always_dies_at_it_leaves_the_proposal(client, plan_file, volume):
    image_id, result = answered(client, plan_file(crash="pose", always=True), volume)
    with pytest.raises(RefusedError, match="died every time"):
        client.evaluate_pose(image_id, POSE, by="Test Therapist")
    now = client.snapshot()
    assert (now.state, now.result) == ("proposed", result)


def test_after_a_restart_of_the_engine(start_engine, plan_file, volume):
    engine = start_engine()
    with Client(engine.endpoints) as client:
        image_id, result = answered(client, plan_file(), volume)
    engine.stop()
    engine.start()
    with Client(engine.endpoints) as client:
        event = client.evaluate_pose(image_id, POSE, by="Test Therapist")
        assert event.answer["correction"] == result.answer["correction"]


@pytest.mark.parametrize("lost", ["the file", "a slice"])
def test_after_a_restart_an_image_that_is_no_longer_whole_is_not_measured(start_engine, plan_file, volume, lost):
    engine = start_engine()
    with Client(engine.endpoints) as client:
        image_id, result = answered(client, plan_file(), volume)
    engine.stop()
    path = engine.folder / SPOOL / f"{image_id}.hu"
    if lost == "the file":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[0] ^= 1
        path.write_bytes(data)
    engine.start()
    with Client(engine.endpoints) as client:
        with pytest.raises(RefusedError, match="is no longer on disk as it was kept"):
            client.evaluate_pose(image_id, POSE, by="Test Therapist")
        assert client.snapshot().result == result
