import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from igrt.geometry.position import PatientPosition
from igrt.images.masks import mask
from tests.unit.images.conftest import MakeStudy, Study, a_grid, setting


def test_several_plans(study: Study):
    ds = pydicom.dcmread(study.folder / "RP.dcm")
    ds.RTPlanLabel, ds.SOPInstanceUID = "boost", "2.25.8"
    ds.save_as(study.folder / "RP2.dcm")
    assert study.refused(study.plan) == (
        "DIR holds 2 RT Plans: plan 1 (RP.dcm), boost (RP2.dcm); leave the one that is treated in the folder"
    )


def test_several_structure_sets(study: Study):
    ds = pydicom.dcmread(study.folder / "RS.dcm")
    ds.StructureSetLabel, ds.SOPInstanceUID = "older", "2.25.8"
    ds.save_as(study.folder / "RS2.dcm")
    assert study.refused(study.plan) == (
        "DIR holds 2 structure sets: organs (RS.dcm, the one that the plan cites), older (RS2.dcm); "
        "leave the one that belongs to the plan in the folder"
    )


def test_no_plan(study: Study):
    (study.folder / "RP.dcm").unlink()
    assert study.refused(study.plan) == (
        "DIR holds no RT Plan; add the plan, or give isocentre_mm, the plan's isocentre as x y z in LPS mm"
    )
    assert study.refused(lambda: study.plan(isocentre_mm=study.isocentre_mm, setup_choice="1")) == (
        "DIR holds no RT Plan to choose an isocentre or set-up from; leave the choice out"
    )
    plan = study.plan(isocentre_mm=study.isocentre_mm)
    np.testing.assert_array_equal(plan.isocentre_mm, study.isocentre_mm)
    assert plan.position is PatientPosition.HFS
    assert plan.identity.plan_label is None


def test_no_structure_set(study: Study):
    (study.folder / "RS.dcm").unlink()
    assert study.plan().structures == ()


def test_plan_and_image_positions_that_disagree(study: Study):
    study.edit_all(setting(PatientPosition="HFP"))
    assert study.refused(study.plan) == (
        "DIR: patient positions disagree: the CT HFP and the plan RP.dcm HFS; export the CT and plan that belong together"
    )
    assert study.refused(lambda: study.plan(position="HFS")) == (
        "DIR: the CT states patient position HFP and position was given as HFS; find out which is right"
    )


def test_isocentre_outside_the_ct(study: Study):
    study.edit("RP.dcm", lambda ds: setting(IsocenterPosition=["0", "0", "-900"])(ds.BeamSequence[0].ControlPointSequence[0]))
    assert study.refused(lambda: study.plan(isocentre_choice="1")) == (
        "DIR: the isocentre [0.0, 0.0, -900.0] mm (LPS) lies outside the planning CT; choose the isocentre of this CT"
    )


def test_an_isocentre_given_beside_the_plan_must_be_the_plans(study: Study):
    study.plan(isocentre_mm=study.isocentre_mm)
    sentence = study.refused(lambda: study.plan(isocentre_mm=study.isocentre_mm + 1))
    assert sentence.startswith("isocentre_mm [")
    assert "is not the isocentre of DIR/RP.dcm" in sentence


@pytest.mark.parametrize("name", ["RS.dcm", "RP.dcm"])
def test_parts_of_another_patient(study: Study, name: str):
    study.edit(name, setting(PatientID="Q-002"))
    assert study.refused(study.plan) == (
        f"DIR mixes patients: Patient ID 'P-001' in CT_0001.dcm, 'Q-002' in {name}; give the files of one patient"
    )


def test_a_part_that_names_no_patient_is_harmless(study: Study):
    study.edit("RS.dcm", setting(PatientID=""))
    assert study.plan().identity.patient_id == "P-001"


def test_a_plan_in_another_frame_of_reference(study: Study):
    study.edit("RP.dcm", setting(FrameOfReferenceUID="2.25.5"))
    uid = study.series.identity.frame_of_reference_uid
    assert study.refused(study.plan) == (
        f"DIR/RP.dcm is in another frame of reference (2.25.5) than the CT ({uid}); give the CT that the plan was made on"
    )


def test_a_plan_without_frame_of_reference_is_tied_by_its_structure_set(study: Study):
    study.edit("RP.dcm", setting(FrameOfReferenceUID=None))
    study.plan()
    (study.folder / "RS.dcm").unlink()
    assert study.refused(study.plan) == (
        "DIR/RP.dcm states no Frame of Reference UID (0020,0052), so its isocentre cannot be tied to the CT; export it again"
    )


def test_a_plan_made_on_another_structure_set(study: Study):
    study.edit("RS.dcm", setting(SOPInstanceUID="2.25.4"))
    assert study.refused(study.plan) == (
        "DIR/RP.dcm was made on another structure set than RS.dcm; export the structure set that belongs to the plan"
    )


def test_another_patients_ct_under_the_same_identifiers(make_study: MakeStudy):
    """The isocentre lies in both CTs, the target does not."""
    study = make_study()

    def move(ds: Dataset) -> None:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x + 14, y + 9, z]

    study.edit_all(move)
    study.edit("RP.dcm", lambda ds: [setting(IsocenterPosition=["0", "30", "-400"])(b.ControlPointSequence[0]) for b in ds.BeamSequence])
    assert "CTV 'CTV' lies outside the planning CT" in study.refused(study.plan)


def test_an_approved_plan_has_nothing_to_note(study: Study):
    assert study.plan().notes == (f"{study.folder}/RP.dcm: the plan is not approved (UNAPPROVED)",)
    study.edit("RP.dcm", setting(ApprovalStatus="APPROVED"))
    assert study.plan().notes == ()


def test_structures_keep_their_place_when_the_ct_is_oblique(make_study: MakeStudy):
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    study = make_study(grid=a_grid(direction=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])))
    plan = study.plan()
    expected = np.zeros(study.volume.grid.shape_kji, bool)
    expected[2:6, 4:9, 5:12] = True
    np.testing.assert_array_equal(mask(plan.structures[0], plan.ct.grid), expected)


def test_copies_of_the_plan_file_are_two_plans(study: Study):
    (study.folder / "copy.dcm").write_bytes((study.folder / "RP.dcm").read_bytes())
    assert "holds 2 RT Plans" in study.refused(study.plan)
