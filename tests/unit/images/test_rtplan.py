import copy

import numpy as np
import pytest
from pydicom.dataset import Dataset

from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import open_file
from igrt.images.rtplan import place, read_rtplan
from tests.unit.images.conftest import Study, setting


def beams(change):
    """A change to the beams of the plan."""
    return lambda ds: change(ds.BeamSequence)


def second_isocentre(ds: Dataset) -> None:
    ds.BeamSequence[1].ControlPointSequence[0].IsocenterPosition = ["-25.0", "20.5", "-400.0"]


def second_setup(**values: object):
    def change(ds: Dataset) -> None:
        setup = copy.deepcopy(ds.PatientSetupSequence[0])
        setup.PatientSetupNumber = 2
        for keyword, value in values.items():
            setattr(setup, keyword, value)
        ds.PatientSetupSequence.append(setup)
        ds.BeamSequence[1].ReferencedPatientSetupNumber = 2

    return change


def test_several_isocentres_need_a_choice(study: Study):
    study.edit("RP.dcm", second_isocentre)
    x, y, z = study.plan(isocentre_choice="1").isocentre_mm
    choices = f"1 at ({x:.1f}, {y:.1f}, {z:.1f}) mm for AP; 2 at (-25.0, 20.5, -400.0) mm for LL"
    assert study.refused(study.plan) == f"DIR/RP.dcm has 2 isocentres: {choices}; choose one by its number"
    assert study.refused(lambda: study.plan(isocentre_choice="3")) == f"DIR/RP.dcm: isocentre '3' is not in the plan; choose from {choices}"
    first, second = study.plan(isocentre_choice="1"), study.plan(isocentre_choice="2")
    np.testing.assert_allclose(first.isocentre_mm, study.isocentre_mm, atol=1e-9)
    np.testing.assert_array_equal(second.isocentre_mm, [-25, 20.5, -400])
    assert (first.identity.beams, second.identity.beams) == (("AP",), ("LL",))
    assert first.fingerprint != second.fingerprint


def test_every_isocentre_is_told_whichever_is_chosen(study: Study):
    study.edit("RP.dcm", second_isocentre)
    for choice in ("1", "2"):
        first, second = study.plan(isocentre_choice=choice).identity.isocentres
        np.testing.assert_allclose(first.isocentre_mm, study.isocentre_mm, atol=1e-9)
        assert second.isocentre_mm == (-25.0, 20.5, -400.0)
        assert (first.beams, second.beams) == (("AP",), ("LL",))
        assert (first.table_angles_deg, second.table_angles_deg) == ((0.0,), (10.0,))


def test_table_angles_are_those_of_the_treatment_beams_about_the_isocentre(study: Study):
    assert study.plan().identity.table_angles_deg == (0.0, 10.0)
    (only,) = study.plan().identity.isocentres
    assert only.table_angles_deg == (0.0, 10.0)
    before = study.plan().fingerprint
    study.edit("RP.dcm", beams(lambda b: setting(TreatmentDeliveryType="SETUP")(b[1])))
    assert study.plan().identity.table_angles_deg == (0.0,)
    assert study.plan().fingerprint != before  # the goal is another


def test_a_table_that_turns_during_a_beam_states_both_angles(study: Study):
    study.edit("RP.dcm", beams(lambda b: setting(PatientSupportAngle="20")(b[0].ControlPointSequence[1])))
    assert study.plan().identity.table_angles_deg == (0.0, 20.0, 10.0)


def test_a_plan_without_table_angles_states_none(study: Study):
    def silent(ds: Dataset) -> None:
        for beam in ds.BeamSequence:
            del beam.ControlPointSequence[0].PatientSupportAngle

    study.edit("RP.dcm", silent)
    assert study.plan().identity.table_angles_deg == ()


def test_an_isocentre_that_moves_during_a_beam_needs_a_choice(study: Study):
    study.edit("RP.dcm", beams(lambda b: setting(IsocenterPosition=["-25", "20.5", "-400"])(b[0].ControlPointSequence[1])))
    assert "has 2 isocentres" in study.refused(study.plan)


def test_setups_that_differ_need_a_choice(study: Study):
    study.edit("RP.dcm", second_setup(PatientPosition="HFP"))
    choices = "1 (HFS ISOCENTRIC); 2 (HFP ISOCENTRIC)"
    assert study.refused(study.plan) == f"DIR/RP.dcm has 2 set-ups that differ: {choices}; choose one by its number"
    assert study.refused(lambda: study.plan(setup_choice="9")) == f"DIR/RP.dcm: set-up '9' is not in the plan; choose from {choices}"
    assert study.plan(setup_choice="1").position is PatientPosition.HFS
    assert "patient positions disagree: the CT HFS and the plan RP.dcm HFP" in study.refused(lambda: study.plan(setup_choice="2"))


