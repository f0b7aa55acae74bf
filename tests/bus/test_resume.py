"""Another run of the engine: everything stands as it stood, and what was released and not in position is interrupted."""

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.engine import chain
from igrt.engine.chain import Kept
from igrt.engine.journal import AlreadyAnsweredError, Entry, Journal, JournalFailedError, read_rows
from igrt.engine.journal_verify import verify
from igrt.engine.record import CLAIM, EVENT, FILE, RELEASE, REPLY, REQUEST, STATE, last_state, release_once
from igrt.errors import InputError
from tests.bus.chain_cases import CHAIN_WORKER, COUCH, HFS, ROOT, WAIT_S, approve, claim, claimed, image, moved, propose, report, rules


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def engine(start_engine):
    return start_engine(worker_command=CHAIN_WORKER)


@pytest.fixture
def again(engine, start_engine):
    """End the engine and start another in its folder: a client of it."""
    clients = []

    def restart() -> Client:
        engine.stop()
        clients.append(Client(start_engine(worker_command=CHAIN_WORKER).endpoints))
        return clients[-1]

    yield restart
    for client in clients:
        client.close()


def test_a_plan_comes_back(client, plan_file, again):
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    before = client.snapshot()
    now = again().snapshot()
    assert (now.state, now.machine, now.protocol, now.plan_label) == ("ready", before.machine, before.protocol, before.plan_label)
    assert (now.header.patient_id, now.header.plan_fingerprint) == ("P1", before.header.plan_fingerprint)


def test_an_image_goes_on_where_it_stopped(client, plan_file, volume, again):
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    transfer = client.begin_image(volume.grid, position=HFS, image_id="scan-1", couch=COUCH)
    transfer.send(3, volume.hu[3:9])
    transfer.drain()
    other = again()
    assert other.snapshot().image == m.ImageState(image_id="scan-1", slices_stored=6, slices_total=20)
    resumed = other.begin_image(volume.grid, position=HFS, image_id="scan-1", couch=COUCH)
    assert resumed.missing == [(0, 3), (9, 20)]
    resumed.send_missing(volume.hu)
    resumed.end(couch=COUCH)
    proposal = other.wait_for_answer("scan-1", timeout_s=WAIT_S)
    assert claim(other, proposal, approve(other, proposal)).release is not None


def test_an_image_that_was_whole_is_answered(client, plan_file, volume, again, tmp_path):
    client.load_plan(plan_file(patient_id="P1", hold="answer"), fraction=4)
    client.send_image(volume, position=HFS, image_id="scan-1", couch=COUCH)
    other = again()
    (tmp_path / "go").touch()
    proposal = other.wait_for_answer("scan-1", timeout_s=WAIT_S)
    assert claim(other, proposal, approve(other, proposal)).release is not None


def test_a_proposal_and_an_approval_stand_and_the_token_releases(client, plan_file, volume, again):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    other = again()
    now = other.snapshot()
    assert now.state == "approved"
    assert now.result == proposal
    assert now.standing.approved.token == token
    assert claim(other, proposal, token).release is not None


def test_a_correction_that_was_released_is_interrupted_and_never_released_again(client, plan_file, volume, again):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    report(client)
    request = m.Claim(header=client._header(), proposal_id=proposal.proposal_id, token=token, couch=COUCH)
    first = client._request(request, m.ClaimReply, timeout_s=WAIT_S)
    assert first.release is not None
    other = again()
    now = other.snapshot()
    assert now.state == "interrupted"
    assert now.standing.release == first.release
    assert now.standing.hold is not None
    assert [a.code for a in now.alerts] == ["release_interrupted"]
    assert other._request(request, m.ClaimReply, timeout_s=WAIT_S) == first
    assert {"state", "token_unused"} <= rules(claim(other, proposal, token))
    assert other.confirm_couch(by="Test Therapist", couch=COUCH).state == "ready"
    assert other.snapshot().alerts == []
    image(other, volume)


