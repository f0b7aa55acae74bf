import json

import numpy as np
import pytest

from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import correction_motion
from igrt.images.load import load_daily, load_plan
from igrt.simulation.patients import FRACTIONS, PATIENTS, SITES, make_daily, make_plan, plan_from_daily
from igrt.verification.protocol import load_protocol

COARSER = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    told = []
    plan = make_plan(PATIENTS["pelvis"], folder, coarser=COARSER, progress=lambda stage, share: told.append((stage, share)))
    fraction = next(f for f in FRACTIONS if f.patient == "pelvis")
    return plan, make_daily(fraction, folder, coarser=COARSER), fraction, told


def test_tables() -> None:
    assert {p.site for p in PATIENTS.values()} == {"head", "thorax", "pelvis"}
    assert any(p.position is not PatientPosition.HFS for p in PATIENTS.values())
    assert len({(f.patient, f.name) for f in FRACTIONS}) == len({f.seed for f in FRACTIONS}) == len(FRACTIONS)
    assert all(f.patient in PATIENTS for f in FRACTIONS)
    assert sum(f.impostor_seed is not None for f in FRACTIONS) == 1
    for site in SITES.values():
        load_protocol(site.protocol, None)


def test_a_fraction_is_out_of_tolerance_and_others_are_not() -> None:
    def beyond(fraction):
        limits = load_protocol(PATIENTS[fraction.patient].protocol, None).tables.setup.translation_mm
        return np.linalg.norm(fraction.correction.motion.translation_mm) > limits.stop

    assert [f.patient for f in FRACTIONS if beyond(f)] == ["pelvis"]


@pytest.mark.parametrize("position", list(PatientPosition))
def test_the_pose_is_the_one_that_the_correction_puts_right(position) -> None:
    correction, isocentre = FRACTIONS[2].correction, np.array([12.0, -34.0, 56.0])
    pose = plan_from_daily(correction, isocentre_mm=isocentre, position=position)
    motion = correction_motion(
        pose, plan_isocentre_mm=isocentre, daily_isocentre_mm=np.zeros(3), plan_position=position, daily_position=position
    )
    np.testing.assert_allclose(motion.matrix, correction.motion.matrix, atol=1e-12)


def test_the_plan_is_read_back(made) -> None:
    patient, plan = PATIENTS["pelvis"], load_plan(made[0])
    assert plan.identity.patient_id == patient.patient_id
    assert plan.position is patient.position
    np.testing.assert_allclose(plan.isocentre_mm, patient.anatomy.isocentre_mm, atol=1e-9)
    assert {s.name for s in plan.structures} == {o.name for o in patient.anatomy.organs}
    assert plan.identity.beams[0] == "field 1"


def test_the_daily_image_is_read_back_in_a_frame_of_its_own(made) -> None:
    plan, daily = load_plan(made[0]), load_daily(made[1])
    assert daily.patient_id == plan.identity.patient_id
    assert daily.position is PATIENTS["pelvis"].position
    assert daily.frame_of_reference_uid != plan.identity.frame_of_reference_uid
    assert np.abs(daily.volume.grid.centre_mm).max() < 1e-6


def test_the_truth_lies_beside_the_image(made) -> None:
    _, daily, fraction, _ = made
    truth = json.loads((daily.parent / f"{fraction.name}_truth.json").read_text())
    pose = RigidMotion.from_matrix(truth["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
    position = PatientPosition(truth["patient_position"])
    motion = correction_motion(
        pose,
        plan_isocentre_mm=truth["plan_isocentre_lps_mm"],
        daily_isocentre_mm=truth["daily_isocentre_lps_mm"],
        plan_position=position,
        daily_position=position,
    )
    np.testing.assert_allclose(motion.matrix, fraction.correction.motion.matrix, atol=1e-9)


def test_progress_is_told(made) -> None:
    assert made[3][-1] == ("structures", 1.0)
    assert ("planning CT", 1.0) in made[3]


def test_another_patient_has_no_true_pose(tmp_path) -> None:
    fraction = next(f for f in FRACTIONS if f.impostor_seed is not None)
    daily = make_daily(fraction, tmp_path, coarser=6)
    assert json.loads((daily.parent / f"{fraction.name}_truth.json").read_text())["plan_from_daily"] is None
    assert load_daily(daily).patient_id == PATIENTS[fraction.patient].patient_id


def test_files_are_never_written_over(made) -> None:
    with pytest.raises(InputError, match="already holds"):
        make_plan(PATIENTS["pelvis"], made[0].parent.parent, coarser=COARSER)
