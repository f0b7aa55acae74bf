"""Sending an image over a bad line: an engine that loses, spoils, refuses or forgets."""

import threading
import zlib

import numpy as np
import pytest
import zmq

from igrt.bus import messages as m
from igrt.bus import transfer as transfers
from igrt.bus.errors import EngineSilentError, RefusedError
from igrt.bus.topics import SLABS, decode
from igrt.bus.transfer import Transfer

SHAPE = (10, 2, 3)
HU = np.arange(60, dtype=np.int16).reshape(SHAPE)


class FakeEngine(threading.Thread):
    """Takes slabs in; `faults` says what happens to each that comes: None stores it, `lose` says nothing, others are error codes."""

    def __init__(self, faults):
        super().__init__()
        self.faults = list(faults)
        self.stored: dict[int, np.ndarray] = {}
        self.received: list[int] = []
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.address = f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}"
        self.ending = threading.Event()

    def missing(self):
        return [(k, k + 1) for k in range(SHAPE[0]) if k not in self.stored]

    def begin(self):
        return m.BeginImageReply(
            header=m.new_header(), request_id="r", image_id="a", credit_slabs=3, largest_slab_bytes=1000, missing=self.missing()
        )

    def end(self, _couch=None):
        return m.EndImageReply(header=m.new_header(), request_id="r", image_id="a")

    def run(self):
        while not self.ending.is_set():
            if not self.router.poll(20):
                continue
            peer, frame, data = self.router.recv_multipart()
            slab = decode(frame, SLABS)
            self.received.append(slab.k_start)
            fault = self.faults.pop(0) if self.faults else None
            reply_to = {"header": m.new_header(), "request_id": slab.header.message_id}
            if fault == "lose":
                continue
            if fault == "stranger":
                self.router.send_multipart([peer, m.encode(m.Error(**reply_to | {"request_id": "old"}, code="bad_slab", sentence="no"))])
                fault = None
            if fault:
                self.router.send_multipart([peer, m.encode(m.Error(**reply_to, code=fault, sentence="planned"))])
                continue
            assert zlib.crc32(data) == slab.crc32
            for n, one in enumerate(np.frombuffer(data, "<i2").reshape(slab.slices, *SHAPE[1:])):
                self.stored[slab.k_start + n] = one
            stored = m.SlabStored(**reply_to, image_id="a", k_start=slab.k_start, slices=slab.slices, missing=self.missing())
            self.router.send_multipart([peer, m.encode(stored)])


@pytest.fixture
def transfer_to(monkeypatch):
    """A transfer to an engine with these faults."""
    monkeypatch.setattr(transfers, "RESUME_S", 0.1)
    monkeypatch.setattr(transfers, "PAUSE_S", 0.001)
    engines, sockets = [], []
    context = zmq.Context()

    def make(*faults, timeout_s=20.0):
        engine = FakeEngine(faults)
        engines.append(engine)
        engine.start()
        socket = context.socket(zmq.DEALER)
        sockets.append(socket)
        socket.connect(engine.address)
        return engine, Transfer(socket, engine.begin, engine.end, m.new_header, shape_kji=SHAPE, timeout_s=timeout_s)

    yield make
    context.destroy(linger=0)
    for engine in engines:
        engine.ending.set()
        engine.join()
        engine.context.destroy(linger=0)


def is_whole(engine) -> bool:
    return all((engine.stored[k] == HU[k]).all() for k in range(SHAPE[0]))


@pytest.mark.parametrize(
    "faults",
    [
        [],
        ["lose"],
        ["lose"] * 4,
        [None, "lose", None, "lose", "lose"],
        ["bad_slab"],
        ["bad_slab"] * 5,
        ["no_credit"] * 3,
        ["stranger"],
        ["lose", "bad_slab", "no_credit", None, "lose"],
    ],
)
@pytest.mark.parametrize("slab_slices", [1, 4])
def test_the_whole_image_arrives(transfer_to, faults, slab_slices):
    engine, transfer = transfer_to(*faults)
    told = []
    transfer.send_missing(HU, slab_slices=slab_slices, progress=lambda done, _: told.append(done))
    transfer.end()
    assert is_whole(engine)
    assert transfer.slices_stored == told[-1] == SHAPE[0]


def test_only_what_was_lost_is_sent_again(transfer_to):
    engine, transfer = transfer_to(None, "lose")
    for k in (0, 2, 4):
        transfer.send(k, HU[k : k + 2])
    transfer.drain()
    assert sorted(engine.received) == [0, 2, 2, 4]


@pytest.mark.parametrize("code", ["bad_slab", "unknown_image", "disk_failed"])
def test_what_cannot_be_cured_is_raised(transfer_to, code):
    _, transfer = transfer_to(*[code] * 50)
    with pytest.raises(RefusedError, match="planned") as caught:
        transfer.send_missing(HU)
    assert caught.value.code == code


def test_silence_is_raised_in_time(transfer_to):
    _, transfer = transfer_to(*["lose"] * 1000, timeout_s=0.5)
    with pytest.raises(EngineSilentError, match="acknowledged within"):
        transfer.send_missing(HU)


@pytest.mark.parametrize(
    ("slab", "words"),
    [(HU.astype(np.int32), "int16"), (HU[:, :1], "slices of"), (np.zeros((200, 2, 3), np.int16), "fewer slices")],
)
def test_a_slab_that_does_not_fit_is_not_sent(transfer_to, slab, words):
    _, transfer = transfer_to()
    with pytest.raises(ValueError, match=words):
        transfer.send(0, slab)
