"""Slabs: checked, stored once, acknowledged when on disk, resumed where they stopped."""

import errno
import os

import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.sockets import CREDIT_SLABS
from igrt.engine.case import Limits
from igrt.engine.spool import Spool
from igrt.geometry.position import PatientPosition
from tests.bus.raw import ask, dealer, receive, slab

HFS = PatientPosition.HFS
WAIT_S = 30.0


@pytest.fixture
def transfer(client, plan_file, volume):
    client.load_plan(plan_file())
    return client.begin_image(volume.grid, position=HFS)


def test_slabs_in_any_order_are_stored_and_the_acknowledgement_says_what_is_missing(engine, transfer, volume):
    with dealer(engine.endpoints.images) as socket:
        reply = ask(socket, slab(transfer.image_id, 12, volume.hu[12:15].tobytes(), 3), slabs=True)
        assert isinstance(reply, m.SlabStored)
        assert reply.missing == [(0, 12), (15, 20)]
        reply = ask(socket, slab(transfer.image_id, 0, volume.hu[:2].tobytes(), 2), slabs=True)
        assert reply.missing == [(2, 12), (15, 20)]
    spooled = np.fromfile(engine.folder / "spool" / f"{transfer.image_id}.hu", "<i2", volume.hu.size).reshape(volume.hu.shape)
    assert (spooled[12:15] == volume.hu[12:15]).all()
    assert (spooled[:2] == volume.hu[:2]).all()
    assert (spooled[2:12] == 0).all()


def test_a_repeated_slab_is_acknowledged_again_and_told_to_the_worker_once(engine, client, transfer, volume):
    with dealer(engine.endpoints.images) as socket:
        for _ in range(3):
            reply = ask(socket, slab(transfer.image_id, 4, volume.hu[4:8].tobytes(), 4), slabs=True)
            assert isinstance(reply, m.SlabStored)
            assert reply.missing == [(0, 4), (8, 20)]
    assert client.snapshot().image == m.ImageState(image_id=transfer.image_id, slices_stored=4, slices_total=20)


@pytest.mark.parametrize(
    ("k_start", "slices", "changes", "words"),
    [
        (0, 2, {"crc32": 1}, "damaged on the way"),
        (0, 3, {}, "send them again, whole"),
        (0, 1, {}, "send them again, whole"),
        (19, 2, {}, "send slices of the image"),
        (2**40, 2, {}, "send slices of the image"),
        (0, 2, {"length_bytes": 5}, "were announced"),
    ],
)
def test_a_damaged_or_misplaced_slab_is_refused_and_not_stored(engine, client, transfer, volume, k_start, slices, changes, words):
    with dealer(engine.endpoints.images) as socket:
        reply = ask(socket, slab(transfer.image_id, k_start, volume.hu[:2].tobytes(), slices, **changes), slabs=True)
    assert isinstance(reply, m.Error)
    assert reply.code == "bad_slab"
    assert words in reply.sentence
    assert client.snapshot().image.slices_stored == 0


def test_stored_voxels_are_never_overwritten_by_others(engine, transfer, volume):
    with dealer(engine.endpoints.images) as socket:
        ask(socket, slab(transfer.image_id, 0, volume.hu[:4].tobytes(), 4), slabs=True)
        for k, n in ((0, 4), (2, 4), (3, 1)):
            reply = ask(socket, slab(transfer.image_id, k, volume.hu[10 : 10 + n].tobytes(), n), slabs=True)
            assert isinstance(reply, m.Error)
            assert "only what is missing" in reply.sentence


def test_a_slab_of_another_image_is_refused(engine, transfer, volume):
    with dealer(engine.endpoints.images) as socket:
        reply = ask(socket, slab("another", 0, volume.hu[:1].tobytes(), 1), slabs=True)
    assert reply.code == "unknown_image"


def test_an_image_with_missing_slices_cannot_end(client, transfer, volume):
    transfer.send(0, volume.hu[:5])
    with pytest.raises(RefusedError, match="slices 5-19 are missing") as caught:
        transfer.end()
    assert caught.value.code == "incomplete"
    transfer.send_missing(volume.hu)
    transfer.end()
    client.wait_for_answer(transfer.image_id, timeout_s=WAIT_S)


