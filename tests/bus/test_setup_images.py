"""Several images of one set-up: the later one counts alone, a yaw is not asked for twice, an image in the beam, one isocentre each."""

import sys
import time
from contextlib import contextmanager

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.simulation.couch import AXES
from igrt.verification.site import shipped_folder
from tests.bus.chain_cases import COUCH, HFS, LOADED, ROOT, WAIT_S, approve, claim, claimed, image, moved, propose, report, rules
from tests.bus.chain_worker import ISOCENTRE_MM

WORKER = (sys.executable, "-m", "tests.bus.setup_worker")
ERROR = (4.0, -3.0, 2.0, 0.8, -0.5, 2.6)
OTHER_MM = (12.0, -34.0, -44.0)


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def site(tmp_path):
    """A site with a machine of fine steps whose images turn with the table, and a strict protocol."""
    folder = tmp_path / "site"
    for kind in ("machines", "protocols"):
        (folder / kind).mkdir(parents=True)
    machine = (shipped_folder() / "machines" / "research-default.toml").read_text()
    machine = machine.replace('axes_at_table_angle = "room"', 'axes_at_table_angle = "table"')
    machine = machine.replace("step_mm = 0.1", "step_mm = 0.01").replace("step_deg = 0.1", "step_deg = 0.01")
    (folder / "machines" / "fine.toml").write_text(machine)
    protocol = (shipped_folder() / "protocols" / "default.toml").read_text()
    protocol = protocol.replace("lifetime_s = 300.0", "lifetime_s = 60.0").replace("rounds = 2", "rounds = 1")
    protocol = protocol.replace("always = false", "always = true").replace("shift_mm = 0.5", "shift_mm = 0.1")
    (folder / "protocols" / "strict.toml").write_text(protocol)
    return folder


@pytest.fixture
def engine(start_engine, site):
    return start_engine(worker_command=(*WORKER, "--site", str(site)), site=site)


def alerts(client):
    return {alert.code: alert for alert in client.snapshot().alerts}


@contextmanager
def following(engine):
    """Every event, from now on, once asked for."""
    with Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        next(stream)
        yield stream


def next_of(stream, kind):
    until_s = time.monotonic() + WAIT_S
    for event in stream:
        if isinstance(event, kind):
            return event
        assert time.monotonic() < until_s
    raise AssertionError(f"no {kind.__name__} came")


def loaded(**changes):
    return msgspec.structs.replace(LOADED, **changes)


def test_a_turntable_that_yawed_is_not_asked_to_yaw_again(engine, client, plan_file, volume):
    couch = msgspec.structs.replace(COUCH, yaw_deg=30.0)
    client.load_plan(plan_file(patient_id="P1", error=ERROR, table_angles=[0.0, 30.0]), machine="fine", fraction=4)
    with following(engine) as stream:
        first = image(client, volume, couch=couch)
        assert abs(first.answer["correction"]["yaw_deg"]) > 2.0
        reply = claim(client, first, approve(client, first), couch=couch, loaded=loaded(machine="fine"))
        assert reply.denials == []
        assert moved(client, reply.release).state == "in_position"
        assert abs(reply.release.target.yaw_deg - 30.0) > 2.0
        second = image(client, volume, couch=reply.release.target)
        assert (second.answer["table_angle_deg"], second.answer["image_table_angle_deg"]) == (30.0, reply.release.target.yaw_deg)
        assert max(abs(second.answer["correction"][axis]) for axis in AXES) <= 0.05
        told = next_of(stream, m.ImagesCompared)
    assert (told.image_id, told.earlier_image_id) == (second.image_id, first.image_id)
    assert [f.code for f in told.findings] == ["images_differ_shift", "images_differ_turn"]
    assert all(f.value <= 0.05 and f.level == "inform" for f in told.findings)
    assert alerts(client) == {}
    released = claim(client, second, approve(client, second), couch=reply.release.target, loaded=loaded(machine="fine"))
    assert released.denials == []


@pytest.mark.parametrize(("beams", "words"), [([30.0], "at table angles 30, and nobody"), ([0.0, 30.0], "at table angles 0 and 30")])
def test_an_image_whose_table_angle_nobody_states_is_refused_before_the_scan(client, plan_file, volume, beams, words):
    client.load_plan(plan_file(patient_id="P1", table_angles=beams), fraction=4)
    with pytest.raises(RefusedError, match=words) as caught:
        client.begin_image(volume.grid, position=HFS)
    assert caught.value.code == "bad_input"
    assert client.snapshot().state == "ready"
    client.begin_image(volume.grid, position=HFS, image_table_angle_deg=30.0)


