"""Files as real systems write them: each read, or refused with the right sentence."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import open_file, tolerant_reading
from igrt.images.load import load_daily, load_plan
from igrt.images.rtplan import place, read_rtplan
from igrt.images.structures import read_structure_set

RADIOGRAPH = "FILE is an RT Image, a radiograph; give a CT or cone-beam CT series here"
ALONE = "alone; give the folder that holds the CT, the structure set and the plan"
NO_IMAGE = "not a CT image; give a CT or cone-beam CT series"
NO_PLAN = "FILE holds no RT Plan; add the plan, or give isocentre_mm, the plan's isocentre as x y z in LPS mm"

REFUSED = {  # file: as a plan, as a daily image
    "anonymous_ct_one_slice.dcm": (
        f"FILE is a CT Image {ALONE}",
        "FILE holds 1 CT slice(s); a volume takes at least 3: give the whole series",
    ),
    "anonymous_rtplan.dcm": (f"FILE is an RT Plan {ALONE}", f"FILE is an RT Plan, {NO_IMAGE}"),
    "anonymous_rtstruct.dcm": (f"FILE is an RT Structure Set {ALONE}", f"FILE is an RT Structure Set, {NO_IMAGE}"),
    "elekta_iview_g000.dcm": (RADIOGRAPH, RADIOGRAPH),
    "philips_ffs_series": (
        NO_PLAN,
        "FILE mixes 10 frames of reference in one series (slice_000.dcm: 1.3.6.1.4.1.14519.5.2.1.6279.6001.141450626524417930023073480596, "
        "slice_001.dcm: 1.3.6.1.4.1.14519.5.2.1.6279.6001.239319106874368499790898106918); "
        "export the series again from the system that made it",
    ),
    "pinnacle_rtplan.dcm": (f"FILE is an RT Plan {ALONE}", f"FILE is an RT Plan, {NO_IMAGE}"),
    "pinnacle_rtstruct.dcm": (f"FILE is an RT Structure Set {ALONE}", f"FILE is an RT Structure Set, {NO_IMAGE}"),
    "raystation_rtstruct.dcm": (f"FILE is an RT Structure Set {ALONE}", f"FILE is an RT Structure Set, {NO_IMAGE}"),
    "varian_aria_drr.dcm": (RADIOGRAPH, RADIOGRAPH),
    "varian_aria_rtplan.dcm": (f"FILE is an RT Plan {ALONE}", f"FILE is an RT Plan, {NO_IMAGE}"),
    "varian_as1200_640_g270.dcm": (RADIOGRAPH, RADIOGRAPH),
    "varian_as500_no_position.dcm": (RADIOGRAPH, RADIOGRAPH),
    "varian_obi_as500_g090.dcm": (RADIOGRAPH, RADIOGRAPH),
    "varian_obi_cbct_series": (NO_PLAN, None),  # read as a daily image, below
    "varian_truebeam_1190_g270.dcm": (RADIOGRAPH, RADIOGRAPH),
}


@pytest.fixture
def vendor(shared_data: Path) -> Path:
    return shared_data / "vendor"


def sentence(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_every_vendor_file_is_in_the_table(vendor: Path):
    assert {p.name for p in vendor.iterdir()} == set(REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_right_sentence(vendor: Path, name: str):
    for load, expected in zip((load_plan, load_daily), REFUSED[name], strict=True):
        if expected is not None:
            assert sentence(lambda load=load: load(vendor / name)).replace(str(vendor / name), "FILE") == expected


def test_on_board_imager_scan_is_read(vendor: Path):
    daily = load_daily(vendor / "varian_obi_cbct_series")
    assert daily.volume.hu.shape == (6, 512, 512)
    assert daily.position is PatientPosition.HFS
    assert daily.patient_id == "$TX4OBI2020Q2"
    np.testing.assert_allclose(daily.volume.grid.origin_mm, [-255.75, -255.75, -8], atol=1e-9)
    np.testing.assert_allclose(daily.volume.grid.spacing_mm, [0.5, 0.5, 1], atol=1e-9)
    assert daily.volume.hu.min() == -1000


def test_feet_first_series_is_read_once_its_frame_of_reference_is_one(vendor: Path, tmp_path: Path):
    """De-identification gave each slice a frame of reference of its own; restored, it is a feet-first CT in LPS like any other."""
    for path in (vendor / "philips_ffs_series").iterdir():
        ds = pydicom.dcmread(path)
        ds.FrameOfReferenceUID = "2.25.1"
        ds.save_as(tmp_path / path.name)
    daily = load_daily(tmp_path)
    assert daily.position is PatientPosition.FFS
    np.testing.assert_allclose(daily.volume.grid.direction, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(daily.volume.grid.origin_mm, [-201, -59, -559.800049], atol=1e-6)
    first = pydicom.dcmread(vendor / "philips_ffs_series" / "slice_000.dcm")
    np.testing.assert_array_equal(daily.volume.hu[0], first.pixel_array.astype(int) - 1000)


def test_the_anonymous_parts_together_lack_the_rest_of_the_ct(vendor: Path, tmp_path: Path):
    for path in vendor.glob("anonymous_*"):
        shutil.copy(path, tmp_path)
    assert sentence(lambda: load_plan(tmp_path)) == (f"{tmp_path} holds 1 CT slice(s); a volume takes at least 3: give the whole series")


def test_parts_of_different_patients(vendor: Path, tmp_path: Path):
    for name in ("varian_obi_cbct_series/slice_000.dcm", "pinnacle_rtplan.dcm"):
        shutil.copy(vendor / name, tmp_path)
    assert "mixes patients: Patient ID '$TX4OBI2020Q2' in slice_000.dcm, '99999999' in pinnacle_rtplan.dcm" in sentence(
        lambda: load_plan(tmp_path)
    )


@pytest.mark.parametrize(
    ("name", "setups", "beams", "isocentre_mm", "approval"),
    [
        ("anonymous_rtplan.dcm", 4, ("3 RAO", "4 AP", "5 LAO", "6 LPO"), [72.5304715048, -304.3445582552, -9.3092401018882], "UNAPPROVED"),
        (
            "varian_aria_rtplan.dcm",
            9,
            ("CBCT", "CW", "CCW", "CW2", "CCW2", "KV PA", "KV RLAT", "KV AP", "KV LLAT"),
            [-29.734375, 96.8015625, 140],
            "APPROVED",
        ),
        ("pinnacle_rtplan.dcm", 1, ("LEFT LAT", "RIGHT LAT"), [6.9836030006409, 85.683609008789, 60.5], None),
    ],
)
def test_plans(vendor: Path, name: str, setups: int, beams: tuple, isocentre_mm: list, approval: str | None):
    """One set-up a beam, all saying the same, is one set-up."""
    with tolerant_reading():
        plan = read_rtplan(open_file(vendor / name))
    placed = place(plan)
    assert len(plan.setups) == setups
    assert placed.beams == beams
    assert placed.position is PatientPosition.HFS
    assert plan.approval == approval
    np.testing.assert_allclose(placed.isocentre_mm, isocentre_mm, atol=1e-9)
    assert {b.name for b in plan.beams if not b.treatment} == {b for b in beams if b == "CBCT" or b.startswith("KV")}
    one = place(plan, setup_choice=str(plan.setups[0].number))
    np.testing.assert_array_equal(one.isocentre_mm, placed.isocentre_mm)


@pytest.mark.parametrize(
    ("name", "expected", "undrawn"),
    [
        (
            "anonymous_rtstruct.dcm",
            "BODY EXTERNAL 141, Borders CTV 2, Breast GTV 48, Heart ORGAN 33, Lt Lung ORGAN 165, Nodes ORGAN 4, Scar ORGAN 6, "
            "Tumor Bed CTV 18, Tumor Bed Block GTV 24",
            ("Areola",),
        ),
        ("pinnacle_rtstruct.dcm", "LEFT OTHER 3, RIGHT OTHER 4, CRIBRIFORM OTHER 4", ("POI_1",)),
        ("raystation_rtstruct.dcm", "Cube101010 PTV 21, Slope101004 PTV 21, External EXTERNAL 41, PMMA ORGAN 41", ("LoPo",)),
    ],
)
def test_structure_sets(vendor: Path, name: str, expected: str, undrawn: tuple):
    with tolerant_reading():
        found = read_structure_set(open_file(vendor / name))
    assert ", ".join(f"{s.name} {s.kind} {len(s.contours_mm)}" for s in found.structures) == expected
    assert found.undrawn == undrawn
    assert len(found.frames) == 1


def test_anonymous_parts_cite_each_other(vendor: Path):
    with tolerant_reading():
        plan, structures = (
            read_rtplan(open_file(vendor / "anonymous_rtplan.dcm")),
            read_structure_set(open_file(vendor / "anonymous_rtstruct.dcm")),
        )
        ct = open_file(vendor / "anonymous_ct_one_slice.dcm")
    assert plan.structure_set_uids == (structures.uid,)
    assert structures.frames == {plan.frame_of_reference_uid} == {ct.text("FrameOfReferenceUID")}
    assert ct.text("SOPInstanceUID") in structures.cited[ct.text("SeriesInstanceUID")]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("chest/chest_a_cbct", (85, 450, 450)), ("head/head_a_cbct", (120, 260, 260)), ("thorax4d/thorax_a_cbct", (80, 410, 410))],
)
def test_volume_files(shared_data: Path, name: str, shape: tuple):
    daily = load_daily(shared_data / f"{name}.nii.gz", position="HFS", isocentre_mm=(0, 0, 0))
    assert daily.volume.hu.shape == shape
    np.testing.assert_allclose(daily.volume.grid.direction, np.eye(3), atol=1e-6)
