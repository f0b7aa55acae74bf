"""What a foreign or faulty client may send: every request gets one reply, and nothing ends the engine."""

import contextlib

import msgspec
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.bus import messages as m
from igrt.bus.topics import EVENTS, REQUESTS, SLABS, VERBS, WireError, decode
from igrt.engine import server
from igrt.geometry.position import PatientPosition
from tests.bus.raw import ask, dealer, receive


def changed(message: m.Message, **changes):
    fields = msgspec.msgpack.decode(m.encode(message))
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = fields
        for parent in parents:
            target = target[parent]
        target[name] = value
    return msgspec.msgpack.encode(fields)


@pytest.fixture
def commands(engine):
    with dealer(engine.endpoints.commands) as socket:
        yield socket


def snapshot_request(**fields):
    return m.Snapshot(header=m.new_header(**fields))


def test_a_repeated_request_gets_the_first_reply(commands, plan_file):
    request = m.LoadPlan(header=m.new_header(), path=str(plan_file()))
    first = ask(commands, [m.encode(request)])
    assert isinstance(first, m.LoadPlanReply)
    again = m.EndImage(header=request.header, image_id="anything")
    assert ask(commands, [m.encode(again)]) == first
    assert ask(commands, [m.encode(request)]) == first


def test_a_request_repeated_while_it_is_carried_out_is_carried_out_once(engine, commands, plan_file):
    frame = m.encode(m.LoadPlan(header=m.new_header(), path=str(plan_file())))
    for _ in range(5):
        commands.send(frame)
    replies = [receive(commands) for _ in range(5)]
    assert all(r == replies[0] for r in replies)
    assert isinstance(replies[0], m.LoadPlanReply)


def test_an_unknown_version_is_refused_with_both_versions(commands):
    request = snapshot_request()
    reply = ask(commands, [changed(request, header__version="igrt/2")])
    assert (reply.code, reply.request_id) == ("unknown_version", request.header.message_id)
    assert "igrt/2" in reply.sentence
    assert "igrt/1" in reply.sentence


def test_unknown_fields_are_ignored(commands):
    reply = ask(commands, [changed(snapshot_request(), colour="blue", header__mood="good")])
    assert isinstance(reply, m.SnapshotReply)


@pytest.mark.parametrize("verb", ["hold", "approved", "register_again", "nonsense", ""])
def test_what_is_not_in_the_table_is_refused_by_name(commands, verb):
    reply = ask(commands, [changed(snapshot_request(), kind=verb)])
    assert reply.code == "unknown_kind"
    assert ", ".join(sorted(VERBS)) in reply.sentence


def test_a_wrong_field_is_named(commands):
    request = m.EndImage(header=m.new_header(), image_id="a")
    reply = ask(commands, [changed(request, image_id="../../etc/passwd")])
    assert reply.code == "malformed"
    assert "image_id" in reply.sentence


def test_a_request_of_another_run_of_the_engine_is_refused(commands, plan_file):
    ask(commands, [m.encode(m.LoadPlan(header=m.new_header(), path=str(plan_file())))])
    reply = ask(commands, [m.encode(m.EndImage(header=m.new_header(session="older"), image_id="a"))])
    assert reply.code == "wrong_session"


def test_a_req_socket_is_served_too(engine):
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(engine.endpoints.commands)
        assert isinstance(ask(socket, [m.encode(snapshot_request())]), m.SnapshotReply)


def test_frames_that_are_too_many_or_none(engine, commands):
    assert ask(commands, [b"a", b"b"]).code == "malformed"
    assert ask(commands, [b""]).code == "malformed"
    with dealer(engine.endpoints.images) as images:
        assert ask(images, [b"a"], slabs=True).code == "malformed"
        assert ask(images, [b"", b"", b""], slabs=True).code == "malformed"


def deep(levels: int) -> bytes:
    return b"\x91" * levels + b"\x01"


def test_a_deeply_nested_message_is_malformed(commands):
    assert ask(commands, [deep(100_000)]).code == "malformed"
    header = msgspec.msgpack.encode({"kind": "snapshot", "header": {}})
    assert ask(commands, [b"\x82" + header[1:] + deep(100_000)]).code == "malformed"


VALID = [
    m.encode(snapshot_request()),
    m.encode(m.EndImage(header=m.new_header(), image_id="a")),
    m.encode(m.LoadPlan(header=m.new_header(), path="/nowhere")),
    m.encode(
        m.BeginImage(
            header=m.new_header(),
            image_id="a",
            grid=m.ImageGrid(shape_kji=(2, 2, 2), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0)),
            position=PatientPosition.HFS,
        )
    ),
    m.encode(m.Slab(header=m.new_header(), image_id="a", k_start=0, slices=1, length_bytes=8, crc32=0)),
]


@st.composite
def spoilt(draw):
    """A valid message with a few bytes changed, cut or added; or anything."""
    frame = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(frame) - 1))
        frame[at] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(1, len(frame)))])


FRAMES = st.lists(st.one_of(spoilt(), st.binary(max_size=64), st.sampled_from(VALID)), min_size=1, max_size=3)


def test_random_frames_do_not_end_the_engine(engine, caplog):
    with dealer(engine.endpoints.commands) as commands, dealer(engine.endpoints.images) as images:

        @settings(max_examples=150)
        @given(FRAMES)
        def run(frames):
            commands.send_multipart(frames)
            images.send_multipart(frames)

        run()
        request = snapshot_request()
        commands.send(m.encode(request))
        while getattr(receive(commands), "request_id", None) != request.header.message_id:
            pass
    assert [r.getMessage() for r in caplog.records if r.name.startswith("igrt")] == []


@given(st.one_of(spoilt(), st.binary(max_size=128)))
def test_decoding_gives_a_message_or_a_wire_error(frame):
    for kinds in (REQUESTS, EVENTS, SLABS):
        with contextlib.suppress(WireError):
            assert decode(frame, kinds).wire_kind() in kinds


def test_a_client_that_does_not_read_its_replies_holds_up_nobody(engine, client):
    with zmq.Context() as context, context.socket(zmq.DEALER) as slow:
        for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 1), (zmq.RCVBUF, 4096), (zmq.SNDTIMEO, 10_000)):
            slow.setsockopt(option, value)
        slow.connect(engine.endpoints.commands)
        for _ in range(4000):
            slow.send(m.encode(snapshot_request()))
        assert client.snapshot(timeout_s=20).state == "idle"
        assert len(engine.engine._replies) <= server.REMEMBERED_REPLIES + 10