def test_setups_displaced_differently_need_a_choice(study: Study):
    study.edit("RP.dcm", second_setup(TableTopVerticalSetupDisplacement="12.5", TableTopLateralSetupDisplacement="-3"))
    assert "1 (HFS ISOCENTRIC); 2 (HFS ISOCENTRIC displaced vertical 12.5, longitudinal 0, lateral -3 mm)" in study.refused(study.plan)


def test_setups_that_say_the_same_are_one(study: Study):
    study.edit("RP.dcm", second_setup(PatientSetupLabel="again"))
    assert study.plan().identity.beams == ("AP", "LL")
    assert study.plan(setup_choice="2").identity.beams == ("LL",)


def test_choosing_a_setup_chooses_among_isocentres(study: Study):
    study.edit("RP.dcm", second_isocentre)
    study.edit("RP.dcm", second_setup(PatientSetupLabel="again"))
    np.testing.assert_array_equal(study.plan(setup_choice="2").isocentre_mm, [-25, 20.5, -400])
    assert "no beam has both the isocentre and the set-up chosen" in study.refused(
        lambda: study.plan(isocentre_choice="1", setup_choice="2")
    )


def test_isocentres_a_rounding_apart_are_one(study: Study):
    moved = [f"{v:.3f}" for v in study.isocentre_mm + 0.004]
    study.edit("RP.dcm", beams(lambda b: setting(IsocenterPosition=moved)(b[1].ControlPointSequence[0])))
    np.testing.assert_allclose(study.plan().isocentre_mm, study.isocentre_mm, atol=1e-9)


def test_a_treatment_beam_without_isocentre(study: Study):
    study.edit("RP.dcm", beams(lambda b: setting(IsocenterPosition=None)(b[1].ControlPointSequence[0])))
    assert study.refused(study.plan) == "DIR/RP.dcm: beam 'LL' has no Isocenter Position (300A,012C); plan it about an isocentre"


def test_a_setup_beam_without_isocentre_is_harmless(study: Study):
    def change(ds: Dataset) -> None:
        ds.BeamSequence[1].TreatmentDeliveryType = "SETUP"
        del ds.BeamSequence[1].ControlPointSequence[0].IsocenterPosition

    study.edit("RP.dcm", change)
    assert study.plan().identity.beams == ("AP",)


def test_no_beams(study: Study):
    study.edit("RP.dcm", setting(BeamSequence=None))
    assert study.refused(study.plan) == "DIR/RP.dcm holds no beam (300A,00B0); give an external beam plan"


def test_a_plan_of_no_patient(study: Study):
    study.edit("RP.dcm", setting(RTPlanGeometry="TREATMENT_DEVICE"))
    assert "RT Plan Geometry (300A,000C) is TREATMENT_DEVICE, not made on a patient's images" in study.refused(study.plan)


@pytest.mark.parametrize(
    "change", [setting(PatientSetupSequence=None), lambda ds: setting(PatientPosition=None)(ds.PatientSetupSequence[0])]
)
def test_a_plan_without_patient_position_needs_it(study: Study, change):
    study.edit("RP.dcm", change)
    assert study.refused(study.plan).startswith("DIR: the plan RP.dcm states no patient position (0018,5100); give position, one of HFS")
    assert study.plan(position="HFS").position is PatientPosition.HFS


def test_a_position_that_is_none(study: Study):
    study.edit("RP.dcm", lambda ds: setting(PatientPosition="SITTING")(ds.PatientSetupSequence[0]))
    assert "RP.dcm: Patient Position (0018,5100) of a set-up is 'SITTING'; only HFS" in study.refused(study.plan)


def test_an_isocentre_that_is_no_point(study: Study):
    study.edit("RP.dcm", beams(lambda b: setting(IsocenterPosition=["1", "2"])(b[0].ControlPointSequence[0])))
    assert "Isocenter Position (300A,012C) is [1.0, 2.0], not 3 finite numbers" in study.refused(study.plan)


def test_a_beam_without_name(study: Study):
    study.edit("RP.dcm", beams(lambda b: setting(BeamName=None)(b[0])))
    plan = read_rtplan(open_file(study.folder / "RP.dcm"))
    assert place(plan).beams == ("beam 1", "LL")
