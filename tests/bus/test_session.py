"""From plan to proposal through the three sockets."""

import re

import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError, RefusedInputError
from igrt.geometry.position import PatientPosition
from tests.bus.raw import ask, dealer

HFS = PatientPosition.HFS


def test_an_image_becomes_a_proposal(client, plan_file, volume):
    plan = client.load_plan(plan_file(patient_id="P1"))
    assert plan.research
    assert plan.header.patient_id == "P1"
    told = []
    image_id = client.send_image(volume, position=HFS, slab_slices=3, progress=lambda done, of: told.append((done, of)))
    proposal = client.wait_for_answer(image_id, timeout_s=30)
    assert isinstance(proposal, m.Proposal)
    assert proposal.answer["correction"]["lateral_mm"] == volume.hu.astype(float).sum(axis=(1, 2)).mean()
    assert 0 < proposal.published_monotonic_s - proposal.last_byte_received_monotonic_s < 10
    assert told[-1] == (20, 20)
    assert [d for d, _ in told] == sorted(d for d, _ in told)
    verdict = client.wait_for(m.Verdict, timeout_s=30, image_id=image_id)
    assert verdict.verdict == "proceed"
    assert verdict.number > proposal.number
    assert verdict.header.patient_id == "P1"


def test_events_are_numbered_without_a_gap_and_follow_the_table(client, plan_file, volume):
    stream = client.events(timeout_s=30)
    first = next(stream)
    assert isinstance(first, m.SnapshotReply)
    assert first.state == "idle"
    client.load_plan(plan_file(verdict="stop"))
    client.send_image(volume, position=HFS)
    seen = []
    for event in stream:
        seen.append(event)
        if isinstance(event, m.Alert):
            break
    assert [e.number for e in seen] == list(range(first.number + 1, first.number + 1 + len(seen)))
    states = [e.state for e in seen if isinstance(e, m.StateChanged)]
    assert states == ["ready", "acquiring", "registering", "proposed"]
    assert seen[-1].alert.code == "verdict_stop"
    assert seen[-1].alert.priority == "medium"
    assert seen[-1].alert.sentence == "Stop: It is too far."


def test_a_refused_match_is_a_refusal_with_a_high_alert(client, plan_file, volume):
    client.load_plan(plan_file(outcome="refused", verdict="refused"))
    image_id = client.send_image(volume, position=HFS)
    assert isinstance(client.wait_for_answer(image_id, timeout_s=30), m.Refusal)
    assert client.wait_for(m.Alert, timeout_s=30).alert.priority == "high"
    assert client.snapshot().state == "refused"


def test_a_new_image_withdraws_the_proposal_and_clears_its_alert(client, plan_file, volume):
    client.load_plan(plan_file(verdict="caution"))
    first = client.send_image(volume, position=HFS)
    client.wait_for_answer(first, timeout_s=30)
    client.wait_for(m.Alert, timeout_s=30)
    second = client.send_image(volume, position=HFS)
    assert client.wait_for(m.StateChanged, timeout_s=30).state == "withdrawn"
    assert client.wait_for(m.AlertCleared, timeout_s=30).code == "verdict_caution"
    client.wait_for_answer(second, timeout_s=30)


def test_a_new_plan_withdraws_the_proposal(client, plan_file, volume):
    client.load_plan(plan_file())
    client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=30)
    assert client.snapshot().state == "proposed"
    client.load_plan(plan_file("other.json", patient_id="P2"))
    now = client.snapshot()
    assert (now.state, now.result, now.image) == ("ready", None, None)
    assert now.header.patient_id == "P2"


def test_a_bad_plan_is_refused_with_the_workers_sentence_and_leaves_no_plan(client, plan_file, tmp_path):
    client.load_plan(plan_file())
    with pytest.raises(RefusedInputError, match="there is no such plan; give one"):
        client.load_plan(tmp_path / "absent")
    assert client.snapshot().state == "idle"
    assert client.snapshot().header.plan_fingerprint is None


def test_a_defect_in_the_worker_is_told_and_the_engine_goes_on(client, plan_file, volume):
    with pytest.raises(RefusedError, match="a defect of igrt") as caught:
        client.load_plan(plan_file("bad.json", defect="load"))
    assert caught.value.code == "defect"
    for kind in ("answer", "words"):
        client.load_plan(plan_file("bad.json", defect=kind))
        with pytest.raises(RefusedError) as caught:
            client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=30)
        assert caught.value.code == "defect"
    client.load_plan(plan_file())
    client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=30)


def test_an_image_that_cannot_be_answered_fails_with_the_sentence(client, plan_file, volume):
    client.load_plan(plan_file(bad_input=True))
    image_id = client.send_image(volume, position=HFS)
    with pytest.raises(RefusedError, match="does not belong to this plan"):
        client.wait_for_answer(image_id, timeout_s=30)
    snapshot = client.snapshot()
    assert snapshot.state == "interrupted"
    assert [a.code for a in snapshot.alerts] == ["answer_failed"]
    assert isinstance(snapshot.result, m.ImageFailed)


def test_without_a_plan_there_is_no_image(client, volume):
    with pytest.raises(RefusedError, match="no plan is loaded"):
        client.send_image(volume, position=HFS)


def test_a_client_that_knows_another_plan_cannot_send_an_image(engine, client, plan_file, volume):
    client.load_plan(plan_file())
    with Client(engine.endpoints) as other:
        other.load_plan(plan_file("other.json", patient_id="P2"))
        with pytest.raises(RefusedError) as caught:
            client.send_image(volume, position=HFS)
    assert caught.value.code == "wrong_plan"
    client.snapshot()
    client.send_image(volume, position=HFS)


def test_a_second_sender_cannot_take_an_image_that_is_being_sent(engine, client, plan_file, volume):
    client.load_plan(plan_file())
    transfer = client.begin_image(volume.grid, position=HFS)
    transfer.send(0, volume.hu[:4])
    transfer.drain()
    with Client(engine.endpoints) as other:
        other.snapshot()
        with pytest.raises(RefusedError, match="is being taken in"):
            other.send_image(volume, position=HFS)
        with pytest.raises(RefusedError, match="is being taken in"):
            other.load_plan(plan_file())
    transfer.send_missing(volume.hu)
    transfer.end()
    client.wait_for_answer(transfer.image_id, timeout_s=30)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin_mm": (0.0, np.nan, 0.0)}, "scan 7: grid origin_mm"),
        ({"shape_kji": (2, 2, 0)}, "scan 7: grid shape_kji"),
        ({"shape_kji": (10**6, 10**6, 10**6)}, "scan 7: .* more than an image may have"),
        ({"shape_kji": (10**10, 1, 1)}, "scan 7: .* more than an image may have"),
        ({"shape_kji": (10**15, 2, 2)}, "scan 7: .* more than an image may have"),
    ],
)
def test_what_is_no_grid_is_refused_by_field(engine, client, plan_file, changes, words):
    plan = client.load_plan(plan_file())
    fields = {"shape_kji": (2, 2, 2), "origin_mm": (0.0, 0.0, 0.0), "spacing_mm": (1.0, 1.0, 1.0)} | changes
    header = m.new_header(plan_fingerprint=plan.header.plan_fingerprint)
    request = m.BeginImage(header=header, image_id="a", grid=m.ImageGrid(**fields), position=HFS, source="scan 7")
    with dealer(engine.endpoints.commands) as socket:
        reply = ask(socket, [m.encode(request)])
    assert isinstance(reply, m.Error)
    assert reply.code == "bad_input"
    assert re.match(words, reply.sentence)
    assert client.snapshot().state == "ready"