def test_a_couch_that_had_arrived_when_the_engine_died_is_confirmed_there(client, plan_file, volume, again):
    release = claimed(client, plan_file, volume)
    client.report_couch(release.proposal_id, "start", COUCH)
    other = again()
    assert other.snapshot().state == "interrupted"
    assert other.report_couch(release.proposal_id, "after", release.target).state == "interrupted"
    assert other.confirm_couch(by="Test Therapist", couch=release.target).state == "in_position"
    assert other.snapshot().standing.verification == ["A verification image is required before the beam: the move was interrupted."]


def test_in_position_stands(client, plan_file, volume, again):
    moved(client, claimed(client, plan_file, volume))
    other = again()
    assert other.snapshot().state == "in_position"
    assert report(other, beam_on=True) == "delivering"


def test_alerts_of_a_person_stand(client, plan_file, volume, again):
    claimed(client, plan_file, volume)
    client.reject(by="Test Therapist", why="no")
    other = again()
    assert [a.code for a in other.snapshot().alerts] == ["correction_withdrawn"]
    other.clear_alert("correction_withdrawn", by="Test Therapist")


def test_a_machine_that_was_restarted_answers_its_image_and_releases_nothing_of_it(client, plan_file, volume, again, monkeypatch):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    monkeypatch.setattr("igrt.engine.case.boot", lambda: "another boot")
    other = again()
    assert other.snapshot().state == "expired"
    assert other.snapshot().standing.machine is None
    assert {"state", "expiry"} <= rules(claim(other, proposal, token))


def test_an_image_of_another_boot_is_answered_and_expires(client, plan_file, volume, again, monkeypatch, tmp_path):
    client.load_plan(plan_file(patient_id="P1", hold="answer"), fraction=4)
    client.send_image(volume, position=HFS, image_id="scan-1", couch=COUCH)
    monkeypatch.setattr("igrt.engine.case.boot", lambda: "another boot")
    other = again()
    (tmp_path / "go").touch()
    assert isinstance(other.wait_for_answer("scan-1", timeout_s=WAIT_S), m.Proposal)
    other.wait_for(m.Expired, timeout_s=WAIT_S)
    assert other.snapshot().state == "expired"


def test_an_image_that_is_gone_from_the_disk_is_told(engine, client, plan_file, volume, again):
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    client.begin_image(volume.grid, position=HFS, image_id="scan-1", couch=COUCH)
    (engine.folder / "spool" / "scan-1.json").unlink()
    now = again().snapshot()
    assert now.state == "interrupted"
    assert isinstance(now.result, m.ImageFailed)


def test_a_plan_that_changed_on_disk_is_dropped(client, plan_file, again):
    client.load_plan(plan_file(patient_id="P1"), fraction=4)
    plan_file(patient_id="P2")
    other = again()
    while other.snapshot().state != "idle":
        other.wait_for(m.StateChanged, timeout_s=WAIT_S)
    assert [a.code for a in other.snapshot().alerts] == ["plan_changed"]


