"""Ways in which a correction or a beam once slipped through: a test for each."""

import threading

import msgspec
import pytest
import zmq

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.topics import REPLIES, decode
from igrt.engine.case import Limits
from igrt.engine.states import State
from tests.bus.chain_cases import CHAIN_WORKER, COUCH, HFS, LOADED, WAIT_S, approve, claim, claimed, image, moved, propose, report

MIDWAY = msgspec.structs.replace(COUCH, lateral_mm=10.4, longitudinal_mm=-200.9, vertical_mm=-148.7)


@pytest.fixture
def engine(start_engine):
    return start_engine(worker_command=CHAIN_WORKER)


@pytest.fixture
def client(engine):
    with Client(engine.endpoints) as client:
        yield client


def alerts(client) -> set[str]:
    return {alert.code for alert in client.snapshot().alerts}


def acknowledge(client) -> None:
    client.acknowledge_hold(client.snapshot().standing.hold.hold_id)


def test_the_answer_of_one_image_is_not_proposed_as_anothers(start_engine, plan_file, volume, tmp_path):
    """The first image ends while the second one, which may take its place, waits for the disk."""
    engine = start_engine(worker_command=CHAIN_WORKER, limits=Limits(reserve_bytes=0, disk_low_bytes=0, stall_s=0.2))
    disk_is_free, refused = threading.Event(), []
    with Client(engine.endpoints) as first, Client(engine.endpoints) as second:
        first.load_plan(plan_file(patient_id="P1", hold="answer"), fraction=4)
        second.snapshot()
        sent = first.begin_image(volume.grid, position=HFS, couch=COUCH, image_id="A")
        sent.send_missing(volume.hu)
        first.wait_for(m.Alert, timeout_s=WAIT_S)
        case = engine.engine._case
        engine.on_loop(lambda: case._disk.submit(disk_is_free.wait) and None)

        def begin_another() -> None:
            try:
                second.begin_image(volume.grid, position=HFS, couch=msgspec.structs.replace(COUCH, lateral_mm=50.0), image_id="B")
            except RefusedError as error:
                refused.append(error)

        waiting = threading.Thread(target=begin_another)
        waiting.start()
        while not engine.on_loop(lambda: engine.engine._desk._beginning):
            pass
        sent.end(couch=COUCH)
        disk_is_free.set()
        waiting.join(WAIT_S)
        assert [error.code for error in refused] == ["not_now"]
        (tmp_path / "go").touch()
        assert first.wait_for(m.Proposal, timeout_s=WAIT_S).image_id == "A"


def test_an_earlier_image_does_not_come_back(client, plan_file, volume):
    propose(client, plan_file, volume, image_id="first")
    client.reject(by="T", why="seen")
    image(client, volume, image_id="second")
    client.reject(by="T", why="seen")
    with pytest.raises(RefusedError, match="a later image has been begun since") as caught:
        image(client, volume, image_id="first")
    assert caught.value.code == "bad_input"


def test_an_image_that_is_begun_again_is_as_old_as_it_is(client, plan_file, volume, engine):
    propose(client, plan_file, volume, image_id="only")
    case = engine.engine._case
    began_s = engine.on_loop(lambda: case.chain.scan_start.at_s)
    client.reject(by="T", why="seen")
    image(client, volume, image_id="only")
    assert engine.on_loop(lambda: case.chain.scan_start.at_s) == began_s


@pytest.mark.parametrize(("phase", "couch"), [("stopped", MIDWAY), ("after", msgspec.structs.replace(COUCH, lateral_mm=9.0))])
def test_after_a_broken_move_no_beam_without_an_image(client, plan_file, volume, phase, couch):
    moved(client, claimed(client, plan_file, volume), couch, phase)
    if client.snapshot().standing.hold:
        acknowledge(client)
    client.confirm_couch(by="T", couch=couch)
    assert report(client, beam_on=True) == State.READY
    assert "verification_missing" in alerts(client)
    assert client.snapshot().standing.hold is not None


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_a_needed_image_that_gives_no_answer_is_still_needed(client, plan_file, volume, engine, outcome):
    release = claimed(client, plan_file, volume, move=(4.0, 11.0, 0.0, 0.0, 0.0, 0.0))
    moved(client, release)
    needed = client.snapshot().standing.verification
    assert needed
    case = engine.engine._case
    sent = client.begin_image(volume.grid, position=HFS, couch=release.target, image_id="look")
    if outcome == "failed":
        engine.on_loop(lambda: case.fail_image("disk_failed", "the disk is gone"))
        client.confirm_couch(by="T", couch=release.target)
    else:
        sent.send_missing(volume.hu)
        client.reject(by="T", why="not this one") if client.snapshot().state == State.PROPOSED else None
        engine.on_loop(lambda: case.fail_image("answer_failed", "no answer"))
        client.confirm_couch(by="T", couch=release.target)
    assert report(client, beam_on=True) in (State.READY, State.IN_POSITION)
    assert "verification_missing" in alerts(client)


@pytest.mark.parametrize("other", [{"patient_id": "P2"}, {"plan_uid": "9.9"}, {"plan_revision": "2"}, {"isocentre_mm": (99.0, 0.0, 0.0)}])
def test_no_beam_of_another_treatment_than_the_couch_was_moved_for(client, plan_file, volume, other):
    moved(client, claimed(client, plan_file, volume))
    report(client, loaded=msgspec.structs.replace(LOADED, **other), beam_on=True)
    assert client.snapshot().state == State.IN_POSITION
    assert "beam_unexpected" in alerts(client)
    assert client.snapshot().standing.hold is not None


