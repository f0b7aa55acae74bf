"""From proposal to couch and back: approved, claimed once, moved, read back; and everything that must be denied."""

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.engine.case import Limits
from igrt.simulation.linac import UNITS
from tests.bus.chain_cases import (
    CHAIN_WORKER,
    COUCH,
    HFS,
    LOADED,
    ROOT,
    WAIT_S,
    approve,
    claim,
    claimed,
    image,
    moved,
    propose,
    report,
    rules,
)


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def engine(start_engine):
    return start_engine(worker_command=CHAIN_WORKER)


def changed(couch=COUCH, **axes):
    return msgspec.structs.replace(couch, **axes)


def state(client) -> str:
    return client.snapshot().state


def alerts(client) -> set[str]:
    return {alert.code for alert in client.snapshot().alerts}


def test_a_correction_goes_the_whole_way(engine, client, plan_file, volume):
    follower = Client(engine.endpoints)
    stream = follower.events(timeout_s=WAIT_S)
    next(stream)
    release = claimed(client, plan_file, volume)
    assert release.start == COUCH
    assert (release.target.lateral_mm, release.target.longitudinal_mm, release.target.vertical_mm) == pytest.approx((11, -202, -147))
    assert client.report_couch(release.proposal_id, "start", COUCH).state == "moving"
    assert client.report_couch(release.proposal_id, "during", changed(lateral_mm=10.4)).state == "moving"
    assert client.report_couch(release.proposal_id, "after", release.target).state == "in_position"
    assert report(client, beam_on=True) == "delivering"
    assert report(client, beam_on=False) == "ready"
    seen = []
    for event in stream:
        seen.append(event)
        if isinstance(event, m.StateChanged) and event.previous == "delivering":
            break
    follower.close()
    states = [e.state for e in seen if isinstance(e, m.StateChanged)]
    assert states == [
        "ready", "acquiring", "registering", "proposed", "approved", "claimed", "moving", "in_position", "delivering", "ready"
    ]  # fmt: skip
    kinds = [type(e) for e in seen]
    for kind in (m.Proposal, m.Approved, m.MachineReported, m.Claimed, m.CouchReported, m.ChainClosed):
        assert kind in kinds
    closed = next(e for e in seen if isinstance(e, m.ChainClosed))
    assert closed.within
    assert closed.faults == closed.verification == []
    assert alerts(client) == set()


def test_a_second_claim_is_denied_and_a_repeated_one_gets_the_first_reply(engine, client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    report(client)
    request = m.Claim(header=client._header(), proposal_id=proposal.proposal_id, token=token, couch=COUCH)
    first = client._request(request, m.ClaimReply, timeout_s=WAIT_S)
    assert first.release is not None
    assert client._request(request, m.ClaimReply, timeout_s=WAIT_S) == first
    assert rules(claim(client, proposal, token)) == {"state", "token_unused"}
    with Client(engine.endpoints) as other:
        other.snapshot()
        assert {"state", "token_unused"} <= rules(claim(other, proposal, token))
    assert state(client) == "claimed"


def test_nothing_is_claimed_that_is_not_approved(client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    denied = rules(claim(client, proposal, "t" * 64))
    assert {"state", "approval", "token"} <= denied
    token = approve(client, proposal)
    assert rules(claim(client, proposal, "t" * 64)) == {"token"}
    assert state(client) == "approved"
    assert claim(client, proposal, token).release is not None


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("patient_id", "P2", "patient"),
        ("plan_uid", "1.2.4", "plan"),
        ("plan_revision", "20260302", "plan"),
        ("plan_approval", "UNAPPROVED", "plan_approval"),
        ("fraction", 5, "fraction"),
        ("isocentre_mm", (12.0, -34.0, 56.2), "isocentre"),
        ("beam", "field 3", "beam"),
        ("machine", "linac-4", "machine"),
    ],
)
def test_what_the_linac_has_loaded_must_be_what_was_proposed(client, plan_file, volume, field, value, rule):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    denied = claim(client, proposal, token, loaded=msgspec.structs.replace(LOADED, **{field: value}))
    assert rules(denied) == {rule}
    assert str(value)[:8] in denied.denials[0].sentence
    event = client.wait_for(m.ClaimDenied, timeout_s=WAIT_S)
    assert event.denials == denied.denials
    assert claim(client, proposal, token).release is not None  # put right, the same token releases