def test_a_machine_profile_that_is_gone_is_told(start_engine, plan_file, tmp_path):
    site = tmp_path / "site"
    (site / "machines").mkdir(parents=True)
    profile = (ROOT / "calibration" / "machines" / "research-default.toml").read_text()
    (site / "machines" / "linac-9.toml").write_text(profile)
    worker = (*CHAIN_WORKER, "--site", str(site))
    first = start_engine(worker_command=worker, site=site)
    with Client(first.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1"), machine="linac-9")
    first.stop()
    (site / "machines" / "linac-9.toml").unlink()
    with Client(start_engine(worker_command=worker, site=site).endpoints) as client:
        now = client.snapshot()
    assert now.state == "idle"
    assert [a.code for a in now.alerts] == ["plan_lost"]


def test_a_request_of_an_earlier_run_gets_its_first_reply(client, plan_file, again):
    request = m.LoadPlan(header=m.new_header(), path=str(plan_file(patient_id="P1")))
    first = client._request(request, m.LoadPlanReply, timeout_s=WAIT_S)
    wrong = m.Reject(header=client._header(), by="Test Therapist", why="nothing")
    with pytest.raises(RefusedError) as refused:
        client._request(wrong, m.RejectReply, timeout_s=WAIT_S)
    other = again()
    assert other._request(request, m.LoadPlanReply, timeout_s=WAIT_S) == first
    with pytest.raises(RefusedError) as again_refused:
        other._request(wrong, m.RejectReply, timeout_s=WAIT_S)
    assert str(again_refused.value) == str(refused.value)


def test_the_journal_holds_every_event_as_it_was_published_and_no_token(engine, client, plan_file, volume):
    follower = Client(engine.endpoints)
    stream = follower.events(timeout_s=WAIT_S)
    next(stream)
    release = claimed(client, plan_file, volume)
    moved(client, release)
    heard = []
    for event in stream:
        heard.append(event)
        if isinstance(event, m.StateChanged) and event.state == "in_position":
            break
    follower.close()
    token = next(e.token for e in heard if isinstance(e, m.Approved))
    path = engine.folder / FILE
    rows = list(read_rows(path))
    kept = [msgspec.msgpack.decode(r.payload) for r in rows if r.kind == EVENT]
    blanked = [msgspec.structs.replace(e, token="redacted") if isinstance(e, m.Approved) else e for e in heard]
    wanted = [msgspec.msgpack.decode(m.encode(e)) for e in blanked]
    first = kept.index(wanted[0])
    assert kept[first : first + len(wanted)] == wanted
    assert not any(token.encode() in r.payload for r in rows)
    assert [r.request_id for r in rows if r.kind == RELEASE] == [f"release.{release.proposal_id}"]
    asked = [msgspec.msgpack.decode(r.payload)["header"]["message_id"] for r in rows if r.kind == REQUEST]
    assert sorted(r.request_id for r in rows if r.kind == REPLY) == sorted(asked)
    found = verify(path)
    assert found.holds
    assert client.snapshot().journal_head == str(found.head)


def test_a_patients_data_can_be_erased_and_the_engine_starts_without_them(engine, client, plan_file, volume, again):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    report(client)
    request = m.Claim(header=client._header(), proposal_id=proposal.proposal_id, token=token, couch=COUCH)
    assert client._request(request, m.ClaimReply, timeout_s=WAIT_S).release is not None
    engine.stop()
    with Journal(engine.folder / FILE, session="erasing") as journal:
        assert journal.erase_patient("P1").payloads > 0
    other = again()
    now = other.snapshot()
    assert now.state == "idle"
    assert now.header.patient_id is None
    with pytest.raises(RefusedError, match="was erased with its patient"):
        other._request(request, m.ClaimReply, timeout_s=WAIT_S)
    assert verify(engine.folder / FILE).holds
    other.load_plan(plan_file(patient_id="P1"), fraction=4)


def test_the_claim_is_written_down_with_its_reply_in_one_piece(engine, client, plan_file, volume):
    release = claimed(client, plan_file, volume)
    rows = list(read_rows(engine.folder / FILE))
    at = next(n for n, row in enumerate(rows) if row.kind == RELEASE)
    together = [r for r in rows if r.monotonic_s == rows[at].monotonic_s]
    assert [r.kind for r in together] == [REQUEST, CLAIM, EVENT, RELEASE, EVENT, REPLY, STATE]
    assert msgspec.msgpack.decode(together[-1].payload, type=Kept).chain.release == release


def test_what_cannot_be_written_down_is_not_released_and_ends_the_engine(engine, client, plan_file, volume, monkeypatch):
    proposal = propose(client, plan_file, volume)
    token = approve(client, proposal)
    report(client)

    def fail(_entries):
        raise JournalFailedError("journal.sqlite: the journal cannot be written (disk full); look at the disk, then start the engine")

    engine.on_loop(lambda: monkeypatch.setattr(engine.engine._journal, "append_all", fail))
    request = m.Claim(header=client._header(), proposal_id=proposal.proposal_id, token=token, couch=COUCH)
    client._commands.send(m.encode(request))
    engine.thread.join(WAIT_S)
    assert not engine.thread.is_alive()
    assert not client._commands.poll(0)
    assert isinstance(engine.failure, InputError)
    assert "the journal cannot be written" in str(engine.failure)
    engine.failure = None
    assert not [r for r in read_rows(engine.folder / FILE) if r.kind == RELEASE]


def test_a_state_that_cannot_be_read_stops_the_start(engine, start_engine):
    engine.stop()
    with Journal(engine.folder / FILE, session="another") as journal:
        journal.append(STATE, msgspec.msgpack.encode({"state": "nowhere"}))
    with pytest.raises(InputError, match="its last state cannot be read"):
        start_engine(worker_command=CHAIN_WORKER)
    (engine.folder / FILE).unlink()  # nor can it be replayed


def test_tokens_differ_by_proposal_and_engine(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = chain.Tokens(tmp_path / "a"), chain.Tokens(tmp_path / "b")
    assert first.of("p") == chain.Tokens(tmp_path / "a").of("p")
    assert len({first.of("p"), first.of("q"), second.of("p")}) == 3
    assert (tmp_path / "a" / chain.KEY_FILE).stat().st_mode & 0o077 == 0


def test_the_journal_takes_a_release_once(tmp_path):
    with Journal(tmp_path / FILE, session="s") as journal:
        journal.append_all([release_once("p", b"\x80", patient_id=None)])
        with pytest.raises(AlreadyAnsweredError):
            journal.append_all([Entry(EVENT, b"\x80"), release_once("p", b"\x80", patient_id=None)])
        assert [row.kind for row in journal.rows()] == [RELEASE]


@pytest.mark.parametrize("after", [0, 1, 63, 64, 65, 200])
def test_the_last_state_is_found_however_many_rows_follow_it(tmp_path, after):
    with Journal(tmp_path / FILE, session="s") as journal:
        assert last_state(journal) is None
        journal.append_all([Entry(EVENT, b"\x80")] * 3)
        assert last_state(journal) is None
        journal.append_all([Entry(STATE, msgspec.msgpack.encode(n)) for n in range(2)] + [Entry(EVENT, b"\x80")] * after)
        assert last_state(journal) == msgspec.msgpack.encode(1)


@pytest.mark.parametrize("other", [False, True])
def test_what_the_beam_waits_for_outlives_a_plan_that_cannot_be_had_again(start_engine, plan_file, volume, tmp_path, other):
    site = tmp_path / "site"
    (site / "protocols").mkdir(parents=True)
    protocol = site / "protocols" / "own.toml"
    protocol.write_text((ROOT / "calibration" / "protocols" / "default.toml").read_text())
    options = {"worker_command": (*CHAIN_WORKER, "--site", str(site)), "site": site}
    engine = start_engine(**options)
    plan = {"patient_id": "P1", "move": (4.0, 11.0, 0.0, 0.0, 0.0, 0.0)}
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(**plan), fraction=4, protocol="own")
        proposal = image(client, volume)
        moved(client, claim(client, proposal, approve(client, proposal)).release)
        needed = client.snapshot().standing.verification
        assert needed
    engine.stop()
    protocol.unlink()
    with Client(start_engine(**options).endpoints) as client:
        assert (client.snapshot().state, client.snapshot().standing.verification) == ("idle", needed)
        client.load_plan(plan_file("another.json", patient_id="P2" if other else "P1"), fraction=4)
        assert client.snapshot().standing.verification == ([] if other else needed)
