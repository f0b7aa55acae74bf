import copy

import numpy as np
import pytest
from pydicom.dataset import Dataset

from igrt.images.dicom_files import open_file
from igrt.images.masks import mask
from igrt.images.structures import read_structure_set
from tests.unit.images.conftest import Study, setting


def contours(ds: Dataset, roi: int = 0):
    return ds.ROIContourSequence[roi].ContourSequence


@pytest.mark.parametrize("change", [lambda ds: contours(ds).clear(), lambda ds: delattr(ds.ROIContourSequence[0], "ContourSequence")])
def test_an_empty_target(study: Study, change):
    study.edit("RS.dcm", change)
    assert study.refused(study.plan) == (
        "DIR/RS.dcm: CTV 'CTV' is empty, it has no closed contour; delineate it or leave it out of the structure set"
    )


def test_an_empty_organ_is_left_out_and_named(study: Study):
    study.edit("RS.dcm", lambda ds: contours(ds, 1).clear())
    plan = study.plan()
    assert [s.name for s in plan.structures] == ["CTV", "BODY"]
    assert f"{study.folder}/RS.dcm: without a closed contour and left out: Spinal Cord" in plan.notes


def test_points_and_open_contours_are_no_structure(study: Study):
    def change(ds: Dataset) -> None:
        for contour, kind in zip(contours(ds, 1), ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"] * 2, strict=True):
            contour.ContourGeometricType = kind

    study.edit("RS.dcm", change)
    assert read_structure_set(open_file(study.folder / "RS.dcm")).undrawn == ("Spinal Cord",)


def test_contours_of_two_points_are_dropped(study: Study):
    def change(ds: Dataset) -> None:
        contours(ds)[0].ContourData = contours(ds)[0].ContourData[:6]
        contours(ds)[0].NumberOfContourPoints = 2

    study.edit("RS.dcm", change)
    assert len(study.plan().structures[0].contours_mm) == 3


def test_a_contour_written_twice_counts_once(study: Study):
    study.edit("RS.dcm", lambda ds: contours(ds).extend(copy.deepcopy(list(contours(ds)))))
    plan = study.plan()
    np.testing.assert_array_equal(mask(plan.structures[0], plan.ct.grid), mask(study.structures[0], study.volume.grid))


@pytest.mark.parametrize(
    ("data", "points", "sentence"),
    [
        (["1", "2", "3", "4"], 1, "has 4 coordinates, not finite triples of x, y, z"),
        (["1", "2", "3", "4", "5", "nan", "7", "8", "9"], 3, "has 9 coordinates, not finite triples of x, y, z"),
        (["1", "2", "3"] * 4, 5, "states 5 points and holds 4"),
    ],
)
def test_malformed_contours(study: Study, data: list, points: int, sentence: str):
    def change(ds: Dataset) -> None:
        contours(ds)[1].ContourData, contours(ds)[1].NumberOfContourPoints = data, points

    study.edit("RS.dcm", change)
    assert study.refused(study.plan) == f"DIR/RS.dcm: a contour of 'CTV' {sentence}; export the structure set again"


def test_coordinates_that_are_no_numbers(study: Study):
    data = (study.folder / "RS.dcm").read_bytes()
    number = str(study.structures[0].contours_mm[0][0, 0])[:5].encode()
    (study.folder / "RS.dcm").write_bytes(data.replace(number, b"abcde", 1))
    assert study.refused(study.plan).startswith("DIR/RS.dcm: a contour of 'CTV' holds what is no number (")


def test_two_structures_of_one_name(study: Study):
    study.edit("RS.dcm", lambda ds: setattr(ds.StructureSetROISequence[1], "ROIName", "CTV"))
    assert study.refused(study.plan) == "DIR/RS.dcm holds two structures named 'CTV'; rename one in the planning system"


def test_a_region_without_name_or_observation(study: Study):
    def change(ds: Dataset) -> None:
        del ds.StructureSetROISequence[1].ROIName
        del ds.RTROIObservationsSequence[:]

    study.edit("RS.dcm", change)
    assert [(s.name, str(s.kind)) for s in study.plan().structures] == [("CTV", "CTV"), ("ROI 2", "OTHER"), ("BODY", "EXTERNAL")]


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("StructureSetROISequence", "Structure Set ROI Sequence (3006,0020)"),
        ("ROIContourSequence", "ROI Contour Sequence (3006,0039)"),
        ("RTROIObservationsSequence", "RT ROI Observations Sequence (3006,0080)"),
    ],
)
def test_a_structure_set_without_one_of_its_parts(study: Study, keyword: str, name: str):
    study.edit("RS.dcm", setting(**{keyword: None}))
    assert study.refused(study.plan) == f"DIR/RS.dcm lacks {name}; export the file again with it"


def test_another_frame_of_reference(study: Study):
    def change(ds: Dataset) -> None:
        ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "2.25.5"

    study.edit("RS.dcm", change)
    uid = study.series.identity.frame_of_reference_uid
    assert study.refused(study.plan) == (
        f"DIR/RS.dcm is in another frame of reference (2.25.5) than the CT ({uid}); give the CT that the structures were drawn on"
    )


def test_no_frame_of_reference_at_all(study: Study):
    def change(ds: Dataset) -> None:
        del ds.ReferencedFrameOfReferenceSequence
        for region in ds.StructureSetROISequence:
            del region.ReferencedFrameOfReferenceUID

    study.edit("RS.dcm", change)
    assert "is in another frame of reference (none stated)" in study.refused(study.plan)


def test_slices_at_the_end_that_the_structures_know_of_and_the_folder_lacks(study: Study):
    study.slice(7).unlink()
    study.slice(6).unlink()
    assert study.refused(study.plan) == (
        "the CT is incomplete: DIR/RS.dcm was drawn on 2 slice(s) of it that are not here; copy the whole series"
    )


def test_structures_drawn_on_another_series_of_the_frame_of_reference(study: Study):
    study.edit_all(setting(SeriesInstanceUID="2.25.77"))
    assert len(study.plan().structures) == 3


def test_a_target_outside_the_ct(study: Study):
    def change(ds: Dataset) -> None:
        for contour in contours(ds):
            contour.ContourData = [float(v) + 500 for v in contour.ContourData]

    study.edit("RS.dcm", change)
    assert study.refused(study.plan) == ("DIR/RS.dcm: CTV 'CTV' lies outside the planning CT; give the CT that it was drawn on")
