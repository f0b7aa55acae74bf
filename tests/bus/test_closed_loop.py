"""The loop closed with real images: a phantom is imaged, corrected by a couch of other kinematics, imaged again, and lies as planned."""

import time

import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import Correction
from igrt.images.load import load_daily, load_plan
from igrt.images.write import Approval
from igrt.simulation.couch import SimulatedCouch, carry, simple_mechanics
from igrt.simulation.imager import send_daily
from igrt.simulation.linac import Linac, readout
from igrt.simulation.patients import PATIENTS, Fraction, make_daily, make_plan
from igrt.simulation.therapist import Therapist

COARSER = 1
WAIT_S = 120.0
PATIENT = PATIENTS["head"]
ERROR = Correction(lateral_mm=8.0, longitudinal_mm=-7.0, vertical_mm=4.0, pitch_deg=0.9, roll_deg=-0.6, yaw_deg=1.3)
START = SimulatedCouch(mechanics=simple_mechanics(), lateral_mm=5.0, longitudinal_mm=-120.0, vertical_mm=-140.0)


def remaining(correction: Correction, *, start: SimulatedCouch, now: SimulatedCouch) -> Correction:
    """What is left of a correction once the couch has gone from `start` to `now`, by the couch's own kinematics."""
    origin, *axes = np.array(carry([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], start=start, now=now))
    made = RigidMotion(Frame.FIXED, Frame.FIXED, (np.array(axes) - origin).T, origin)
    return Correction.from_motion(correction.motion @ made.inverse())


@pytest.fixture
def real_engine(start_engine, tmp_path):
    return start_engine(worker_command=(), site=tmp_path / "site", folder=tmp_path / "site" / "engine")


@pytest.mark.slow
def test_the_couch_brings_the_patient_home_and_a_second_image_shows_it(real_engine, tmp_path):
    plan_folder = make_plan(PATIENT, tmp_path, approval=Approval.APPROVED)
    identity, isocentre = load_plan(plan_folder).identity, PATIENT.anatomy.isocentre_mm
    loaded = m.LoadedPlan(
        patient_id=identity.patient_id,
        plan_uid=identity.plan_uid,
        plan_revision=identity.plan_revision,
        plan_approval="APPROVED",
        fraction=1,
        isocentre_mm=tuple(isocentre.tolist()),
        beam=identity.beams[0],
        machine="research-default",
    )
    linac, therapist = Linac(real_engine.endpoints, couch=START, loaded=loaded), Therapist(real_engine.endpoints)
    with Client(real_engine.endpoints) as client:
        client.load_plan(plan_folder, protocol=PATIENT.protocol, fraction=1)
        for thread in (linac, therapist):
            thread.start()
        try:
            left = ERROR
            for number in (1, 2):
                before = linac.couch
                fraction = Fraction(name=f"image-{number}", patient="head", correction=left, seed=500 + number, shows="a loop")
                daily = load_daily(make_daily(fraction, tmp_path))
                image_id = send_daily(client, daily, couch=readout(before))
                proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
                assert isinstance(proposal, m.Proposal), proposal.answer["reason"]
                if proposal.answer["verdict"] == "stop":  # so large a set-up error is for a person to let pass
                    client.override(proposal.proposal_id, by="Test Therapist", why="seen, and meant", simulated=True)
                until_s = time.monotonic() + WAIT_S
                while len(linac.claims) < number:
                    assert time.monotonic() < until_s
                    time.sleep(0.05)
                assert [d.sentence for d in linac.claims[-1].reply.denials] == []
                now = client.snapshot()
                assert now.state == "in_position"
                assert now.standing.rounds == number - 1
                assert any("more than 10 mm" in words for words in now.standing.verification) is (number == 1)
                left = remaining(left, start=before, now=linac.couch)
        finally:
            for thread in (linac, therapist):
                thread.end()
    assert therapist.approved == [linac.claims[1].proposal_id]
    assert np.linalg.norm(left.motion.translation_mm) < 0.2
    assert max(abs(left.pitch_deg), abs(left.roll_deg), abs(left.yaw_deg)) < 0.3  # a round phantom shows its pitch least
