"""What the demo does with a proposal, without the minutes that its images take: brought home, verified, or stopped and said so."""

import msgspec
import pytest

from igrt.bus.client import Client
from igrt.cli import demo_release
from igrt.cli.demo_release import COUCH, bring_home, size_of, treatment_room
from igrt.geometry.setup import Correction
from igrt.simulation.couch import AXES, Fault
from igrt.simulation.linac import readout
from tests.bus.chain_cases import LOADED, ROOT, image
from tests.bus.test_setup_images import WORKER


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def bring(start_engine, plan_file, volume):
    """Plays a set-up error; the chain of it."""

    def play(error, *, loaded=LOADED, fault=None, refuse=False, **behaviour):
        engine = start_engine(worker_command=WORKER)
        with treatment_room(engine.endpoints) as linac, Client(engine.endpoints) as client:
            linac.loaded = loaded
            if fault:
                linac.fault = fault
            client.load_plan(plan_file(patient_id="P1", error=error, **behaviour), fraction=4)
            proposal = image(client, volume, couch=readout(COUCH))
            right = Correction(**{axis: proposal.answer["correction"][axis] for axis in AXES})
            return bring_home(
                client,
                linac,
                proposal,
                error=right,
                image_again=lambda _left, couch, _number: None if refuse else image(client, volume, couch=couch),
            )

    return play


def headings(chain):
    return [heading for heading, _ in chain.steps]


def test_a_small_error_is_approved_claimed_moved_and_treated(bring):
    chain = bring((3.0, -2.0, 1.0, 0.5, 0.3, -0.7))
    assert chain.objections == []
    assert headings(chain) == ["Approval", "Claim", "Couch", "Beam"]
    assert "no person" in chain.steps[0][1]
    assert "the chain is closed" in chain.steps[2][1]
    left_mm, left_deg = size_of(chain.left)
    assert left_mm <= 0.2
    assert left_deg <= 0.1
    assert not chain.verified


def test_a_large_error_is_imaged_again_and_what_is_left_is_said(bring):
    chain = bring((9.0, -8.0, 1.0, 0.5, 0.3, -0.7))
    assert chain.objections == []
    once = ["Approval", "Claim", "Couch"]
    assert headings(chain) == [*once, "Image again", "Verified", *once, "Beam"]
    words = dict(chain.steps)
    assert words["Image again"].startswith("required before the beam: the patient was moved by 12")
    assert "in truth 0.0" in words["Verified"]
    assert chain.verified
    assert size_of(chain.left)[0] <= 0.2


def test_a_stop_is_not_approved_and_nothing_moves(bring):
    chain = bring((3.0, 0.0, 0.0, 0.0, 0.0, 0.0), verdict="stop")
    assert (chain.objections, headings(chain), chain.left) == ([], ["Approval"], None)
    assert "approves no stop" in chain.steps[0][1]


def test_what_goes_wrong_is_objected_to(bring, monkeypatch):
    chain = bring((3.0, 0.0, 0.0, 0.0, 0.0, 0.0), loaded=msgspec.structs.replace(LOADED, plan_uid="1.2.9"))
    assert chain.objections == ["the guard denied the claim"]
    assert "the proposal is for '1.2.3'" in chain.steps[-1][1]


def test_a_couch_that_does_not_arrive_is_objected_to(bring, monkeypatch):
    monkeypatch.setattr(demo_release, "STEP_TIMEOUT_S", 2.0)
    chain = bring((3.0, 0.0, 0.0, 0.0, 0.0, 0.0), fault=Fault(flipped=frozenset({"lateral_mm"})))
    assert ["the engine said nothing of the next step" in objection for objection in chain.objections] == [True]


def test_a_verification_image_that_is_refused_is_objected_to(bring):
    chain = bring((9.0, -8.0, 1.0, 0.0, 0.0, 0.0), refuse=True)
    assert chain.objections == ["the verification image was refused"]


def test_a_patient_who_does_not_lie_still_is_not_brought_home(bring):
    chain = bring((9.0, -8.0, 1.0, 0.0, 0.0, 0.0), slips=[(0, 0, 0), (0.0, 12.0, 0.0), (12.0, 0.0, 0.0), (0.0, -12.0, 0.0)])
    assert "3 images did not bring the patient home" in chain.objections