def test_another_client_goes_on_where_the_first_stopped(engine, client, plan_file, volume):
    client.load_plan(plan_file())
    with Client(engine.endpoints) as first:
        transfer = first.begin_image(volume.grid, position=HFS, image_id="scan-1")
        transfer.send(0, volume.hu[:9])
        transfer.drain()
    sent = []
    resumed = client.begin_image(volume.grid, position=HFS, image_id="scan-1")
    assert resumed.missing == [(9, 20)]
    send = resumed.send
    resumed.send = lambda k, hu: (sent.append(k), send(k, hu))
    resumed.send_missing(volume.hu, slab_slices=4)
    assert sent == [9, 13, 17]
    resumed.end()
    proposal = client.wait_for_answer("scan-1", timeout_s=WAIT_S)
    assert proposal.answer["correction"]["lateral_mm"] == volume.hu.astype(float).sum(axis=(1, 2)).mean()


def test_another_run_of_the_engine_goes_on_with_the_image_on_disk(start_engine, plan_file, volume):
    engine = start_engine()
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file())
        transfer = client.begin_image(volume.grid, position=HFS, image_id="scan-1")
        transfer.send(3, volume.hu[3:9])
        transfer.drain()
    engine.stop()
    again = start_engine()
    with Client(again.endpoints) as client:
        client.load_plan(plan_file())
        transfer = client.begin_image(volume.grid, position=HFS, image_id="scan-1")
        assert transfer.missing == [(0, 3), (9, 20)]
        transfer.send_missing(volume.hu)
        transfer.end()
        proposal = client.wait_for_answer("scan-1", timeout_s=WAIT_S)
    assert proposal.answer["correction"]["lateral_mm"] == volume.hu.astype(float).sum(axis=(1, 2)).mean()


def test_an_image_id_stands_for_one_image(client, plan_file, volume):
    client.load_plan(plan_file())
    client.wait_for_answer(client.send_image(volume, position=HFS, image_id="scan-1"), timeout_s=WAIT_S)
    with pytest.raises(RefusedError, match="give a new image id"):
        client.send_image(volume, position=PatientPosition.FFS, image_id="scan-1")
    client.wait_for_answer(client.send_image(volume, position=HFS, image_id="scan-1"), timeout_s=WAIT_S)


def test_more_slabs_than_the_credit_are_refused_and_the_rest_stored(engine, transfer, volume, monkeypatch):
    import threading

    release = threading.Event()
    take_in = Spool.take_in
    monkeypatch.setattr(Spool, "take_in", lambda self, slabs: (release.wait(WAIT_S), take_in(self, slabs))[1])
    with dealer(engine.endpoints.images) as socket:
        for k in range(CREDIT_SLABS + 2):
            socket.send_multipart(slab(transfer.image_id, k, volume.hu[k].tobytes(), 1))
        replies = [receive(socket, slabs=True) for _ in range(2)]
        assert [r.code for r in replies] == ["no_credit", "no_credit"]
        release.set()
        replies = [receive(socket, slabs=True) for _ in range(CREDIT_SLABS)]
        assert {r.k_start for r in replies} == set(range(CREDIT_SLABS))


def test_a_full_disk_refuses_the_image_before_it_begins(start_engine, plan_file, volume):
    engine = start_engine(limits=Limits(reserve_bytes=1 << 60, disk_low_bytes=1 << 60))
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file())
        with pytest.raises(RefusedError, match="free space, then begin the image again") as caught:
            client.send_image(volume, position=HFS)
        assert caught.value.code == "disk_full"
        now = client.snapshot()
        assert now.state == "ready"
        assert [a.code for a in now.alerts] == ["disk_low"]
    assert list((engine.folder / "spool").iterdir()) == []


def test_a_disk_that_fails_breaks_the_image_off_and_the_next_one_goes(client, transfer, volume, monkeypatch):
    def fail(_handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(RefusedError, match="could not be kept on disk"):
            transfer.send_missing(volume.hu)
    failed = client.wait_for(m.ImageFailed, timeout_s=WAIT_S)
    assert failed.code == "disk_failed"
    client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=WAIT_S)


def test_a_stalled_image_is_an_alert_which_progress_clears(start_engine, plan_file, volume):
    engine = start_engine(limits=Limits(reserve_bytes=0, disk_low_bytes=0, stall_s=0.2))
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file())
        transfer = client.begin_image(volume.grid, position=HFS)
        assert client.wait_for(m.Alert, timeout_s=WAIT_S).alert.code == "image_stalled"
        transfer.send(0, volume.hu[:1])
        assert client.wait_for(m.AlertCleared, timeout_s=WAIT_S).code == "image_stalled"
        client.wait_for(m.Alert, timeout_s=WAIT_S)
        # What has stalled gives way to another image.
        client.wait_for_answer(client.send_image(volume, position=HFS), timeout_s=WAIT_S)
