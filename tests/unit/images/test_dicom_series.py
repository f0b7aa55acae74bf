import pydicom
import pytest
from pydicom.uid import EnhancedCTImageStorage, MRImageStorage, RTImageStorage, SecondaryCaptureImageStorage

from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import open_file
from igrt.images.dicom_series import kind_of_file
from tests.unit.images.conftest import Study, setting


def test_mixed_series(study: Study):
    study.edit(study.slice(7), setting(SeriesInstanceUID="2.25.7", SeriesDescription="lung kernel"))
    assert study.refused(study.plan) == (
        "DIR mixes 2 CT series: planning CT (7 slices, CT_0001.dcm ...); lung kernel (1 slices, CT_0008.dcm ...); "
        "give a folder or the files of one series"
    )


def test_mixed_frames_of_reference(study: Study):
    study.edit(study.slice(2), setting(FrameOfReferenceUID="2.25.9"))
    uid = study.series.identity.frame_of_reference_uid
    assert study.refused(study.plan) == (
        f"DIR mixes 2 frames of reference in one series (CT_0001.dcm: {uid}, CT_0003.dcm: 2.25.9); "
        "export the series again from the system that made it"
    )


def test_mixed_patient_positions(study: Study):
    study.edit(study.slice(2), setting(PatientPosition="FFS"))
    assert "mixes 2 patient positions in one series (CT_0001.dcm: HFS, CT_0003.dcm: FFS)" in study.refused(study.plan)


def test_mixed_patients(study: Study):
    study.edit(study.slice(2), setting(PatientID="Q-002"))
    assert study.refused(study.daily) == (
        "DIR mixes patients: Patient ID 'P-001' in CT_0001.dcm, 'Q-002' in CT_0003.dcm; give the files of one patient"
    )


def test_no_patient_position_is_never_head_first_supine(study: Study):
    study.edit_all(setting(PatientPosition=None))
    sentence = "states no patient position (0018,5100); give position, one of HFS, HFP, HFDR, HFDL, FFS, FFP, FFDR, FFDL"
    assert study.refused(study.plan) == f"DIR: the CT {sentence}"
    assert study.plan(position="HFS").position is PatientPosition.HFS
    assert study.refused(study.daily) == f"DIR: the image {sentence}"
    assert study.daily(position="FFP").position is PatientPosition.FFP


@pytest.mark.parametrize("stated", ["SITTING", "ALFS", "unknown"])
def test_positions_that_cannot_be_corrected_for(study: Study, stated: str):
    study.edit_all(setting(PatientPosition=stated))
    assert study.refused(study.daily) == (
        f"DIR/CT_0001.dcm: Patient Position (0018,5100) is {stated!r}; only HFS, HFP, HFDR, HFDL, FFS, FFP, FFDR, FFDL can be corrected for"
    )


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("ImagePositionPatient", "Image Position (Patient) (0020,0032)"),
        ("ImageOrientationPatient", "Image Orientation (Patient) (0020,0037)"),
        ("PixelSpacing", "Pixel Spacing (0028,0030)"),
        ("SeriesInstanceUID", "Series Instance UID (0020,000E)"),
        ("Rows", "Rows (0028,0010)"),
        ("RescaleSlope", "Rescale Slope (0028,1053)"),
        ("RescaleIntercept", "Rescale Intercept (0028,1052)"),
    ],
)
def test_what_a_slice_cannot_do_without(study: Study, keyword: str, name: str):
    study.edit(study.slice(1), setting(**{keyword: None}))
    assert study.refused(study.daily) == f"DIR/CT_0002.dcm lacks {name}; export the file again with it"


@pytest.mark.parametrize(
    "keyword",
    [
        "SeriesDescription",
        "PatientName",
        "ImageType",
        "InstanceNumber",
        "SliceThickness",
        "KVP",
        "Manufacturer",
        "RescaleType",
        "StudyDate",
    ],
)
def test_what_a_slice_can_do_without(study: Study, keyword: str):
    study.edit_all(setting(**{keyword: None}))
    assert study.plan().ct.hu.shape == study.volume.hu.shape


def test_odd_but_harmless_values(study: Study):
    study.edit_all(setting(StudyInstanceUID="not.a.uid", StudyDate="yesterday", StationName="x" * 40))
    assert study.plan().ct.hu.shape == study.volume.hu.shape


def test_a_localizer_beside_the_series_is_passed_over(study: Study):
    ds = pydicom.dcmread(study.slice(0))
    ds.ImageType, ds.SeriesInstanceUID, ds.PatientPosition = ["ORIGINAL", "PRIMARY", "LOCALIZER"], "2.25.3", "HFS"
    ds.save_as(study.folder / "scout.dcm")
    assert f"{study.folder}: passed over 1 other DICOM file(s)" in study.plan().notes
    assert kind_of_file(open_file(study.folder / "scout.dcm")) == "a localizer"


@pytest.mark.parametrize(
    ("sop_class", "modality", "sentence"),
    [
        (MRImageStorage, "MR", "DIR holds no CT image (CT_0001.dcm is an MR Image); give a CT or cone-beam CT series"),
        (
            SecondaryCaptureImageStorage,
            "OT",
            "DIR holds no CT image (CT_0001.dcm is a Secondary Capture Image); give a CT or cone-beam CT series",
        ),
        (
            RTImageStorage,
            "RTIMAGE",
            "DIR/CT_0001.dcm is an RT Image, a radiograph; give a CT or cone-beam CT series here",
        ),
        (
            EnhancedCTImageStorage,
            "CT",
            "DIR/CT_0001.dcm is an Enhanced (multi-frame) CT, which this version does not read; "
            "export the series as single-frame CT images",
        ),
    ],
)
def test_wrong_modality(study: Study, sop_class: str, modality: str, sentence: str):
    study.edit_all(setting(SOPClassUID=sop_class, Modality=modality))
    assert study.refused(study.plan) == sentence
    assert study.refused(study.daily) == sentence


def test_no_sop_class(study: Study):
    def change(ds: pydicom.FileDataset) -> None:
        del ds.SOPClassUID, ds.file_meta.MediaStorageSOPClassUID

    study.edit(study.slice(0), change)
    assert study.refused(study.plan) == (
        "DIR/CT_0001.dcm is damaged or cut short: it states no SOP Class or Instance UID (0008,0016/0018); copy it again"
    )


def test_progress_ends_at_one(study: Study):
    told: list[float] = []
    study.daily(progress=lambda _, share: told.append(share))
    assert told == [(k + 1) / 8 for k in range(8)]