def test_a_hold_that_is_acknowledged_still_holds(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    client.report_couch(release.proposal_id, "start", COUCH)
    astray = msgspec.structs.replace(COUCH, vertical_mm=-150.8)
    assert client.report_couch(release.proposal_id, "during", astray).hold
    acknowledge(client)
    assert client.report_couch(release.proposal_id, "during", astray).hold
    assert not client.report_couch(release.proposal_id, "stopped", astray).hold


def test_a_message_id_cannot_take_the_place_of_a_release(client, plan_file, volume, engine):
    proposal = propose(client, plan_file, volume)
    header = msgspec.structs.replace(m.new_header(), message_id=f"release.{proposal.proposal_id}")
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.RCVTIMEO, int(WAIT_S * 1e3))
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(engine.endpoints.commands)
        socket.send(m.encode(m.ClearAlert(header=header, code="x", by="T")))
        assert decode(socket.recv(), REPLIES).code == "malformed"
    assert claim(client, proposal, approve(client, proposal)).release is not None


def test_no_more_verification_rounds_by_rejecting_in_position(client, plan_file, volume):
    release = claimed(client, plan_file, volume, move=(4.0, 11.0, 0.0, 0.0, 0.0, 0.0))
    for _ in range(2):
        moved(client, release)
        client.reject(by="T", why="once more")
        proposal = image(client, volume, couch=release.target)
        release = claim(client, proposal, approve(client, proposal), couch=release.target).release
    moved(client, release)
    client.reject(by="T", why="once more")
    proposal = image(client, volume, couch=release.target)
    with pytest.raises(RefusedError, match="have asked for another move"):
        approve(client, proposal)


def test_a_reading_that_no_couch_gives_is_held(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    assert moved(client, release, msgspec.structs.replace(COUCH, lateral_mm=1e308, yaw_deg=1e308)).hold
    assert "chain_broken" in alerts(client)


def held_beam(client) -> str:
    """The code of the alert that the beam brings; nothing where it may be on."""
    report(client, beam_on=False)
    standing = client.snapshot().standing
    if standing.hold is not None:
        client.acknowledge_hold(standing.hold.hold_id)
    report(client, beam_on=True)
    now = client.snapshot()
    assert (now.standing.hold is not None) == bool({"verification_missing", "beam_unexpected"} & {a.code for a in now.alerts})
    return "held" if now.standing.hold is not None else ""


def test_a_plan_loaded_anew_does_not_do_away_with_a_needed_image_and_another_patients_does(client, plan_file, volume):
    plan = {"patient_id": "P1", "move": (4.0, 11.0, 0.0, 0.0, 0.0, 0.0)}
    moved(client, claimed(client, plan_file, volume, **plan))
    needed = client.snapshot().standing.verification
    assert needed
    for path in (plan_file(**plan), plan_file("again.json", **plan, changed="since")):
        client.load_plan(path, fraction=4)
        assert client.snapshot().standing.verification == needed
        assert client.snapshot().standing.rounds == 0
        assert held_beam(client) == "held"
    with pytest.raises(RefusedError):
        client.load_plan(path.with_name("nowhere.json"), fraction=4)
    client.load_plan(plan_file(**plan), fraction=4)
    assert client.snapshot().standing.verification == needed
    image(client, volume)
    assert client.snapshot().standing.verification == []  # this image was the one
    client.reject(by="T", why="as it is")
    assert held_beam(client) == ""


def test_another_patients_plan_owes_no_image(client, plan_file, volume):
    moved(client, claimed(client, plan_file, volume, move=(4.0, 11.0, 0.0, 0.0, 0.0, 0.0)))
    client.load_plan(plan_file("another.json", patient_id="P2"), fraction=4)
    assert client.snapshot().standing.verification == []
    assert held_beam(client) == ""


def test_a_beam_that_was_broken_off_does_not_go_on_by_loading_the_plan_anew(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    moved(client, release)
    report(client, beam_on=True)
    client.report_couch(release.proposal_id, "during", msgspec.structs.replace(release.target, lateral_mm=30.0))
    assert client.snapshot().state == "interrupted"
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    assert client.snapshot().state == "ready"
    assert held_beam(client) == "held"


@pytest.mark.parametrize("way", ["stopped and the plan anew", "withdrawn and put aside", "stopped and a rejected image"])
def test_a_move_that_broke_off_and_that_nobody_confirmed_leaves_no_beam_without_an_image(client, plan_file, volume, way):
    release = claimed(client, plan_file, volume)
    if way.startswith("stopped"):
        moved(client, release, MIDWAY, "stopped")
    else:
        client.report_couch(release.proposal_id, "start", COUCH)
        client.reject(by="T", why="no")
    assert client.snapshot().standing.verification == ["A verification image is required before the beam: the move was interrupted."]
    if way.endswith("anew"):
        client.load_plan(plan_file(patient_id="P1"), fraction=4)
    elif way.endswith("aside"):
        client.reject(by="T", why="set up again")
    else:
        image(client, volume, couch=MIDWAY)
        client.reject(by="T", why="as it is")
        assert client.snapshot().standing.verification == []
        assert held_beam(client) == ""
        return
    assert client.snapshot().state == "ready"
    assert held_beam(client) == "held"
