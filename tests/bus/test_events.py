"""The event stream: heartbeats, gaps, silence, and followers that do not read."""

import time

import msgspec
import pytest
import zmq

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import EngineSilentError
from igrt.bus.sockets import Endpoints
from igrt.bus.topics import EVENTS, decode
from igrt.engine import server
from igrt.geometry.position import PatientPosition

HFS = PatientPosition.HFS
WAIT_S = 30.0


def subscribe(context, engine, queue=1000):
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, queue)
    socket.setsockopt(zmq.RCVBUF, 4096)
    socket.subscribe(b"")
    socket.connect(engine.endpoints.events)
    return socket


def test_a_subscriber_is_welcomed_then_hears_heartbeats_with_the_last_number(engine, client):
    with zmq.Context() as context, subscribe(context, engine) as socket:
        heard = []
        for _ in range(4):
            assert socket.poll(10_000)
            heard.append(decode(socket.recv(), EVENTS))
    assert isinstance(heard[0], m.Welcome)
    assert all(isinstance(h, m.Heartbeat) for h in heard[1:])
    assert {h.header.session for h in heard} == {client.snapshot().header.session}
    assert heard[-1].last_number == client.snapshot().number


def test_a_gap_brings_a_snapshot_that_has_what_was_missed(engine, client, plan_file, volume):
    with Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        assert isinstance(next(stream), m.SnapshotReply)
        client.load_plan(plan_file())
        assert isinstance(next(stream), m.StateChanged)
        image_id = client.send_image(volume, position=HFS)
        proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
        assert next(iter_numbered(follower)).number == 2  # one event taken away behind the follower's back
        now = next(stream)
        assert isinstance(now, m.SnapshotReply)
        assert now.result == proposal
        assert now.state == "proposed"
        client.load_plan(plan_file())
        after = [next(stream) for _ in range(2)]
        assert all(isinstance(e, m.Event) for e in after)
        assert after[1].number == after[0].number + 1 > now.number


def iter_numbered(client):
    """Numbered events taken off the client's socket, behind its back."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until and client._events.poll(10_000):
        message = decode(client._events.recv(), EVENTS)
        if isinstance(message, m.Event):
            yield message


def test_wait_for_answer_finds_in_the_snapshot_what_the_stream_lost(engine, client, plan_file, volume, tmp_path):
    client.load_plan(plan_file(hold="answer"))
    image_id = client.send_image(volume, position=HFS)
    with Client(engine.endpoints) as follower:
        (tmp_path / "go").touch()
        proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
        assert any(isinstance(event, m.Verdict) for event in iter_numbered(follower))
        assert follower.wait_for_answer(image_id, timeout_s=WAIT_S) == proposal


def test_followers_that_do_not_read_hold_up_nobody(start_engine, plan_file, monkeypatch):
    made = server.publisher

    def small(make, *, welcome):
        socket = made(make, welcome=welcome)
        socket.setsockopt(zmq.SNDHWM, 20)
        socket.setsockopt(zmq.SNDBUF, 4096)
        return socket

    monkeypatch.setattr(server, "publisher", small)
    engine = start_engine(heartbeat_s=5.0)
    filler = "x" * 2000
    with zmq.Context() as context, subscribe(context, engine, queue=1) as stalled, Client(engine.endpoints) as client:
        assert stalled.poll(10_000)
        stream = client.events(timeout_s=WAIT_S)
        next(stream)
        for n in range(2000):
            engine.on_loop(lambda n=n: engine.engine._stream.tell(m.ImageFailed, image_id=str(n), code="defect", sentence=filler))
            event = next(stream)
            assert isinstance(event, m.ImageFailed)
            assert event.image_id == str(n)
        # The stalled one reads again, and the numbers tell it that it missed something.
        numbers = []
        while stalled.poll(200):
            message = decode(stalled.recv(), EVENTS)
            if isinstance(message, m.Event):
                numbers.append(message.number)
        assert 0 < len(numbers) < 2000
        assert numbers == sorted(numbers)


def test_an_engine_that_is_not_there_is_told_from_a_hang():
    endpoints = Endpoints(commands="tcp://127.0.0.1:9", images="tcp://127.0.0.1:9", events="tcp://127.0.0.1:9", pid=1)
    with pytest.raises(EngineSilentError, match="no engine answers"):
        Client(endpoints, timeout_s=0.2)


def test_another_run_of_the_engine_on_the_same_ports_brings_a_snapshot(start_engine, plan_file):
    engine = start_engine()
    ports = {f"{name}_port": int(getattr(engine.endpoints, name).rsplit(":", 1)[1]) for name in ("commands", "images", "events")}
    with Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        session = next(stream).header.session
        engine.stop()
        start_engine(**ports)
        for event in stream:
            if isinstance(event, m.SnapshotReply):
                assert event.header.session != session
                break
        else:
            pytest.fail("no snapshot of the new run")


def test_events_that_this_client_does_not_know_are_passed_over_by_a_snapshot(engine, client):
    stream = client.events(timeout_s=WAIT_S)
    next(stream)

    def tell_something_new():
        events = engine.engine._stream
        events.number += 1
        events._publish(
            msgspec.msgpack.encode({"kind": "of_a_later_engine", "header": msgspec.to_builtins(events.header()), "number": events.number})
        )
        events.tell(m.AlertCleared, code="x")

    engine.on_loop(tell_something_new)
    now = next(stream)
    assert isinstance(now, m.SnapshotReply)
    assert now.number >= 2
