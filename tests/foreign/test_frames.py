"""Every frame of a session is as docs/asyncapi.json describes it, and the plan must be named where it says so."""

import json
import time

import fastjsonschema
import msgspec
import pytest
import zmq

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.manual import HOLD_S, STALL_S, STATES, TIMINGS
from igrt.bus.sockets import subscriber
from igrt.bus.topics import VERBS
from igrt.engine.journal import read_rows
from igrt.engine.limits import Limits
from igrt.engine.states import MEANING
from igrt.geometry.position import PatientPosition
from tests.bus import raw
from tests.bus.chain_cases import CHAIN_WORKER, COUCH, claimed, moved, report
from tests.bus.conftest import make_volume
from tests.foreign.conftest import ROOT

DOCUMENT = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
MOST_WAIT_S = 20.0


def check(kind: str):
    """A validator of the payload of messages of this kind."""
    payload = DOCUMENT["components"]["messages"][kind]["payload"]
    return fastjsonschema.compile({"allOf": [payload], "components": DOCUMENT["components"]})


VALIDATORS: dict[str, object] = {}


def valid(frame: bytes) -> str:
    """The kind of a frame that is as described; raises where it is not."""
    message = msgspec.msgpack.decode(frame)
    kind = message["kind"]
    if kind not in VALIDATORS:
        VALIDATORS[kind] = check(kind)
    if isinstance(message.get("data"), bytes):  # JSON Schema knows no bytes
        message["data"] = message["data"].decode("latin-1")
    VALIDATORS[kind](message)
    return kind


@pytest.fixture
def engine(start_engine, monkeypatch):
    monkeypatch.chdir(ROOT)
    return start_engine(worker_command=CHAIN_WORKER)


def drained(socket, number: int) -> list[bytes]:
    """What came on the event socket, up to the heartbeat after this event."""
    frames, until_s = [], time.monotonic() + MOST_WAIT_S
    while True:
        assert time.monotonic() < until_s
        if socket.poll(100):
            frames.append(socket.recv())
            if msgspec.msgpack.decode(frames[-1]).get("last_number", 0) >= number:
                return frames


def test_every_frame_of_a_session_is_as_described(engine, plan_file):
    with zmq.Context() as context:
        events = subscriber(context, engine.endpoints.events)
        assert events.poll(10_000)
        with Client(engine.endpoints) as client:
            release = claimed(client, plan_file, make_volume())
            moved(client, release)
            report(client, beam_on=True)
            chunk = client.fetch_chunk("daily_image", client.snapshot().result.image_id)
            assert {valid(m.encode(chunk))} == {"fetch_reply"}
            client.reject(by="Test Therapist", why="to see a hold")
            told = {valid(frame) for frame in drained(events, client.snapshot().number)}
        events.close()
    assert {"welcome", "heartbeat", "state_changed", "proposal", "approved", "claimed", "chain_closed", "hold", "alert"} <= told
    written = {valid(row.payload) for row in read_rows(engine.folder / "journal.sqlite") if row.kind in ("request", "reply", "event")}
    assert {"load_plan", "load_plan_reply", "begin_image", "begin_image_reply", "claim_reply", "report_couch_reply", "reject"} <= written
    with raw.dealer(engine.endpoints.commands) as socket:
        for header, kind in (
            (m.new_header(), "snapshot_reply"),
            (m.Header(version="igrt/0", message_id="x", utc_unix_s=0, monotonic_s=0), "error"),
        ):
            socket.send(m.encode(m.Snapshot(header=header)))
            assert socket.poll(raw.WAIT_MS)
            assert valid(socket.recv()) == kind


def test_the_check_would_find_a_wrong_frame():
    frame = m.encode(m.Snapshot(header=m.new_header()))
    assert valid(frame) == "snapshot"
    message = msgspec.msgpack.decode(frame)
    del message["header"]["message_id"]
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        valid(msgspec.msgpack.encode(message))


STILL = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def examples(**header) -> dict[str, m.Message]:
    """A request of each kind that must name the plan, with this header."""
    whose, named = m.new_header(**header), {"by": "Test Therapist"}
    grid = m.ImageGrid(shape_kji=(2, 2, 2), origin_mm=(0, 0, 0), spacing_mm=(1, 1, 1))
    made = (
        m.BeginImage(header=whose, image_id="i", grid=grid, position=PatientPosition.HFS),
        m.EndImage(header=whose, image_id="i"),
        m.Fetch(header=whose, what="plan_ct", content_id="c"),
        m.EvaluatePose(header=whose, image_id="i", plan_from_daily=STILL, **named),
        m.Approve(header=whose, proposal_id="p", **named),
        m.Override(header=whose, proposal_id="p", why="because", **named),
        m.Reject(header=whose, why="because", **named),
        m.Claim(header=whose, proposal_id="p", token="t", couch=COUCH),
        m.ReportCouch(header=whose, proposal_id="p", phase="start", couch=COUCH),
        m.ConfirmCouch(header=whose, couch=COUCH, **named),
    )
    return {message.wire_kind(): message for message in made}


def test_a_request_that_must_name_the_plan_is_refused_without_it(engine, plan_file):
    assert set(examples()) == {name for name, verb in VERBS.items() if verb.names_plan}
    with Client(engine.endpoints) as client:
        session = client.load_plan(plan_file()).header.session
    for header, code in (({"session": session}, "wrong_plan"), ({"session": "another"}, "wrong_session")):
        for request in examples(**header).values():
            with raw.dealer(engine.endpoints.commands) as socket:
                reply = raw.ask(socket, [m.encode(request)])
            assert isinstance(reply, m.Error)
            assert (request.wire_kind(), reply.code) == (request.wire_kind(), code)


def test_the_manual_has_the_engines_own_states_and_times():
    assert {state.value: meaning for state, meaning in MEANING.items()} == dict(STATES)
    assert (Limits().stall_s, Limits().hold_s) == (STALL_S, HOLD_S)
    assert TIMINGS["image"][0] == Limits().lifetime_s