@pytest.mark.parametrize(("slip", "differs"), [((0.0, 0.0, 0.0), False), ((0.0, 3.0, 0.0), True)])
def test_of_a_radiograph_pair_and_a_cone_beam_image_the_later_counts_alone(engine, client, plan_file, volume, slip, differs):
    behaviour = {"error": ERROR, "modalities": ["kV pair", "cone-beam CT"], "slips": [(0.0, 0.0, 0.0), slip]}
    with following(engine) as stream:
        first = propose(client, plan_file, volume, **behaviour)
        token = approve(client, first)
        second = image(client, volume)
        told = next_of(stream, m.ImagesCompared)
    shift, turn = told.findings
    assert shift.sentence.startswith("The cone-beam CT 2, which alone counts, and the kV pair 1 place the patient")
    assert shift.value == pytest.approx(3.0 if differs else 0.0, abs=1e-6)
    assert (shift.level, turn.level) == ("warn" if differs else "inform", "inform")
    assert set(alerts(client)) == ({"images_differ", "verdict_caution"} if differs else set())
    assert (second.answer["verdict"], first.answer["verdict"]) == ("caution" if differs else "proceed", "proceed")
    assert next(f for f in second.answer["findings"] if f["code"] == "images_differ_shift")["value"] == pytest.approx(shift.value)
    assert not [f for f in first.answer["findings"] if f["code"].startswith("images_")]
    assert {"state", "approval"} <= rules(claim(client, first, token))
    release = claim(client, second, approve(client, second)).release
    # The couch goes where the later image alone sends it, and not by the sum of both.
    assert release.target.lateral_mm == pytest.approx(second.answer["couch"]["target"]["lateral_mm"])
    assert release.start == COUCH


def test_where_the_couch_was_not_read_two_images_cannot_be_held_against_each_other(engine, client, plan_file, volume):
    with following(engine) as stream:
        propose(client, plan_file, volume)
        client.send_image(volume, position=HFS)
        told = next_of(stream, m.ImagesCompared)
    assert [f.code for f in told.findings] == ["images_incomparable"]
    assert "where the couch stood is not known" in told.findings[0].sentence


