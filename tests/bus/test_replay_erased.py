"""A patient who was erased leaves a gap in the journal; what came before and after it is decided again."""

import pytest

from igrt.bus.client import Client
from igrt.engine.journal import Journal
from igrt.engine.record import FILE
from igrt.engine.replay import replay
from igrt.errors import InputError
from tests.bus.chain_cases import CHAIN_WORKER, LOADED, ROOT, approve, claim, image, propose


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def released(client, plan_file, volume, *, patient_id):
    """A correction claimed, and put away."""
    proposal = propose(client, plan_file, volume, patient_id=patient_id)
    loaded = type(LOADED)(**{f: getattr(LOADED, f) for f in LOADED.__struct_fields__} | {"patient_id": patient_id})
    reply = claim(client, proposal, approve(client, proposal), loaded=loaded)
    assert reply.release is not None, reply.denials
    client.reject(by="Test Therapist", why="another patient comes")
    hold = client.snapshot().standing.hold
    client.acknowledge_hold(hold.hold_id)
    client.clear_alert("correction_withdrawn", by="Test Therapist")


@pytest.mark.parametrize("patient_id", ["P1", "P2", "P3"])
def test_the_others_are_decided_again(start_engine, plan_file, volume, patient_id):
    engine = start_engine(worker_command=CHAIN_WORKER)
    with Client(engine.endpoints) as client:
        for one in ("P1", "P2", "P3"):
            released(client, plan_file, volume, patient_id=one)
        client.load_plan(plan_file(patient_id="P4"), fraction=4)
        image(client, volume)
    engine.stop()
    whole = replay(engine.folder, answers=False)
    assert (whole.same, whole.decisions["claim"], whole.erased) == (True, 3, 0)
    with Journal(engine.folder / FILE, session="erasing") as journal:
        assert journal.erase_patient(patient_id) is not None
    found = replay(engine.folder, answers=False)
    assert list(found.sentences) == []
    assert found.decisions["claim"] == 2
    assert found.erased > 10


def test_answers_of_a_worker_of_another_kind_are_not_given_again(start_engine, plan_file, volume):
    engine = start_engine(worker_command=CHAIN_WORKER)
    with Client(engine.endpoints) as client:
        propose(client, plan_file, volume)
    with pytest.raises(InputError, match="is not the image that was answered"):
        replay(engine.folder)
