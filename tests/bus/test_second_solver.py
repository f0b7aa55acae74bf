"""The second solver on the bus: it confirms, withdraws, dies or is no longer asked; the engine and its journal go on."""

import sys
import time
from pathlib import Path

import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.engine.journal import read_rows
from igrt.engine.record import FILE, SECOND
from igrt.engine.replay import replay
from igrt.engine.survey import survey
from tests.bus.chain_cases import CHAIN_WORKER, COUCH, ROOT, WAIT_S, approve, claim, claimed, image, moved, propose, report, rules
from tests.replay.library import rewrite

STAND_IN = (sys.executable, "-m", "tests.bus.second_stand_in")
AGREES, CONTRADICTS, LOST = [0.2, 0.9, 0.9], [8.0, 0.9, 0.7], [8.0, 0.7, 0.9]


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def engine(start_engine):
    return start_engine(worker_command=CHAIN_WORKER, second_solver=True, second_command=STAND_IN)


@pytest.fixture
def site_protocol(tmp_path):
    """A site whose protocol `strict` requires the second solver."""

    def write(**keys) -> str:
        folder = tmp_path / "site" / "protocols"
        folder.mkdir(parents=True, exist_ok=True)
        shipped = (ROOT / "calibration" / "protocols" / "default.toml").read_text()
        table = "\n".join(f"{key} = {str(value).lower()}" for key, value in keys.items())
        (folder / "strict.toml").write_text(f"{shipped}\n[second_solver]\n{table}\n")
        return "strict"

    return write


def said(client, wanted=("confirmed", "withdrawn", "no_opinion")) -> m.SecondSolver:
    """Its word in the snapshot, once it is one of `wanted`."""
    until_s = time.monotonic() + WAIT_S
    while True:
        last = client.snapshot().standing.second_solver
        if last is not None and last.opinion in wanted:
            return last
        assert time.monotonic() < until_s, last
        time.sleep(0.02)


def gone(client) -> m.SnapshotReply:
    """The snapshot once the proposal does not stand any more."""
    until_s = time.monotonic() + WAIT_S
    while True:
        now = client.snapshot()
        if now.state in ("withdrawn", "interrupted"):
            return now
        assert time.monotonic() < until_s, now.state
        time.sleep(0.02)


def alerts(client) -> set[str]:
    return {alert.code for alert in client.snapshot().alerts}


def wait_for(path) -> str:
    until_s = time.monotonic() + WAIT_S
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until_s, path
        time.sleep(0.01)
    return path.read_text()


def test_it_confirms_and_the_proposal_stands(engine, client, plan_file, volume):
    with Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        next(stream)
        proposal = propose(client, plan_file, volume, second=AGREES)
        seen = []
        while len(seen) < 2:
            event = next(stream)
            if isinstance(event, m.SecondSolver):
                seen.append(event)
    assert [event.opinion for event in seen] == ["running", "confirmed"]
    assert seen[1].proposal_id == proposal.proposal_id
    assert (seen[1].difference_mm, seen[1].took_s) == (0.2, 0.5)
    assert "0.2 mm" in seen[1].sentence
    assert client.snapshot().standing.second_solver == seen[1]
    assert claim(client, proposal, approve(client, proposal)).release is not None
    assert alerts(client) == set()


def test_it_yields_to_everything_else(client, plan_file, volume, tmp_path):
    propose(client, plan_file, volume, second=AGREES)
    assert said(client).opinion == "confirmed"
    assert wait_for(tmp_path / "second_up") == "19"


@pytest.mark.parametrize("approved", [False, True])
def test_it_withdraws_what_nobody_has_claimed(client, plan_file, volume, tmp_path, approved):
    proposal = propose(client, plan_file, volume, second=CONTRADICTS, second_waits=True)
    token = approve(client, proposal) if approved else "t" * 64
    (tmp_path / "second_go").touch()
    now = gone(client)
    assert now.state == "withdrawn"
    assert {alert.code: alert.priority for alert in now.alerts} == {"second_solver_withdraws": "high"}
    assert now.standing.second_solver.opinion == "withdrawn"
    assert now.standing.hold is None
    assert "state" in rules(claim(client, proposal, token))
    again = image(client, volume)
    assert again.proposal_id != proposal.proposal_id


