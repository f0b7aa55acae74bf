"""A disk that is really full: it refuses the next image, never the last slab of the one that began."""

import os
import subprocess
import time

import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.engine.ballast import FILE, Ballast
from igrt.engine.case import Limits
from igrt.engine.journal_verify import verify
from igrt.geometry.position import PatientPosition
from tests.bus.conftest import make_volume

MIB = 1 << 20
RESERVE = 4 * MIB
WAIT_S = 30.0


@pytest.fixture
def disk(tmp_path):
    """A disk of 24 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(
            "no disk can be mounted here (root is needed): a full disk is then tested with a made-up figure alone, in test_images.py"
        )
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk):
    """To the last byte."""
    with (disk / "filler").open("wb") as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError:
                pass


def until(true):
    end = time.monotonic() + WAIT_S
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    assert true()


def test_an_image_that_began_comes_to_its_answer_and_the_next_is_refused(disk, start_engine, plan_file):
    engine = start_engine(folder=disk / "engine", limits=Limits(reserve_bytes=RESERVE, disk_low_bytes=0))
    volume = make_volume((20, 128, 128))
    ballast = disk / "engine" / FILE
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1"))
        until(ballast.exists)
        transfer = client.begin_image(volume.grid, position=PatientPosition.HFS, image_id="scan-1")
        transfer.send(0, volume.hu[:4])
        transfer.drain()
        fill(disk)
        for k in range(4, 20):
            transfer.send(k, volume.hu[k : k + 1])
        transfer.drain()
        transfer.end()
        answer = client.wait_for_answer("scan-1", timeout_s=WAIT_S)
        assert isinstance(answer, m.Proposal)
        until(lambda: not ballast.exists())
        with pytest.raises(RefusedError) as refused:
            client.send_image(volume, position=PatientPosition.HFS, image_id="scan-2")
        assert refused.value.code == "disk_full"
        assert "free space" in str(refused.value)
        (disk / "filler").unlink()
        until(ballast.exists)
        client.send_image(volume, position=PatientPosition.HFS, image_id="scan-2")
        assert isinstance(client.wait_for_answer("scan-2", timeout_s=WAIT_S), m.Proposal)
    engine.stop()
    assert not ballast.exists()
    assert verify(disk / "engine" / "journal.sqlite").holds


def test_ballast_is_taken_only_where_there_is_twice_as_much(disk):
    ballast = Ballast(disk, 15 * MIB)
    ballast.take()
    assert not ballast.held
    assert not ballast.throw()
    ballast = Ballast(disk, 8 * MIB)
    ballast.take()
    ballast.take()
    assert (ballast.held, (disk / FILE).stat().st_blocks * 512) == (True, 8 * MIB)
    assert ballast.throw()
    assert not ballast.throw()
    assert list(disk.iterdir()) == []


def test_no_ballast_is_none(tmp_path):
    ballast = Ballast(tmp_path, 0)
    ballast.take()
    assert not ballast.held
    assert list(tmp_path.iterdir()) == []
