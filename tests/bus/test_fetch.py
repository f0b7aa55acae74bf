"""What is fetched is what the engine has, chunk by chunk, whatever else it does meanwhile."""

import contextlib
import gc
import hashlib
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

import igrt
from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.fetch_messages import LARGEST_CHUNK_BYTES
from igrt.bus.sockets import subscriber
from igrt.engine.journal import read_rows
from igrt.geometry.position import PatientPosition
from tests.bus.conftest import make_volume
from tests.unit.images.conftest import make_study as make_study
from tests.unit.images.conftest import study as study

HFS = PatientPosition.HFS
LARGE = (48, 512, 512)
LONGEST_GAP_S = 1.0


@pytest.fixture
def real_engine(start_engine):
    return start_engine(worker_command=())


@pytest.fixture
def sent(client, plan_file, volume):
    """An image on the engine's disk: its id."""
    client.load_plan(plan_file())
    image_id = client.send_image(volume, position=HFS)
    client.wait_for_answer(image_id, timeout_s=30)
    return image_id


def refused(code, call):
    with pytest.raises(RefusedError) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


def test_a_daily_image_comes_as_it_was_sent(client, sent, volume):
    heard = []
    fetched = client.fetch("daily_image", sent, progress=lambda had, of: heard.append((had, of)))
    np.testing.assert_array_equal(fetched.hu, volume.hu)
    assert fetched.version == hashlib.sha256(volume.hu.tobytes()).hexdigest()
    assert fetched.grid.shape_kji == volume.grid.shape_kji
    assert fetched.grid.origin_mm == tuple(volume.grid.origin_mm)
    assert fetched.grid.spacing_mm == tuple(volume.grid.spacing_mm)
    assert heard[-1] == (volume.hu.nbytes, volume.hu.nbytes)


def test_chunks_are_bounded_and_go_on_anywhere(engine, client, sent, volume):
    raw = volume.hu.tobytes()
    first = client.fetch_chunk("daily_image", sent)
    assert len(first.data) == min(len(raw), LARGEST_CHUNK_BYTES)
    with Client(engine.endpoints) as other:
        for offset in (0, 1, 17, len(raw) - 1, len(raw)):
            chunk = other.fetch_chunk("daily_image", sent, version=first.version, offset_bytes=offset)
            assert chunk.data == raw[offset : offset + LARGEST_CHUNK_BYTES]
            assert (chunk.offset_bytes, chunk.total_bytes) == (offset, len(raw))
    request = m.Fetch(header=client._header(), what="daily_image", content_id=sent, offset_bytes=3, most_bytes=5)
    assert client._request(request, m.FetchReply, timeout_s=10).data == raw[3:8]
    spoilt = msgspec.structs.replace(request, header=client._header(), most_bytes=LARGEST_CHUNK_BYTES + 1)
    refused("malformed", lambda: client._request(spoilt, m.FetchReply, timeout_s=10))


def test_what_is_not_there_is_refused_with_a_sentence(client, sent, volume, plan_file):
    assert "there is no image other" in refused("unknown_content", lambda: client.fetch("daily_image", "other"))
    assert "is not the plan in use" in refused("unknown_content", lambda: client.fetch("plan_ct", "0" * 64))
    assert "another now" in refused("changed_content", lambda: client.fetch_chunk("daily_image", sent, version="0" * 64))
    assert "bytes" in refused("unknown_content", lambda: client.fetch_chunk("daily_image", sent, offset_bytes=volume.hu.nbytes + 1))
    transfer = client.begin_image(volume.grid, position=HFS, image_id="half")
    transfer.send(0, volume.hu[:5])
    transfer.drain()
    assert "not whole, 5 of 20" in refused("unknown_content", lambda: client.fetch("daily_image", "half"))
    transfer.send(5, volume.hu[5:])
    transfer.end()
    client.wait_for_answer("half", timeout_s=30)
    np.testing.assert_array_equal(client.fetch("daily_image", "half").hu, volume.hu)
    client.load_plan(plan_file("another.json", outcome="refused"))
    assert "of the plan in use" in refused("unknown_content", lambda: client.fetch("daily_image", sent))