@pytest.mark.parametrize("phase", ["claimed", "moving", "in_position", "delivering"])
def test_what_the_linac_has_is_withdrawn_and_held(client, plan_file, volume, tmp_path, phase):
    release = claimed(client, plan_file, volume, second=CONTRADICTS, second_waits=True)
    if phase == "moving":
        client.report_couch(release.proposal_id, "start", COUCH)
    elif phase != "claimed":
        moved(client, release)
    if phase == "delivering":
        assert report(client, beam_on=True) == "delivering"
    assert client.snapshot().state == phase
    (tmp_path / "second_go").touch()
    now = gone(client)
    assert now.state == ("interrupted" if phase == "delivering" else "withdrawn")
    assert "second solver" in now.standing.hold.reason
    assert "second_solver_withdraws" in {alert.code for alert in now.alerts}
    client.acknowledge_hold(now.standing.hold.hold_id)
    if phase == "delivering":
        report(client, beam_on=False)
    report(client, beam_on=True)
    assert "beam_unexpected" in alerts(client)


def test_a_withdrawn_position_put_aside_gets_no_beam(client, plan_file, volume, tmp_path):
    release = claimed(client, plan_file, volume, second=CONTRADICTS, second_waits=True)
    moved(client, release)
    (tmp_path / "second_go").touch()
    now = gone(client)
    client.acknowledge_hold(now.standing.hold.hold_id)
    assert client.reject(by="Test Therapist", why="set up again").state == "ready"
    assert report(client, beam_on=True) == "ready"
    assert client.snapshot().standing.hold is not None
    assert "beam_unexpected" in alerts(client)


def test_where_it_is_lost_itself_the_proposal_stands(client, plan_file, volume):
    proposal = propose(client, plan_file, volume, second=LOST)
    assert said(client).opinion == "no_opinion"
    assert alerts(client) == {"second_solver_silent"}
    assert claim(client, proposal, approve(client, proposal)).release is not None


@pytest.mark.parametrize(
    ("fault", "word"), [("crash", "ended with code 7"), ("babble", "no report that can be read"), ("bad_input", "no longer the one")]
)
def test_its_fault_is_no_opinion_and_the_engine_goes_on(client, plan_file, volume, fault, word):
    proposal = propose(client, plan_file, volume, second=fault)
    last = said(client)
    assert last.opinion == "no_opinion"
    assert word in last.sentence
    (alert,) = client.snapshot().alerts
    assert (alert.code, alert.priority) == ("second_solver_silent", "information")
    assert claim(client, proposal, approve(client, proposal)).release is not None


def test_one_that_hangs_is_ended(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER, second_solver=True, second_command=STAND_IN, second_budget_s=3.0)
    with Client(engine.endpoints) as client:
        propose(client, plan_file, volume, second="hang")
        assert "was not done after 3 s" in said(client).sentence
        assert client.snapshot().state == "proposed"


def test_one_that_cannot_be_started_is_no_opinion(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER, second_solver=True, second_command=("/nowhere/at/all",))
    with Client(engine.endpoints) as client:
        propose(client, plan_file, volume, second=AGREES)
        assert "could not be started" in said(client).sentence


def test_a_new_image_ends_it(engine, client, plan_file, volume, tmp_path):
    first = propose(client, plan_file, volume, second=AGREES, second_waits=True)
    wait_for(tmp_path / "second_up")
    pid = engine.engine._second.pid
    with Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        next(stream)
        later = image(client, volume)
        words = []
        while len(words) < 2:
            event = next(stream)
            if isinstance(event, m.SecondSolver):
                words.append((event.proposal_id, event.opinion))
    assert words == [(first.proposal_id, "no_opinion"), (later.proposal_id, "running")]
    until_s = time.monotonic() + WAIT_S
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < until_s
        time.sleep(0.02)
    (tmp_path / "second_go").touch()
    assert said(client).proposal_id == later.proposal_id


def test_a_rejection_ends_it(client, plan_file, volume):
    propose(client, plan_file, volume, second=CONTRADICTS, second_waits=True)
    said(client, ("running",))
    assert client.reject(by="Test Therapist", why="not this one").state == "rejected"
    assert said(client).sentence.endswith("the proposal no longer stands.")
    assert "second_solver_withdraws" not in alerts(client)


