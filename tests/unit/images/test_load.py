import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from pydicom.uid import UID, RTImageStorage

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.images.load import load_daily, load_plan
from igrt.images.write import write_ct_series
from tests.unit.images.conftest import IDENTITY, SCANNER, MakeStudy, Study, a_grid, asymmetric


@pytest.fixture
def volume_file(tmp_path: Path) -> Path:
    image = sitk.GetImageFromArray(asymmetric())
    image.SetOrigin((-20.0, -20.0, -10.0))
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    return tmp_path / "ct.nii.gz"


def refusal(call, **named: object) -> str:
    with pytest.raises(InputError) as caught:
        call(**named)
    return str(caught.value)


def test_a_volume_file_needs_isocentre_and_position(volume_file: Path):
    point = {"isocentre_mm": (0, 0, -5)}
    assert refusal(load_plan, path=volume_file, position="HFS") == (
        f"{volume_file} states no isocentre; give isocentre_mm, the plan's isocentre as x y z in LPS mm"
    )
    assert refusal(load_plan, path=volume_file, **point) == (
        f"{volume_file} states no patient position; give position, one of HFS, HFP, HFDR, HFDL, FFS, FFP, FFDR, FFDL"
    )
    assert "without set-ups" in refusal(load_plan, path=volume_file, position="HFS", setup_choice="1", **point)
    assert "position is 'supine'; only HFS" in refusal(load_plan, path=volume_file, position="supine", **point)
    plan = load_plan(str(volume_file), position="ffp", **point)
    assert plan.position is PatientPosition.FFP
    assert plan.ct.frame is Frame.PLAN
    assert plan.identity.patient_id is None
    np.testing.assert_array_equal(plan.ct.hu, asymmetric())


@pytest.mark.parametrize("point", [(1, 2), (1, 2, np.nan), "abc", (1, "x", 3)])
def test_a_point_that_is_none(volume_file: Path, point: object):
    sentence = refusal(load_plan, path=volume_file, position="HFS", isocentre_mm=point)
    assert sentence.startswith("isocentre_mm is ")
    assert sentence.endswith("; give three finite numbers x y z in LPS mm")


def test_isocentre_outside_a_volume_file(volume_file: Path):
    assert "the isocentre [0.0, 0.0, 900.0] mm (LPS) lies outside the planning CT" in refusal(
        load_plan, path=volume_file, position="HFS", isocentre_mm=(0, 0, 900)
    )


def test_a_daily_volume_file_needs_a_position(volume_file: Path):
    assert refusal(load_daily, paths=volume_file).startswith(f"{volume_file} states no patient position; give position, one of HFS")
    daily = load_daily([volume_file], position="HFS", isocentre_mm=[1, 2, 3])
    np.testing.assert_array_equal(daily.isocentre_mm, [1, 2, 3])
    assert daily.volume.frame is Frame.DAILY
    assert load_daily(str(volume_file), position=PatientPosition.HFP).isocentre_mm is None


def test_a_daily_series_as_folder_and_as_files(study: Study):
    as_files = load_daily(study.slices()[::-1])
    as_folder = study.daily(isocentre_mm=(0, 0, 0))
    np.testing.assert_array_equal(as_files.volume.hu, study.volume.hu)
    np.testing.assert_array_equal(as_folder.volume.hu, study.volume.hu)
    assert as_folder.volume.frame is Frame.DAILY
    assert as_folder.patient_id == "P-001"
    assert as_folder.frame_of_reference_uid == IDENTITY.frame_of_reference_uid
    assert as_folder.series_uid == study.series.series_uid
    assert as_files.isocentre_mm is None


def test_a_position_that_the_daily_image_contradicts(study: Study):
    assert study.refused(lambda: study.daily(position="HFP")) == (
        "DIR: the image states patient position HFS and position was given as HFP; find out which is right"
    )


def test_files_named_one_by_one_must_be_ct_images(study: Study, volume_file: Path):
    assert study.refused(lambda: load_daily([*study.slices(), study.folder / "RP.dcm"])) == (
        "DIR/RP.dcm is an RT Plan, not a CT image; give a CT or cone-beam CT series"
    )
    assert study.refused(lambda: load_daily([study.folder, study.slice(0)])) == (
        "DIR is given beside other files; give one folder, DICOM files, or one volume file"
    )
    assert "is given beside other files" in study.refused(lambda: load_daily([volume_file, study.slice(0)]))
    assert study.refused(lambda: load_daily([])) == "no daily image is given; give a folder, DICOM files or one volume file"


def test_one_dicom_file_is_no_plan(study: Study):
    for name, kind in (("CT_0001.dcm", "a CT Image"), ("RS.dcm", "an RT Structure Set"), ("RP.dcm", "an RT Plan")):
        path = study.folder / name
        assert study.refused(lambda path=path: load_plan(path)) == (
            f"DIR/{name} is {kind} alone; give the folder that holds the CT, the structure set and the plan"
        )


def test_a_radiograph(study: Study):
    ds = pydicom.dcmread(study.slice(0))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(RTImageStorage)
    ds.save_as(study.folder.parent / "kv.dcm")
    for load in (load_plan, load_daily):
        assert refusal(lambda load=load: load(study.folder.parent / "kv.dcm")) == (
            f"{study.folder.parent}/kv.dcm is an RT Image, a radiograph; give a CT or cone-beam CT series here"
        )


def test_the_plan_folder_is_no_daily_image_of_another_frame(study: Study):
    """Planning CT and daily image in one folder are two series, never one."""
    other = a_grid(Frame.DAILY)
    write_ct_series(
        Volume(other, asymmetric()), study.folder / "daily", identity=IDENTITY, position=PatientPosition.HFS, scanner=SCANNER, series="cbct"
    )
    assert "mixes 2 CT series" in study.refused(study.plan)


def test_a_planning_ct_of_usual_size_is_read_in_time(make_study: MakeStudy):
    """133 slices of 512 x 512; the bound is loose, since others may use the machine (0.4 s measured)."""
    shape = (133, 512, 512)
    hu = np.broadcast_to(np.arange(512, dtype=np.int16), shape).copy()
    study = make_study(grid=Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=[0, 0, 0], spacing_mm=[0.7, 0.7, 2.5]), hu=hu)
    begun = time.perf_counter()
    study.plan()
    assert time.perf_counter() - begun < 6


def test_simple_itk_reads_the_same_series(make_study: MakeStudy):
    """A second opinion on what was written, by a reader that shares no code with ours."""
    c, s = np.cos(0.4), np.sin(0.4)
    study = make_study(grid=a_grid(direction=np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(p) for p in study.slices()])
    image = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), study.volume.hu)
    for ijk in [(0, 0, 0), (47, 39, 7), (3, 20, 5)]:
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(ijk), study.plan().ct.grid.position_mm(ijk), atol=1e-4)
