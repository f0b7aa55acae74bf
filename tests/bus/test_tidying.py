"""Retention of a running engine: between sessions only, never what is in hand, and not by a clock that jumped."""

import asyncio
import os
import time

import pytest

from igrt.engine import tidying
from igrt.engine.journal import read_rows
from igrt.engine.record import FILE, IMAGE_REMOVED
from igrt.engine.retention import DAY_S
from igrt.engine.tidying import Tidying
from igrt.geometry.position import PatientPosition

HFS = PatientPosition.HFS
WAIT_S = 30.0


@pytest.fixture
def once(engine):
    """One look of the engine at its spool, for images older than 30 days."""

    def look() -> bool:
        made = Tidying(engine.engine._case, keep_days=30)
        return asyncio.run_coroutine_threadsafe(made.once(), engine.loop).result(WAIT_S)

    return look


@pytest.fixture
def old(engine, client, plan_file, volume):
    """Two images of two plans, both 40 days old; the second plan is in use."""
    for number in (1, 2):
        client.load_plan(plan_file(f"plan-{number}.json", patient_id=f"P{number}"))
        client.send_image(volume, position=HFS, image_id=f"scan-{number}")
        client.wait_for_answer(f"scan-{number}", timeout_s=WAIT_S)
    client.load_plan(plan_file("plan-2.json", patient_id="P2"))
    for path in (engine.folder / "spool").glob("*.hu"):
        os.utime(path, (time.time() - 40 * DAY_S,) * 2)


def spooled(engine):
    return sorted(path.name for path in (engine.folder / "spool").iterdir())


def test_between_sessions_old_images_go(engine, once, old):
    assert once()
    assert spooled(engine) == ["scan-2.hu", "scan-2.json"]
    assert [row.kind for row in read_rows(engine.folder / FILE)].count(IMAGE_REMOVED) == 1
    assert once()


def test_nothing_goes_while_a_session_is_open(engine, once, old, client, volume):
    client.begin_image(volume.grid, position=HFS, image_id="scan-3")
    assert not once()
    assert len(spooled(engine)) == 6


def test_nothing_goes_by_a_clock_that_jumped(engine, once, old):
    engine.on_loop(lambda: engine.engine._stream.alert("clock_jumped", jump_s=4e6))
    assert not once()
    assert len(spooled(engine)) == 4


def test_a_session_that_opens_while_the_spool_is_read_stops_it(engine, once, old, client, volume, monkeypatch):
    real = tidying.look

    def look_and_begin(*arguments, **options):
        looked = real(*arguments, **options)
        client.begin_image(volume.grid, position=HFS, image_id="scan-3")
        return looked

    monkeypatch.setattr(tidying, "look", look_and_begin)
    assert not once()
    assert len(spooled(engine)) == 6


def test_a_plan_that_comes_into_use_while_the_spool_is_read_keeps_its_images(engine, once, old, client, plan_file, monkeypatch):
    real = tidying.look

    def look_and_load(*arguments, **options):
        looked = real(*arguments, **options)
        client.load_plan(plan_file("plan-1.json", patient_id="P1"))
        return looked

    monkeypatch.setattr(tidying, "look", look_and_load)
    assert not once()
    assert len(spooled(engine)) == 4
