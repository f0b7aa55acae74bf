import contextlib
import os
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID

from igrt.errors import InputError
from igrt.images.dicom_files import MOST_FILES, Elements, element_name, folder_contents, open_file, tolerant_reading
from igrt.images.load import load_daily, load_plan
from tests.unit.images.conftest import Study, setting


def refusal(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_files_that_are_not_dicom_are_passed_over_and_counted(study: Study):
    (study.folder / "README").write_text("exported on Monday")
    (study.folder / "viewer.exe").write_bytes(b"MZ" + bytes(500))
    (study.folder / ".DS_Store").write_bytes(b"")
    plan = study.plan()
    assert f"{study.folder}: passed over 2 file(s) that are not DICOM" in plan.notes


def test_a_dicomdir_and_other_objects_are_passed_over_and_counted(study: Study):
    for name, sop_class in (("DICOMDIR", "1.2.840.10008.1.3.10"), ("RD.dcm", "1.2.840.10008.5.1.4.1.1.481.2")):
        ds = pydicom.dcmread(study.folder / "RP.dcm")
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
        if name == "DICOMDIR":
            del ds.SOPInstanceUID
        ds.save_as(study.folder / name)
    assert f"{study.folder}: passed over 2 other DICOM file(s)" in study.plan().notes


def test_files_in_folders_below_are_found(study: Study):
    below = study.folder / "series" / "1"
    below.mkdir(parents=True)
    for path in study.slices():
        path.rename(below / path.name)
    assert study.plan().ct.hu.shape == study.volume.hu.shape


@pytest.mark.parametrize("load", [load_plan, load_daily])
def test_paths_that_lead_nowhere(tmp_path: Path, load):
    assert refusal(lambda: load(tmp_path / "none")) == (
        f"{tmp_path}/none cannot be opened (No such file or directory); check the path and its permissions"
    )
    assert refusal(lambda: load(tmp_path)) == f"{tmp_path} is an empty folder; give the folder that holds the DICOM files"
    (tmp_path / "notes.txt").write_text("nothing here")
    assert refusal(lambda: load(tmp_path)) == f"{tmp_path} holds no DICOM file (1 other files); give the folder that holds the DICOM files"
    assert refusal(lambda: load(tmp_path / "notes.txt")) == (
        f"{tmp_path}/notes.txt is not a DICOM file; give DICOM files or a volume file (.mha, .nii, .nii.gz, .nrrd)"
    )


def test_a_file_that_may_not_be_read(study: Study, monkeypatch: pytest.MonkeyPatch):
    real = pydicom.dcmread

    def refusing(path: Path, **named: object) -> pydicom.FileDataset:
        if path.name == "CT_0002.dcm":
            raise PermissionError(13, "Permission denied")
        return real(path, **named)

    monkeypatch.setattr(pydicom, "dcmread", refusing)
    assert study.refused(study.plan) == "DIR/CT_0002.dcm cannot be opened (Permission denied); check the path and its permissions"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(study: Study):
    study.folder.chmod(0)
    try:
        assert study.refused(study.plan) == "DIR cannot be read (Permission denied); check the path and its permissions"
    finally:
        study.folder.chmod(0o700)


def test_a_folder_below_that_may_not_be_read(study: Study, monkeypatch: pytest.MonkeyPatch):
    def walk(folder: Path, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder / "series")))
        return iter(())

    monkeypatch.setattr(os, "walk", walk)
    assert study.refused(study.plan) == "DIR/series cannot be read (Permission denied); check the path and its permissions"


def test_an_empty_file(study: Study):
    study.slice(4).write_bytes(b"")
    assert study.refused(study.plan) == "DIR/CT_0005.dcm is empty; copy it again"


def test_a_file_named_like_dicom_that_is_none(study: Study):
    study.slice(7).write_bytes(b"half a preamble")
    assert study.refused(study.plan) == (
        "DIR/CT_0008.dcm is named like a DICOM file and is none, or its start is damaged; copy it again or remove it"
    )


def test_a_slice_cut_short_anywhere_is_named(study: Study):
    """The last slice, which no gap would give away."""
    data = study.slice(7).read_bytes()
    for length in range(1, len(data) - study.volume.hu[0].nbytes, 37):
        study.slice(7).write_bytes(data[:length])
        assert "CT_0008.dcm" in study.refused(study.plan)


@pytest.mark.parametrize("name", ["RS.dcm", "RP.dcm"])
def test_a_plan_or_structure_set_cut_short_never_changes_the_answer(study: Study, name: str):
    """Half a coordinate is a coordinate, half a type is no type: what is left must be all of it, or refused."""
    whole = study.plan()
    data = (study.folder / name).read_bytes()
    for length in range(150, len(data), 101):
        (study.folder / name).write_bytes(data[:length])
        with contextlib.suppress(InputError):
            assert study.plan(position="HFS").fingerprint == whole.fingerprint


def test_a_folder_of_too_many_files_is_a_mistyped_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "walk", lambda folder, **_: iter([(str(folder), [], [f"{n}" for n in range(MOST_FILES + 1)])]))
    assert refusal(lambda: folder_contents(tmp_path)) == f"{tmp_path} holds more than 20000 files; give the folder of one study"


def test_elements_of_the_wrong_kind(study: Study):
    study.edit(study.slice(0), setting(PixelSpacing=[1, 1, 1], InstanceNumber=None))
    file = open_file(study.slice(0))
    assert refusal(lambda: file.numbers("PixelSpacing", 2)) == (
        f"{study.slice(0)}: Pixel Spacing (0028,0030) is [1.0, 1.0, 1.0], not 2 finite numbers; export the file again"
    )
    assert file.numbers("InstanceNumber", 1) is None
    assert file.text("InstanceNumber") is None
    assert file.items("BeamSequence") == ()
    ds = pydicom.Dataset()
    ds.SliceThickness = "1.5"
    assert "Slice Thickness (0018,0050) is 1.5, not a whole number" in refusal(lambda: Elements(Path("x"), ds).whole("SliceThickness"))


def test_element_names_are_those_of_the_standard():
    assert element_name("IsocenterPosition") == "Isocenter Position (300A,012C)"


def test_pydicom_is_left_as_it_was():
    before = (pydicom.config.settings.reading_validation_mode, pydicom.config.settings.writing_validation_mode, len(warnings.filters))
    with tolerant_reading(), tolerant_reading():
        pass
    after = (pydicom.config.settings.reading_validation_mode, pydicom.config.settings.writing_validation_mode, len(warnings.filters))
    assert after == before