def test_an_image_that_was_taken_off_the_disk_is_not_held_open(engine, client, sent):
    voxels = engine.folder / "spool" / f"{sent}.hu"

    def held() -> int:
        """How often the image is open, by the engine's own hand too."""
        found = 0
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found += str(entry.readlink()).startswith(str(voxels))
        return found

    before = held()
    version = client.fetch("daily_image", sent).version
    assert held() == before + 1
    voxels.unlink()
    assert "taken off the disk" in refused("unknown_content", lambda: client.fetch_chunk("daily_image", sent, version=version))
    deadline_s = time.monotonic() + 30.0
    while held() != before:  # the reply is sent before its request's frame is gone
        assert time.monotonic() < deadline_s
        gc.collect()
    assert "there is no image" in refused("unknown_content", lambda: client.fetch("daily_image", sent))


def test_fetching_is_not_written_down(engine, client, sent):
    before = client.snapshot()
    client.fetch("daily_image", sent)
    after = client.snapshot()
    assert (after.number, after.journal_head) == (before.number, before.journal_head)
    assert {row.kind for row in read_rows(engine.folder / "journal.sqlite")}.isdisjoint({"fetch", "fetch_reply"})


def test_the_plans_ct_and_contours_come_as_they_were_read(real_engine, study):
    plan = igrt.load_plan(study.folder)
    with Client(real_engine.endpoints) as client:
        client.load_plan(study.folder)
        fetched = client.fetch("plan_ct", plan.fingerprint)
        np.testing.assert_array_equal(fetched.hu, plan.ct.hu)
        assert fetched.grid.origin_mm == pytest.approx(plan.ct.grid.origin_mm)
        structures = client.fetch("contours", plan.fingerprint).structures
        assert [(s.name, s.kind) for s in structures] == [(s.name, s.kind.value) for s in plan.structures]
        for had, wanted in zip(structures, plan.structures, strict=True):
            assert len(had.contours_mm) == len(wanted.contours_mm)
            for contour, expected in zip(had.contours_mm, wanted.contours_mm, strict=True):
                np.testing.assert_array_equal(np.array(contour), expected)
    assert sorted(path.name for path in (real_engine.folder / "spool").iterdir()) == []


def test_a_plan_whose_files_changed_is_not_fetched_as_the_one_that_was_loaded(real_engine, study):
    plan = igrt.load_plan(study.folder)
    with Client(real_engine.endpoints) as client:
        client.load_plan(study.folder)
        (study.folder / "RS.dcm").unlink()
        assert "no longer those that were loaded" in refused("unknown_content", lambda: client.fetch("contours", plan.fingerprint))
        for path in study.folder.iterdir():
            path.unlink()
        assert "is an empty folder" in refused("unknown_content", lambda: client.fetch("plan_ct", plan.fingerprint))


def test_the_engine_is_heard_throughout_a_large_fetch(engine, client, plan_file):
    client.load_plan(plan_file())
    image = make_volume(LARGE)
    image_id = client.send_image(image, position=HFS)
    client.wait_for_answer(image_id, timeout_s=60)
    beats, ended = [], threading.Event()

    def listen():
        with zmq.Context() as context:
            events = subscriber(context, engine.endpoints.events)
            while not ended.is_set():
                if events.poll(20) and msgspec.msgpack.decode(events.recv())["kind"] == "heartbeat":
                    beats.append(time.monotonic())
            events.close()

    listener = threading.Thread(target=listen)
    listener.start()
    began_s = time.monotonic()
    fetched = client.fetch("daily_image", image_id)
    took_s = time.monotonic() - began_s
    ended.set()
    listener.join()
    np.testing.assert_array_equal(fetched.hu, image.hu)
    inside = [began_s, *(beat for beat in beats if began_s <= beat <= began_s + took_s), began_s + took_s]
    assert max(np.diff(inside)) < LONGEST_GAP_S
