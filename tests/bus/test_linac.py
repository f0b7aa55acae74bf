"""The other side of the sockets: simulated therapist and linac take a correction all the way, and every wrong turn is stopped."""

import time
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.engine.case import Limits
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import fixed_from_daily, fixed_from_plan
from igrt.simulation.couch import NO_FAULT, Fault, SimulatedCouch, carry, simple_mechanics
from igrt.simulation.linac import Linac, readout
from igrt.simulation.therapist import NAME, Therapist
from tests.bus.chain_cases import CHAIN_WORKER, HFS, LOADED, ROOT, WAIT_S, image, propose
from tests.bus.chain_worker import DAILY_ISOCENTRE_MM, ISOCENTRE_MM

START = SimulatedCouch(
    mechanics=simple_mechanics(),
    lateral_mm=10.0,
    longitudinal_mm=-200.0,
    vertical_mm=-150.0,
    pitch_deg=0.5,
    roll_deg=-0.4,
    yaw_deg=0.3,
)
MOVE = (4.0, -6.0, 3.0, 1.1, -0.7, 1.4)


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def engine(start_engine):
    return start_engine(worker_command=CHAIN_WORKER)


@contextmanager
def room(engine, couch=START, *, loaded=LOADED, fault=NO_FAULT, therapist=True):
    """A linac and a therapist at work."""
    linac = Linac(engine.endpoints, couch=couch, loaded=loaded, fault=fault)
    threads = [linac, *([Therapist(engine.endpoints)] if therapist else [])]
    for thread in threads:
        thread.start()
    try:
        yield linac
    finally:
        for thread in threads:
            thread.end()


def until(condition):
    """Wait until it holds."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.02)


def test_a_correction_is_approved_claimed_moved_and_read_back(engine, client, plan_file, volume):
    with room(engine) as linac:
        proposal = propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: client.snapshot().state == "in_position")
        until(lambda: len(linac.claims) == 1)
    (claimed,) = linac.claims
    assert claimed.reply.release.proposal_id == proposal.proposal_id
    now = client.snapshot()
    assert now.standing.approved.by == NAME
    assert now.standing.approved.simulated
    assert linac.holds == []
    # An independent chain: tissue where the image shows it, carried by the couch, lies where the plan wants it.
    goal = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=HFS)
    lies = fixed_from_daily(isocentre_mm=DAILY_ISOCENTRE_MM, position=HFS)
    plan_from_daily = RigidMotion.from_matrix(proposal.answer["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
    points = np.add(ISOCENTRE_MM, [[0.0, 0.0, 0.0], [60.0, 20.0, -50.0]])
    tissue = lies.apply(plan_from_daily.inverse().apply(points))
    left = np.array(carry(tissue.tolist(), start=START, now=linac.couch)) - goal.apply(points)
    assert np.linalg.norm(left, axis=1).max() < 0.2  # steps of 0.1 mm and 0.1 degrees


def test_the_second_of_two_linacs_is_denied(engine, client, plan_file, volume):
    with room(engine) as first, room(engine, therapist=False) as second:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: first.claims and second.claims)
    replies = [linac.claims[0].reply for linac in (first, second)]
    assert sorted(reply.release is not None for reply in replies) == [False, True]
    (denied,) = [reply for reply in replies if reply.release is None]
    assert {"state", "token_unused"} <= {d.rule for d in denied.denials}


def test_the_wrong_plan_at_the_linac_is_denied_and_nothing_moves(engine, client, plan_file, volume):
    with room(engine, loaded=msgspec.structs.replace(LOADED, plan_uid="1.2.99")) as linac:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: linac.claims)
    assert [d.rule for d in linac.claims[0].reply.denials] == ["plan"]
    assert linac.couch == START
    assert client.snapshot().state == "approved"


def test_a_couch_that_was_leaned_on_is_denied(engine, client, plan_file, volume):
    with room(engine, replace(START, longitudinal_mm=-199.3)) as linac:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: linac.claims)
    assert [d.rule for d in linac.claims[0].reply.denials] == ["couch_unmoved"]


def test_a_correction_that_waits_too_long_is_denied(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER, limits=Limits(reserve_bytes=0, disk_low_bytes=0, lifetime_s=0.5))
    with Client(engine.endpoints) as client:
        proposal = propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        client.wait_for(m.Expired, timeout_s=WAIT_S)
        reply = client.claim(proposal.proposal_id, token="t" * 64, couch=readout(START))
        assert {"expiry", "state"} <= {d.rule for d in reply.denials}


def test_a_move_that_stops_midway_is_interrupted_and_the_next_image_brings_it_home(engine, client, plan_file, volume):
    with room(engine, fault=Fault(after=0.55)) as linac:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: client.snapshot().state == "interrupted")
        until(lambda: linac.claims)
        assert [a.code for a in client.snapshot().alerts] == ["move_interrupted"]
        linac.fault = NO_FAULT
        image(client, volume, couch=readout(linac.couch))
        until(lambda: len(linac.claims) == 2)
        assert client.snapshot().state == "in_position"


def test_a_sign_that_is_flipped_is_stopped(engine, client, plan_file, volume):
    with room(engine, fault=Fault(flipped=frozenset({"vertical_mm"}))) as linac:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE)
        until(lambda: linac.holds)
        until(lambda: client.snapshot().standing.hold is None)  # acknowledged
    now = client.snapshot()
    assert now.state == "interrupted"
    (alert,) = now.alerts
    assert (alert.code, alert.priority) == ("chain_broken", "high")
    assert "vertical" in alert.sentence
    assert "the wrong way" in alert.sentence
    assert linac.couch.vertical_mm > START.vertical_mm - 3.0  # held on its way


def test_a_stop_is_not_approved_by_the_simulation(engine, client, plan_file, volume):
    with room(engine) as linac:
        propose(client, plan_file, volume, couch=readout(START), move=MOVE, verdict="stop")
        client.override(client.snapshot().result.proposal_id, by="Test Therapist", why="seen by the physician", simulated=True)
        until(lambda: linac.claims)
    assert client.snapshot().standing.approved.by == "Test Therapist"
    assert client.snapshot().standing.verification == ["A verification image is required before the beam: a verdict was set aside."]