@pytest.mark.parametrize(
    ("reported", "rule"),
    [
        ({"loaded": None}, "patient"),
        ({"beam_on": True}, "beam_off"),
        ({"simulated": False}, "same_reality"),
        ({"units": msgspec.structs.replace(UNITS, length="cm")}, "units"),
        ({"units": msgspec.structs.replace(UNITS, couch_scale="vendor")}, "units"),
    ],
)
def test_what_the_linac_says_of_itself_must_hold(client, plan_file, volume, reported, rule):
    proposal = propose(client, plan_file, volume)
    assert rule in rules(claim(client, proposal, approve(client, proposal), **reported))


def test_a_claim_needs_a_fresh_report_after_the_approval(client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    report(client)
    token = approve(client, proposal)
    assert rules(client.claim(proposal.proposal_id, token=token, couch=COUCH)) == {"in_order"}


@pytest.mark.parametrize("moved_to", [changed(lateral_mm=10.6), changed(vertical_mm=-150.6), changed(pitch_deg=0.3), changed(yaw_deg=0.3)])
def test_a_couch_that_moved_since_the_image_is_denied(client, plan_file, volume, moved_to):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    assert "couch_unmoved" in rules(claim(client, proposal, token, couch=moved_to))
    assert claim(client, proposal, token).release is not None


def test_a_couch_that_moved_during_the_scan_is_denied(client, plan_file, volume):
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    transfer = client.begin_image(volume.grid, position=HFS, couch=COUCH)
    transfer.send_missing(volume.hu)
    transfer.end(couch=changed(longitudinal_mm=-201.0))
    proposal = client.wait_for_answer(transfer.image_id, timeout_s=WAIT_S)
    assert rules(claim(client, proposal, approve(client, proposal))) == {"couch_unmoved"}


@pytest.mark.parametrize("axis", ["vertical_mm", "pitch_deg"])
@pytest.mark.parametrize("nothing", [float("nan"), float("inf")])
def test_a_couch_that_reads_no_number_is_denied(client, plan_file, volume, axis, nothing):
    proposal = propose(client, plan_file, volume)
    assert "couch_unmoved" in rules(claim(client, proposal, approve(client, proposal), couch=changed(**{axis: nothing})))


def test_without_a_couch_or_a_fraction_nothing_is_released(client, plan_file, volume):
    client.load_plan(plan_file(patient_id="P1"))
    proposal = image(client, volume, couch=None)
    denied = rules(claim(client, proposal, approve(client, proposal)))
    assert {"fraction", "couch_unmoved", "move_follows", "travel"} <= denied


@pytest.mark.parametrize("when", ["proposed", "approved", "claimed"])
def test_what_waits_too_long_expires(start_engine, plan_file, volume, when):
    engine = start_engine(worker_command=CHAIN_WORKER, limits=Limits(reserve_bytes=0, disk_low_bytes=0, lifetime_s=1.5, hold_s=0.1))
    with Client(engine.endpoints) as client:
        proposal = propose(client, plan_file, volume)
        assert 0 < proposal.expires_monotonic_s - proposal.published_monotonic_s <= 1.5
        token = approve(client, proposal) if when != "proposed" else "t" * 64
        if when == "claimed":
            assert claim(client, proposal, token).release is not None
        assert client.wait_for(m.Expired, timeout_s=WAIT_S).proposal_id == proposal.proposal_id
        now = client.snapshot()
        assert now.state == "expired"
        assert {"state", "expiry"} <= rules(claim(client, proposal, token))
        if when == "claimed":
            assert now.standing.hold is not None
            assert {"correction_withdrawn", "proposal_expired"} <= alerts(client)
        else:
            assert alerts(client) == {"proposal_expired"}
        with pytest.raises(RefusedError, match="the session is expired"):
            client.approve(proposal.proposal_id, by="Test Therapist")
        image(client, volume)


def test_a_stop_is_approved_by_override_alone(client, plan_file, volume):
    proposal = propose(client, plan_file, volume, verdict="stop")
    with pytest.raises(RefusedError, match="override it by name and with the reason"):
        client.approve(proposal.proposal_id, by="Test Therapist", simulated=True)
    client.override(proposal.proposal_id, by="Test Therapist", why="tumour has shrunk, seen by the physician", simulated=True)
    approved = client.wait_for(m.Approved, timeout_s=WAIT_S)
    assert approved.overridden == "tumour has shrunk, seen by the physician"
    reply = claim(client, proposal, approved.token)
    assert reply.denials == []
    assert moved(client, reply.release).state == "in_position"
    closed = client.wait_for(m.ChainClosed, timeout_s=WAIT_S)
    assert closed.verification == ["A verification image is required before the beam: a verdict was set aside."]


def test_what_needs_no_override_has_none_and_a_blank_name_or_reason_is_refused(client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    with pytest.raises(RefusedError, match="which needs no override"):
        client.override(proposal.proposal_id, by="Test Therapist", why="because", simulated=True)
    for by, why in ((" ", "because"), ("Test Therapist", " "), ("", "because")):
        with pytest.raises(RefusedError) as caught:
            client.override(proposal.proposal_id, by=by, why=why)
        assert caught.value.code == "malformed"
    with pytest.raises(RefusedError) as caught:
        client.approve("another", by="Test Therapist")
    assert caught.value.code == "wrong_proposal"


def test_a_rejected_proposal_is_not_claimed_and_put_aside(client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    assert client.reject(by="Test Therapist", why="the head moved").state == "rejected"
    rejected = client.wait_for(m.Rejected, timeout_s=WAIT_S)
    assert (rejected.proposal_id, rejected.by, rejected.why) == (proposal.proposal_id, "Test Therapist", "the head moved")
    assert rules(claim(client, proposal, token)) == {"state"}
    assert client.reject(by="Test Therapist", why="to begin anew").state == "ready"
    with pytest.raises(RefusedError, match="there is nothing to reject now"):
        client.reject(by="Test Therapist", why="again")


def test_what_is_withdrawn_after_the_claim_is_held(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    assert client.reject(by="Test Therapist", why="the patient coughed").state == "withdrawn"
    hold = client.wait_for(m.Hold, timeout_s=WAIT_S)
    assert "the patient coughed" in hold.reason
    assert client.snapshot().standing.hold == hold
    assert alerts(client) == {"correction_withdrawn"}
    assert client.report_couch(release.proposal_id, "stopped", release.start).hold
    client.acknowledge_hold(hold.hold_id)
    assert client.snapshot().standing.hold is None
    with pytest.raises(RefusedError, match="no such hold"):
        client.acknowledge_hold(hold.hold_id)
    client.clear_alert("correction_withdrawn", by="Test Therapist")
    assert client.wait_for(m.AlertCleared, timeout_s=WAIT_S).by == "Test Therapist"
    assert alerts(client) == set()


def test_a_hold_that_is_not_acknowledged_is_an_alert(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER, limits=Limits(reserve_bytes=0, disk_low_bytes=0, hold_s=0.1))
    with Client(engine.endpoints) as client:
        claimed(client, plan_file, volume)
        client.reject(by="Test Therapist", why="no")
        hold = client.wait_for(m.Hold, timeout_s=WAIT_S)
        while client.wait_for(m.Alert, timeout_s=WAIT_S).alert.code != "hold_unacknowledged":
            pass
        with pytest.raises(RefusedError, match="is cleared by itself"):
            client.clear_alert("hold_unacknowledged", by="Test Therapist")
        client.acknowledge_hold(hold.hold_id)
        assert "hold_unacknowledged" not in alerts(client)


@pytest.mark.parametrize("moving", [False, True])
def test_another_image_withdraws_what_was_released(client, plan_file, volume, moving):
    release = claimed(client, plan_file, volume)
    if moving:
        client.report_couch(release.proposal_id, "start", COUCH)
    proposal = image(client, volume)
    now = client.snapshot()
    assert now.state == "proposed"
    assert now.standing.hold is not None
    assert now.standing.release is None
    assert alerts(client) == {"correction_withdrawn"}
    with pytest.raises(RefusedError) as caught:
        client.report_couch(release.proposal_id, "after", release.target)
    assert caught.value.code == "wrong_proposal"
    assert claim(client, proposal, approve(client, proposal)).release is not None


def test_no_plan_is_loaded_while_the_linac_acts(client, plan_file, volume):
    claimed(client, plan_file, volume)
    with pytest.raises(RefusedError, match="the session is claimed"):
        client.load_plan(plan_file("other.json"))


def test_a_move_that_stops_midway_is_interrupted_and_imaged_again(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    reply = moved(client, release, changed(lateral_mm=10.4, longitudinal_mm=-200.9, vertical_mm=-148.7), "stopped")
    assert (reply.state, reply.hold) == ("interrupted", False)
    assert alerts(client) == {"move_interrupted"}
    assert client.confirm_couch(by="Test Therapist", couch=changed(lateral_mm=10.4)).state == "ready"
    assert not client.wait_for(m.CouchConfirmed, timeout_s=WAIT_S).at_target
    assert alerts(client) == set()
    image(client, volume, couch=changed(lateral_mm=10.4))


def test_an_interrupted_move_that_is_at_its_target_needs_a_verification_image_before_the_beam(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    moved(client, release, changed(lateral_mm=10.4, longitudinal_mm=-200.9, vertical_mm=-148.7), "stopped")
    assert client.confirm_couch(by="Test Therapist", couch=release.target).state == "in_position"
    assert report(client, beam_on=True) == "in_position"
    now = client.snapshot()
    assert now.standing.verification == ["A verification image is required before the beam: the move was interrupted."]
    assert now.standing.hold is not None
    assert alerts(client) == {"verification_missing"}
    proposal = image(client, volume, couch=release.target)
    assert client.snapshot().standing.rounds == 1
    assert alerts(client) == {"images_differ"}
    assert claim(client, proposal, approve(client, proposal), couch=release.target).release is not None


def test_a_large_move_needs_a_verification_image_and_two_rounds_are_the_most(client, plan_file, volume):
    release = claimed(client, plan_file, volume, move=(4.0, 11.0, 0.0, 0.0, 0.0, 0.0))
    for rounds in (0, 1, 2):
        assert client.snapshot().standing.rounds == rounds
        assert moved(client, release).state == "in_position"
        moved_far = "the patient was moved by 11.7 mm, more than 10 mm"
        (words,) = client.snapshot().standing.verification
        if rounds < 2:
            assert words == f"A verification image is required before the beam: {moved_far}."
        else:
            assert words == f"After 2 verification images a further one would be required: {moved_far}."
            # The simulated answers ask for the same each time, as if the patient had moved.
            assert alerts(client) == {"verification_rounds", "images_differ"}
        proposal = image(client, volume, couch=release.target)
        if rounds < 2:
            reply = claim(client, proposal, approve(client, proposal), couch=release.target)
            assert reply.denials == []
            release = reply.release
    with pytest.raises(RefusedError, match=r"this set-up \(2\) have asked for another move; set up again"):
        approve(client, proposal)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"lateral_mm": 9.0, "longitudinal_mm": -202.0, "vertical_mm": -147.0}, "the lateral axis has the wrong sign"),
        ({"lateral_mm": 11.0, "longitudinal_mm": -202.0, "vertical_mm": -150.0}, "the vertical axis did not move"),
        ({"lateral_mm": 8.0, "longitudinal_mm": -199.0, "vertical_mm": -147.0}, "are taken for each other"),
        ({"lateral_mm": 11.0, "longitudinal_mm": -202.0, "vertical_mm": -120.0}, "The couch moved 30.0 mm up where 3.0 mm up was asked"),
        ({"lateral_mm": float("nan")}, "where it stands is not known"),
        ({"yaw_deg": float("nan")}, "where it stands is not known"),
    ],
)
def test_a_couch_that_is_not_where_it_was_sent_is_a_stop_alert(client, plan_file, volume, axes, words):
    release = claimed(client, plan_file, volume)
    reply = moved(client, release, changed(**axes))
    assert (reply.state, reply.hold) == ("interrupted", True)
    (alert,) = client.snapshot().alerts
    assert (alert.code, alert.priority) == ("chain_broken", "high")
    assert words in alert.sentence
    closed = client.wait_for(m.ChainClosed, timeout_s=WAIT_S)
    assert not closed.within
    assert any(words in fault for fault in closed.faults)


def test_a_couch_on_its_way_the_wrong_way_is_held_before_it_arrives(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    client.report_couch(release.proposal_id, "start", COUCH)
    reply = client.report_couch(release.proposal_id, "during", changed(vertical_mm=-150.8))
    assert (reply.state, reply.hold) == ("interrupted", True)
    assert "The vertical axis has gone -0.80 mm of +3.00 mm: the wrong way." in client.snapshot().alerts[0].sentence


@pytest.mark.parametrize("beam", [False, True])
def test_a_couch_that_leaves_its_target_is_held(client, plan_file, volume, beam):
    release = claimed(client, plan_file, volume)
    moved(client, release)
    if beam:
        assert report(client, beam_on=True) == "delivering"
    reply = client.report_couch(release.proposal_id, "during", changed(release.target, lateral_mm=12.0))
    assert (reply.state, reply.hold) == ("interrupted", True)
    assert alerts(client) == {"chain_broken"}


def test_a_beam_before_the_couch_is_in_position_is_held(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    assert report(client, beam_on=True) == "interrupted"
    assert client.snapshot().standing.hold is not None
    assert alerts(client) == {"beam_unexpected"}
    assert client.report_couch(release.proposal_id, "stopped", COUCH).state == "interrupted"


def test_an_image_during_the_beam_holds_it_and_only_a_fresh_proposal_goes_on(client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    moved(client, release)
    report(client, beam_on=True)
    proposal = image(client, volume, couch=release.target)
    now = client.snapshot()
    assert now.state == "proposed"
    assert now.standing.hold is not None
    assert report(client, beam_on=False) == "proposed"
    assert claim(client, proposal, approve(client, proposal), couch=release.target).release is not None


def test_an_older_proposal_is_never_claimed(client, plan_file, volume):
    first = propose(client, plan_file, volume)
    token = approve(client, first)
    second = image(client, volume)
    assert {"approval", "token"} & rules(claim(client, first, token))
    approve(client, second)
    assert {"approval"} <= rules(claim(client, first, token))
    assert state(client) == "approved"


def test_reports_without_a_release_are_refused_by_name(client, plan_file, volume):
    proposal = propose(client, plan_file, volume)
    with pytest.raises(RefusedError) as caught:
        client.report_couch(proposal.proposal_id, "start", COUCH)
    assert caught.value.code == "wrong_proposal"
    with pytest.raises(RefusedError, match="confirmed after an interruption"):
        client.confirm_couch(by="Test Therapist", couch=COUCH)
    with pytest.raises(RefusedError, match="no alert 'chain_broken' stands"):
        client.clear_alert("chain_broken", by="Test Therapist")
    assert report(client, beam_on=True) == "proposed"