def test_a_delivered_set_up_is_not_compared_with_the_next(engine, client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    moved(client, release)
    for beam_on in (True, False):
        report(client, beam_on=beam_on)
    with following(engine) as stream:
        image(client, volume, couch=release.target)
        report(client)
        assert isinstance(next_of(stream, m.ImagesCompared | m.MachineReported), m.MachineReported)


def test_a_match_made_by_hand_needs_a_verification_image(client, plan_file, volume):
    release = claimed(client, plan_file, volume, manual=[True])
    assert moved(client, release).state == "in_position"
    words = "A verification image is required before the beam: the match was made by hand."
    assert client.snapshot().standing.verification == [words]
    assert report(client, beam_on=True) == "in_position"
    assert set(alerts(client)) == {"verification_missing"}
    proposal = image(client, volume, couch=release.target)
    reply = claim(client, proposal, approve(client, proposal), couch=release.target)
    assert moved(client, reply.release).state == "in_position"
    assert client.snapshot().standing.verification == []  # this one was not
    assert report(client, beam_on=True) == "delivering"


def test_to_put_an_arrived_couch_aside_does_not_do_away_with_its_verification_image(client, plan_file, volume):
    release = claimed(client, plan_file, volume, manual=[True])
    moved(client, release)
    assert client.reject(by="Test Therapist", why="no time").state == "ready"
    assert report(client, beam_on=True) == "ready"
    assert client.snapshot().standing.hold is not None
    assert set(alerts(client)) == {"verification_missing"}


def beam_is_held(client, state):
    """The beam, reported on in this state, is held and an alert; then all is quiet again."""
    assert report(client, beam_on=True) == state
    now = client.snapshot()
    assert now.standing.hold is not None, state
    assert "beam_unexpected" in {alert.code for alert in now.alerts}
    client.acknowledge_hold(now.standing.hold.hold_id)
    client.clear_alert("beam_unexpected", by="Test Therapist")
    assert report(client, beam_on=False) == state


def test_an_image_in_the_beam_holds_it_and_nothing_but_a_fresh_release_lets_it_go_on(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    moved(client, release)
    assert report(client, beam_on=True) == "delivering"
    image(client, volume, couch=release.target)
    now = client.snapshot()
    assert "another image or plan takes its place" in now.standing.hold.reason
    client.acknowledge_hold(now.standing.hold.hold_id)
    assert report(client, beam_on=False) == "proposed"
    beam_is_held(client, "proposed")
    for state in ("rejected", "ready"):
        client.reject(by="Test Therapist", why="go on as it was")
        beam_is_held(client, state)
    proposal = image(client, volume, couch=release.target)
    token = approve(client, proposal)
    beam_is_held(client, "approved")
    reply = claim(client, proposal, token, couch=release.target)
    assert moved(client, reply.release).state == "in_position"
    assert report(client, beam_on=True) == "delivering"
    assert client.snapshot().standing.hold is None


def test_the_isocentre_that_the_linac_has_loaded_is_the_one_that_is_answered(client, plan_file, volume):
    client.load_plan(plan_file(patient_id="P1", isocentres=[ISOCENTRE_MM, OTHER_MM]), fraction=4)
    second = loaded(isocentre_mm=OTHER_MM, beam="field 2")
    first = loaded(beam="field 1")
    for now, place in ((first, ISOCENTRE_MM), (second, OTHER_MM)):
        report(client, loaded=now)
        transfer = client.begin_image(volume.grid, position=HFS, couch=COUCH)
        transfer.send_missing(volume.hu)
        transfer.end(couch=COUCH)
        proposal = client.wait_for_answer(transfer.image_id, timeout_s=WAIT_S)
        assert tuple(proposal.answer["plan_isocentre_mm"]) == place
        token = approve(client, proposal)
        other = second if now is first else first
        report(client, loaded=other)
        assert "is for isocentre" in alerts(client)["isocentre_other"].sentence
        assert {"isocentre", "beam"} <= rules(claim(client, proposal, token, loaded=other))
        assert claim(client, proposal, token, loaded=now).release is not None
        assert "isocentre_other" not in alerts(client)


def test_what_the_protocol_says_of_age_read_back_and_images_is_held_to(client, plan_file, volume):
    client.load_plan(plan_file(patient_id="P1"), protocol="strict", fraction=4)
    proposal = image(client, volume)
    assert proposal.expires_monotonic_s - proposal.published_monotonic_s <= 60.0
    release = claim(client, proposal, approve(client, proposal)).release
    assert moved(client, release).state == "in_position"
    always = "A verification image is required before the beam: the protocol asks for it after the first correction."
    assert client.snapshot().standing.verification == [always]
    here = release.target
    for rounds in (1, 2):
        proposal = image(client, volume, couch=here)
        assert client.snapshot().standing.rounds == rounds
        if rounds == 2:
            with pytest.raises(RefusedError, match=r"this set-up \(1\) have asked for another move"):
                approve(client, proposal)
            return
        release = claim(client, proposal, approve(client, proposal), couch=here).release
        off = msgspec.structs.replace(release.target, lateral_mm=release.target.lateral_mm + 0.2)
        reply = moved(client, release, off)
        assert (reply.state, reply.hold) == ("interrupted", True)
        assert "chain_broken" in alerts(client)
        assert client.confirm_couch(by="Test Therapist", couch=release.target).state == "in_position"
        here = release.target


def test_the_read_back_is_judged_at_the_match_point(client, plan_file, volume):
    """0.15 degrees of yaw are within tolerance, and leave the isocentre where it is, but not tissue 500 mm from it."""
    still = {"move": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}
    for index, (away_mm, state) in enumerate(((0.0, "in_position"), (500.0, "interrupted"))):
        point = (ISOCENTRE_MM[0], ISOCENTRE_MM[1], ISOCENTRE_MM[2] + away_mm)
        plan = plan_file(f"plan-{index}.json", patient_id="P1", match_point=point, **still)
        client.load_plan(plan, fraction=4)
        proposal = image(client, volume)
        release = claim(client, proposal, approve(client, proposal)).release
        reply = moved(client, release, msgspec.structs.replace(release.target, yaw_deg=0.15))
        assert reply.state == state
        if state == "in_position":
            client.reject(by="Test Therapist", why="next")
    assert "the tissue to be treated is 1.3 mm from where" in alerts(client)["chain_broken"].sentence


def test_a_single_radiograph_between_a_pair_and_a_cone_beam_image_does_not_hide_how_far_they_differ(engine, client, plan_file, volume):
    slips = [(0.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 0.0)]
    pair = {"error": ERROR, "modalities": ["kV pair", "kV radiograph", "cone-beam CT"], "slips": slips, "partial": [False, True, False]}
    propose(client, plan_file, volume, **pair)
    single = client.send_image(volume, position=HFS, couch=COUCH)
    assert isinstance(client.wait_for_answer(single, timeout_s=WAIT_S), m.Refusal)
    last = image(client, volume)
    found = {f["code"]: f for f in last.answer["findings"] if f["code"].startswith("images_")}
    assert found["images_differ_shift"]["value"] == pytest.approx(3.0, abs=1e-6)
    assert "cone-beam CT 3" in found["images_differ_shift"]["sentence"]
    assert last.answer["verdict"] == "caution"
