"""The patient's own plan is accepted, another's is refused by evidence alone: on real images, and on phantoms of the same proportions."""

import json

import numpy as np
import pytest

from igrt.answer import verify
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.images.load import load_daily, load_plan
from igrt.images.records import Daily, Plan, PlanIdentity
from igrt.simulation.head import head
from igrt.simulation.phantoms import Placed, to_hu16, voxelise
from igrt.verification.findings import Outcome, Verdict
from igrt.verification.record import PROPOSAL_FIELDS

PLANS = {"chest": ("chest/chest_ct.nii.gz", "chest/chest_a_truth.json"), "head": ("head/head_ct.nii.gz", "head/head_a_truth.json"),
         "thorax": ("thorax4d/thorax4d_t0.nii.gz", "thorax4d/thorax_a_truth.json")}  # fmt: skip
DAILIES = {
    "chest": ("chest/chest_a_cbct.nii.gz", "chest/chest_a_truth.json"),
    "head": ("head/head_a_cbct.nii.gz", "head/head_a_truth.json"),
}


@pytest.fixture(scope="module")
def answers(shared_data):
    """The answer of each daily image on each plan; only the machine's isocentre in the image is taken from the truth files."""

    def stated(file, key):
        return json.loads((shared_data / file).read_text())[key]

    plans = {
        name: load_plan(shared_data / image, isocentre_mm=stated(truth, "plan_isocentre_lps_mm"), position="HFS")
        for name, (image, truth) in PLANS.items()
    }
    dailies = {
        name: load_daily(shared_data / image, isocentre_mm=stated(truth, "daily_isocentre_lps_mm"), position="HFS")
        for name, (image, truth) in DAILIES.items()
    }
    return {(p, d): verify(plan, daily) for p, plan in plans.items() for d, daily in dailies.items()}


@pytest.mark.parametrize("patient", ["chest", "head"])
def test_the_patients_own_plan_is_accepted(answers, patient):
    answer = answers[patient, patient]
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    assert answer.evidence.similarity > 0.85


@pytest.mark.parametrize(("plan", "daily"), [("head", "chest"), ("thorax", "chest"), ("chest", "head"), ("thorax", "head")])
def test_another_patients_image_is_refused_by_evidence(answers, plan, daily):
    answer = answers[plan, daily]
    assert answer.verdict is Verdict.REFUSED
    assert "evidence_similarity" in {finding.code for finding in answer.findings}
    assert [name for name in PROPOSAL_FIELDS if getattr(answer, name) is not None] == []


def voxels(anatomy, plan_from_frame, frame, centre_mm, spacing_mm, half_mm):
    """The head on a grid about `centre_mm`, with noise."""
    counts = np.ceil(2 * np.array(half_mm) / spacing_mm).astype(int)
    shape = tuple(int(n) for n in counts[::-1])
    grid = Grid.aligned(frame, shape_kji=shape, origin_mm=centre_mm - (counts - 1) / 2 * np.array(spacing_mm), spacing_mm=spacing_mm)
    hu = voxelise(grid, [Placed(anatomy.phantom, plan_from_frame)], refine_ijk=(1, 1, 1))
    return Volume(grid, to_hu16(hu + np.random.default_rng(hu.size).normal(size=shape) * 20))


@pytest.fixture(scope="module")
def head_plan():
    anatomy = head(1)
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    ct = voxels(anatomy, still, Frame.PLAN, anatomy.isocentre_mm, (2.0, 2.0, 2.5), (110, 130, 100))
    return Plan(ct, PatientPosition.HFS, anatomy.isocentre_mm, (), PlanIdentity(None, None, None, None, None), "f" * 64, "phantom")


@pytest.mark.parametrize(("patient", "outcome"), [(1, Outcome.ACCEPTED), (2, Outcome.REFUSED), (3, Outcome.REFUSED)])
def test_a_patient_of_the_same_proportions_is_told_apart(head_plan, patient, outcome):
    anatomy = head(patient)
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), anatomy.isocentre_mm + np.array([4.0, -3.0, 5.0]))
    volume = voxels(anatomy, pose, Frame.DAILY, np.zeros(3), (1.8, 1.8, 2.2), (105, 120, 75))
    answer = verify(head_plan, Daily(volume, PatientPosition.HFS, np.zeros(3), None, None, "phantom"))
    assert answer.outcome is outcome, answer.evidence
    refusing = {"evidence_similarity", "evidence_translation_sd"} & {finding.code for finding in answer.findings}
    assert len(refusing) == (2 if outcome is Outcome.REFUSED else 0)  # neither alone: each has its blind spot