def test_a_restart_leaves_no_opinion(start_engine, engine, client, plan_file, volume):
    propose(client, plan_file, volume, second=CONTRADICTS, second_waits=True)
    said(client, ("running",))
    engine.stop()
    again = start_engine(worker_command=CHAIN_WORKER, second_solver=True, second_command=STAND_IN)
    with Client(again.endpoints) as other:
        assert said(other).sentence.endswith("the engine was started again.")
        assert other.snapshot().state == "proposed"
        assert alerts(other) == {"second_solver_silent"}
    again.stop()
    told = survey(read_rows(again.folder / FILE))
    assert (set(told.images.values()), told.shared) == ({"P1"}, set())  # else an erasure would leave what names the image


def test_switched_off_by_the_engine_nothing_is_said(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER, second_command=STAND_IN)
    with Client(engine.endpoints) as client:
        propose(client, plan_file, volume, second=CONTRADICTS)
        assert client.snapshot().standing.second_solver is None


def test_switched_off_by_the_protocol_nothing_is_said(start_engine, plan_file, volume, site_protocol, tmp_path):
    protocol = site_protocol(use=False)
    engine = start_engine(worker_command=(*CHAIN_WORKER, "--site", str(tmp_path / "site")), site=tmp_path / "site", second_solver=True)
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1", second=CONTRADICTS), fraction=4, protocol=protocol)
        image(client, volume)
        assert client.snapshot().standing.second_solver is None


def test_where_it_is_required_no_claim_comes_before_its_word(start_engine, plan_file, volume, site_protocol, tmp_path):
    protocol = site_protocol(required=True)
    site = tmp_path / "site"
    engine = start_engine(
        worker_command=(*CHAIN_WORKER, "--site", str(site)), site=site, second_solver=True, second_command=STAND_IN
    )  # fmt: skip
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1", second=AGREES, second_waits=True), fraction=4, protocol=protocol)
        proposal = image(client, volume)
        token = approve(client, proposal)
        assert rules(claim(client, proposal, token)) == {"second_solver"}
        (tmp_path / "second_go").touch()
        assert said(client).opinion == "confirmed"
        assert claim(client, proposal, token).release is not None


@pytest.mark.parametrize("word", [LOST, "crash"])
def test_where_it_is_required_no_opinion_is_no_release(start_engine, plan_file, volume, site_protocol, tmp_path, word):
    protocol = site_protocol(required=True)
    site = tmp_path / "site"
    engine = start_engine(worker_command=(*CHAIN_WORKER, "--site", str(site)), site=site, second_solver=True, second_command=STAND_IN)
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1", second=word), fraction=4, protocol=protocol)
        proposal = image(client, volume)
        token = approve(client, proposal)
        assert said(client).opinion == "no_opinion"
        assert rules(claim(client, proposal, token)) == {"second_solver"}


def test_a_protocol_that_no_longer_requires_it_is_not_what_another_run_decides_by(start_engine, plan_file, volume, site_protocol, tmp_path):
    protocol, site = site_protocol(required=True), tmp_path / "site"
    options = {"worker_command": (*CHAIN_WORKER, "--site", str(site)), "site": site, "second_solver": True, "second_command": STAND_IN}
    engine = start_engine(**options)
    with Client(engine.endpoints) as client:
        client.load_plan(plan_file(patient_id="P1", second=LOST, hang="load"), fraction=4, protocol=protocol)
        proposal = image(client, volume)
        token = approve(client, proposal)
        assert said(client).opinion == "no_opinion"
    engine.stop()
    site_protocol(required=False)
    (tmp_path / "again").touch()  # the worker does not come so far as to say that the plan's protocol has changed
    with Client(start_engine(**options).endpoints) as client:
        now = client.snapshot()
        assert (now.state, [alert.code for alert in now.alerts]) == ("idle", ["plan_changed"])
        with pytest.raises(RefusedError):
            claim(client, proposal, token)


def test_its_opinion_is_made_again_from_the_journal_and_a_changed_figure_shows(engine, client, plan_file, volume, tmp_path):
    propose(client, plan_file, volume, second=CONTRADICTS)
    gone(client)
    engine.stop()
    assert replay(engine.folder, answers=False).decisions[SECOND] == 1

    def agrees(row, payload):
        return payload | {"figures": payload["figures"] | {"difference_mm": 0.1}} if row.kind == SECOND else None

    (tmp_path / "changed").mkdir()
    changed = rewrite(engine.folder / FILE, tmp_path / "changed" / FILE, agrees)
    assert {decided.what for decided in replay(changed, answers=False).differing} == {SECOND}
