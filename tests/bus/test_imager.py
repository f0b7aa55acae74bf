"""The simulated imaging system."""

import time

import pytest

from igrt.bus.client import Client
from igrt.geometry.position import PatientPosition
from igrt.images.records import Daily
from igrt.simulation.imager import Pace, send_daily

WAIT_S = 30.0


@pytest.fixture
def daily(volume):
    return Daily(volume, PatientPosition.HFS, None, "P1", "1.2.3", "scan")


def test_it_sends_the_image_at_its_pace(client, plan_file, daily, volume):
    client.load_plan(plan_file())
    told = []
    began = time.monotonic()
    pace = Pace(slab_slices=3, slices_per_s=50.0)
    image_id = send_daily(client, daily, pace=pace, progress=lambda done, of: told.append((done, of)))
    assert time.monotonic() - began >= 20 / 50.0
    assert told[-1] == (20, 20)
    proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
    assert proposal.answer["correction"]["lateral_mm"] == volume.hu.astype(float).sum(axis=(1, 2)).mean()


def test_it_goes_on_with_an_image_that_broke_off(engine, client, plan_file, daily, volume):
    client.load_plan(plan_file())
    with Client(engine.endpoints) as first:
        transfer = first.begin_image(
            volume.grid,
            position=daily.position,
            image_id="scan-1",
            patient_id="P1",
            frame_of_reference_uid="1.2.3",
            source="scan",
        )
        transfer.send(0, volume.hu[:10])
        transfer.drain()
    assert send_daily(client, daily, image_id="scan-1") == "scan-1"
    client.wait_for_answer("scan-1", timeout_s=WAIT_S)


@pytest.mark.parametrize("pace", [{"slab_slices": 0}, {"slices_per_s": 0.0}, {"slices_per_s": float("nan")}])
def test_a_pace_that_is_none_is_named(pace):
    with pytest.raises(ValueError, match=next(iter(pace))):
        Pace(**pace)
