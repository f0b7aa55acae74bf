import datetime as dt

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.images.load import load_daily, load_plan
from igrt.images.records import Structure, StructureKind
from igrt.images.write import Approval, PlannedBeam, Scanner, WriteIdentity, write_ct_series, write_rtplan, write_structure_set
from tests.unit.images.conftest import IDENTITY, SCANNER, SHAPE, MakeStudy, Study, a_grid, asymmetric


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def assert_same_grid(found: Grid, written: Grid) -> None:
    assert found.shape_kji == written.shape_kji
    np.testing.assert_allclose(found.origin_mm, written.origin_mm, atol=1e-9)
    np.testing.assert_allclose(found.spacing_mm, written.spacing_mm, atol=1e-9)
    np.testing.assert_allclose(found.direction, written.direction, atol=1e-12)


@pytest.mark.parametrize("position", PatientPosition)
def test_a_plan_reads_back_as_it_was_written(make_study: MakeStudy, position: PatientPosition):
    study = make_study(position=position)
    plan = study.plan()
    assert plan.position is position
    assert_same_grid(plan.ct.grid, study.volume.grid)
    np.testing.assert_array_equal(plan.ct.hu, study.volume.hu)
    np.testing.assert_allclose(plan.isocentre_mm, study.isocentre_mm, atol=1e-9)
    assert [(s.name, s.kind) for s in plan.structures] == [(s.name, s.kind) for s in study.structures]
    for found, written in zip(plan.structures, study.structures, strict=True):
        for a, b in zip(found.contours_mm, written.contours_mm, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
    assert plan.identity.patient_id == "P-001"
    assert plan.identity.patient_name == "Ærø^Åse"
    assert plan.identity.plan_label == "plan 1"
    assert plan.identity.beams == ("AP", "LL")
    assert plan.identity.frame_of_reference_uid == IDENTITY.frame_of_reference_uid


@given(
    axis=st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda a: np.linalg.norm(a) > 0.1),
    angle=st.floats(-np.pi, np.pi),
    origin=st.tuples(*[st.floats(-900, 900)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
)
@settings(max_examples=25)
def test_any_orientation_reads_back(tmp_path_factory: pytest.TempPathFactory, axis, angle, origin, spacing):
    grid = Grid(Frame.DAILY, (3, 4, 5), np.array(origin), np.array(spacing), rotation(axis, angle))
    volume = Volume(grid, asymmetric(grid.shape_kji))
    folder = tmp_path_factory.mktemp("oblique")
    write_ct_series(volume, folder, identity=IDENTITY, position=PatientPosition.FFDL, scanner=SCANNER)
    daily = load_daily(folder)
    assert_same_grid(daily.volume.grid, grid)
    np.testing.assert_array_equal(daily.volume.hu, volume.hu)


@pytest.mark.parametrize("axes", ["coronal", "sagittal", "feet to head reversed"])
def test_each_voxel_keeps_its_place_in_other_planes(make_study: MakeStudy, axes: str):
    columns = {
        "coronal": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        "sagittal": [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
        "feet to head reversed": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    }[axes]
    study = make_study(grid=a_grid(direction=np.array(columns, float).T))
    plan = study.plan()
    for ijk in [(0, 0, 0), (3, 2, 1), (23, 19, 7)]:
        i, j, k = np.rint(plan.ct.grid.index_ijk(study.volume.grid.position_mm(ijk))).astype(int)
        assert plan.ct.hu[k, j, i] == study.volume.hu[ijk[::-1]]


def test_the_order_of_files_does_not_matter(study: Study):
    first = study.plan()
    for n, path in enumerate(study.slices()):
        path.rename(study.folder / f"{(n * 5) % 8}.dcm")
    second = study.plan()
    np.testing.assert_array_equal(first.ct.hu, second.ct.hu)
    assert second.fingerprint == first.fingerprint


def test_same_seed_same_files_and_another_seed_another_study(make_study: MakeStudy):
    one, same = make_study("one"), make_study("same")
    other = make_study("other", identity=WriteIdentity(patient_id="P", patient_name="N", seed="other", acquired=IDENTITY.acquired))
    for name in ("CT_0003.dcm", "RS.dcm", "RP.dcm"):
        assert (one.folder / name).read_bytes() == (same.folder / name).read_bytes()
    assert one.series.series_uid != other.series.series_uid
    assert one.series.identity.frame_of_reference_uid != other.series.identity.frame_of_reference_uid
    assert len({*one.series.sop_uids, *other.series.sop_uids}) == 2 * SHAPE[0]


def test_every_file_says_that_it_is_for_research(study: Study):
    assert "RESEARCH USE" in pydicom.dcmread(study.slice(0)).ImageComments
    assert "RESEARCH USE" in pydicom.dcmread(study.folder / "RS.dcm").StructureSetDescription
    assert "RESEARCH USE" in pydicom.dcmread(study.folder / "RP.dcm").RTPlanDescription


def test_every_value_is_valid_dicom(study: Study):
    with pydicom.config.strict_reading():
        for path in study.folder.iterdir():
            for element in pydicom.dcmread(path).iterall():
                assert element.VR != "UN"
                for value in element.value if element.VM > 1 else [element.value]:
                    if element.VR == "UI":
                        assert pydicom.uid.UID(value).is_valid
                    if element.VR == "DS" and value != "" and value is not None:
                        assert len(str(value)) <= 16


def test_nothing_is_written_over(study: Study):
    with pytest.raises(InputError, match="already holds a CT series"):
        write_ct_series(study.volume, study.folder, identity=IDENTITY, position=PatientPosition.HFS, scanner=SCANNER)
    with pytest.raises(InputError, match=r"RS.dcm exists already"):
        write_structure_set(study.structures, study.folder / "RS.dcm", grid=study.volume.grid, series=study.series, label="again")


@pytest.mark.parametrize("name", ["", "back\\slash", "x" * 65, "tab\t"])
def test_names_that_dicom_cannot_hold(study: Study, name: str):
    with pytest.raises(ValueError, match="printable"):
        WriteIdentity(patient_id=name, patient_name="N", seed="s", acquired=dt.datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="printable"):
        Scanner(manufacturer="m", model=name, series_description="d", kvp=100)
    structure = Structure(name, StructureKind.OTHER, study.structures[0].contours_mm)
    with pytest.raises(ValueError, match="printable"):
        write_structure_set([structure], study.folder / "new.dcm", grid=study.volume.grid, series=study.series, label="l")


def test_what_would_not_read_back_is_not_written(study: Study, tmp_path):
    write = {"grid": study.volume.grid, "series": study.series, "label": "l"}
    contours = study.structures[0].contours_mm
    with pytest.raises(ValueError, match="another kind"):
        write_structure_set([Structure("PTV", StructureKind.OTHER, contours)], tmp_path / "a.dcm", **write)
    with pytest.raises(ValueError, match="a name of its own"):
        write_structure_set([study.structures[0]] * 2, tmp_path / "a.dcm", **write)
    with pytest.raises(ValueError, match="a name of its own"):
        write_structure_set([], tmp_path / "a.dcm", **write)
    with pytest.raises(ValueError, match="the grid of that series"):
        write_structure_set(study.structures, tmp_path / "a.dcm", grid=a_grid(shape=(3, 40, 48)), series=study.series, label="l")
    plan = {"identity": IDENTITY, "label": "p", "position": PatientPosition.HFS, "structure_set_uid": "1.2"}
    with pytest.raises(ValueError, match="treatment beam"):
        write_rtplan(tmp_path / "a.dcm", isocentre_mm=[0, 0, 0], beams=[PlannedBeam(name="kV", gantry_deg=0, setup_only=True)], **plan)
    with pytest.raises(ValueError, match="not finite"):
        write_rtplan(tmp_path / "a.dcm", isocentre_mm=[0, np.nan, 0], beams=[PlannedBeam(name="AP", gantry_deg=0)], **plan)
    assert not (tmp_path / "a.dcm").exists()


def test_a_seed_and_a_tube_voltage_are_needed():
    with pytest.raises(ValueError, match="seed is empty"):
        WriteIdentity(patient_id="P", patient_name="N", seed="", acquired=dt.datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="kvp is 0"):
        Scanner(manufacturer="m", model="m", series_description="d", kvp=0)


def test_an_approved_plan_says_so(study: Study, tmp_path):
    write_rtplan(
        tmp_path / "RP.dcm",
        identity=IDENTITY,
        label="p",
        isocentre_mm=[0, 0, 0],
        position=PatientPosition.HFS,
        beams=[PlannedBeam(name="AP", gantry_deg=-90)],
        structure_set_uid="1.2",
        approval=Approval.APPROVED,
    )
    ds = pydicom.dcmread(tmp_path / "RP.dcm")
    assert (ds.ApprovalStatus, str(ds.ReviewerName), ds.ReviewDate) == ("APPROVED", "igrt^simulation", "20260301")
    assert ds.BeamSequence[0].ControlPointSequence[0].GantryAngle == 270


@pytest.mark.parametrize("kind", StructureKind)
def test_every_kind_reads_back(study: Study, kind: StructureKind):
    (study.folder / "RS.dcm").unlink()
    (study.folder / "RP.dcm").unlink()
    structure = Structure("region 7", kind, study.structures[0].contours_mm)
    write_structure_set([structure], study.folder / "RS.dcm", grid=study.volume.grid, series=study.series, label="kinds")
    plan = load_plan(study.folder, isocentre_mm=study.isocentre_mm)
    assert [s.kind for s in plan.structures] == [kind]
