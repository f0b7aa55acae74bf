import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import MPEG2MPML, DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from tests.unit.images.conftest import MakeStudy, Study, a_grid, asymmetric, setting
from tests.unit.images.jpeg_lossless import encode


def compress(syntax: str):
    def change(ds: Dataset) -> None:
        if syntax == JPEGLosslessSV1:
            ds.PixelData = encapsulate([encode(ds.pixel_array)])
            ds["PixelData"].is_undefined_length = True
            ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        elif syntax == DeflatedExplicitVRLittleEndian:
            ds.file_meta.TransferSyntaxUID = syntax
        else:
            ds.compress(syntax, generate_instance_uid=False)

    return change


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, RLELossless, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("signed", [True, False])
def test_compressed_slices_are_the_same_slices(make_study: MakeStudy, syntax: str, signed: bool):
    study = make_study(hu=np.clip(asymmetric(), -1000, 3000))

    def unsigned(ds: Dataset) -> None:
        ds.PixelData = (ds.pixel_array + 1000).astype("<u2").tobytes()
        ds.PixelRepresentation, ds.RescaleIntercept = 0, "-1000"

    if not signed:
        study.edit_all(unsigned)
    study.edit_all(compress(syntax))
    np.testing.assert_array_equal(study.plan().ct.hu, study.volume.hu)


@pytest.mark.parametrize(
    ("syntax", "name", "install"),
    [
        (
            JPEGLosslessSV1,
            "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
            "igrt[jpeg]",
        ),
        (JPEGLSLossless, "JPEG-LS Lossless Image Compression", "igrt[jpeg]"),
        (
            JPEG2000Lossless,
            "JPEG 2000 Image Compression (Lossless Only)",
            "igrt again with its dependencies (pylibjpeg-openjpeg, pylibjpeg-rle)",
        ),
    ],
)
def test_no_decoder(study: Study, monkeypatch: pytest.MonkeyPatch, syntax: str, name: str, install: str):
    study.edit(study.slice(0), compress(syntax))
    monkeypatch.setattr(Decoder, "available_plugins", property(lambda _: ()))
    assert study.refused(study.plan) == (
        f"DIR/CT_0001.dcm is compressed as {name} and no decoder for it is installed; install {install}, or export it uncompressed"
    )


def test_a_transfer_syntax_that_is_no_image_of_ours(study: Study):
    def change(ds: Dataset) -> None:
        compress(RLELossless)(ds)
        ds.file_meta.TransferSyntaxUID = MPEG2MPML

    study.edit(study.slice(0), change)
    assert study.refused(study.plan) == (
        "DIR/CT_0001.dcm is stored as MPEG2 Main Profile / Main Level, which is not read; export it uncompressed"
    )


def test_no_transfer_syntax(study: Study):
    study.slice(0).write_bytes(study.slice(0).read_bytes().replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI", 1))
    assert study.refused(study.plan) == "DIR/CT_0001.dcm is stored as nothing stated, which is not read; export it uncompressed"


def test_rescale_of_each_slice_is_its_own(study: Study):
    def rescaled(ds: Dataset) -> None:
        ds.PixelData = (ds.pixel_array.clip(-2000, 2000) * 2 - 10).astype("<i2").tobytes()
        ds.RescaleSlope, ds.RescaleIntercept = "0.5", "5"

    study.edit(study.slice(3), rescaled)
    np.testing.assert_array_equal(study.plan().ct.hu[3], study.volume.hu[3])
    np.testing.assert_array_equal(study.plan().ct.hu[4], study.volume.hu[4])


def test_fractions_are_rounded(study: Study):
    study.edit(study.slice(3), setting(RescaleSlope="0.37", RescaleIntercept="-0.2"))
    np.testing.assert_array_equal(study.plan().ct.hu[3], np.rint(study.volume.hu[3] * 0.37 - 0.2))


@pytest.mark.parametrize(("slope", "intercept"), [("10", "0"), ("1", "20000"), ("1e30", "0")])
def test_values_beyond_int16(study: Study, slope: str, intercept: str):
    study.edit(study.slice(7), setting(RescaleSlope=slope, RescaleIntercept=intercept))
    sentence = study.refused(study.plan)
    assert sentence.startswith("DIR/CT_0008.dcm holds values from ")
    assert sentence.endswith("beyond what HU can be (-32768 to 32767); check its rescale")


@pytest.mark.parametrize(("slope", "sentence"), [("0", "is 0; export the series again"), ("x", "is no number")])
def test_rescale_that_is_none(study: Study, slope: str, sentence: str):
    study.edit(study.slice(7), lambda ds: ds.add_new("RescaleSlope", "LO", slope) if slope == "x" else setattr(ds, "RescaleSlope", slope))
    assert f"DIR/CT_0008.dcm: Rescale Slope (0028,1053) {sentence}" in study.refused(study.plan)


@pytest.mark.parametrize("signed", [True, False])
def test_unused_high_bits_are_not_part_of_the_value(make_study: MakeStudy, signed: bool):
    hu = np.clip(asymmetric(), -1000, 1000)
    study = make_study(hu=hu)

    def twelve_bits(ds: Dataset) -> None:
        stored = ds.pixel_array.astype(np.int64) + (0 if signed else 1000)
        ds.PixelData = ((stored & 0x0FFF) | 0x7000).astype("<u2").tobytes()
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, int(signed)
        ds.RescaleIntercept = "0" if signed else "-1000"

    study.edit_all(twelve_bits)
    np.testing.assert_array_equal(study.plan().ct.hu, hu)


def test_padding_below_air_is_air(make_study: MakeStudy):
    hu = np.clip(asymmetric(), -1000, 2000)
    hu[:, :3, :3] = -2000
    hu[:, 3, 3] = -1998
    study = make_study(hu=hu)
    study.edit_all(lambda ds: ds.add_new("PixelPaddingValue", "SS", -2000))
    study.edit_all(lambda ds: ds.add_new("PixelPaddingRangeLimit", "SS", -1998))
    np.testing.assert_array_equal(study.plan().ct.hu, np.maximum(hu, -1000))


def test_padding_at_a_value_of_tissue_stays(make_study: MakeStudy):
    hu = np.clip(asymmetric(), -1000, 2000)
    hu[:, 5:9, 5:9] = 0
    study = make_study(hu=hu)
    study.edit_all(lambda ds: ds.add_new("PixelPaddingValue", "SS", 0))
    np.testing.assert_array_equal(study.plan().ct.hu, hu)


@pytest.mark.parametrize("left", [-1, -500])
def test_cut_short_in_the_pixels(study: Study, left: int):
    data = study.slice(5).read_bytes()
    study.slice(5).write_bytes(data[:left])
    assert study.refused(study.plan) == (
        "DIR/CT_0006.dcm is damaged or cut short (its last element has fewer bytes than it states); copy it again"
    )


def test_fewer_pixels_than_the_header_states(study: Study):
    study.edit(study.slice(5), lambda ds: setattr(ds, "PixelData", ds.PixelData[:-96]))
    assert study.refused(study.plan).startswith("DIR/CT_0006.dcm: its pixel data are cut short or damaged (")


def test_cut_short_before_the_pixels(study: Study):
    data = study.slice(5).read_bytes()
    study.slice(5).write_bytes(data[: -study.volume.hu[0].nbytes - 12])
    assert study.refused(study.plan) == "DIR/CT_0006.dcm holds no pixel data: it is cut short; copy it again"


def test_cut_short_in_a_compressed_stream(study: Study):
    study.edit(study.slice(5), compress(JPEG2000Lossless))
    data = study.slice(5).read_bytes()
    study.slice(5).write_bytes(data[:-200])
    assert study.refused(study.plan).startswith("DIR/CT_0006.dcm")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"NumberOfFrames": 4}, "holds 4 frames; export the series as single-frame CT images"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "is RGB, which is no CT image in Hounsfield units (MONOCHROME2)"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "has 32 bits allocated, 32 stored, high bit 31"),
        ({"HighBit": 14}, "has 16 bits allocated, 16 stored, high bit 14"),
    ],
)
def test_pixels_that_are_no_ct(study: Study, change: dict, sentence: str):
    study.edit(study.slice(2), setting(**change))
    assert study.refused(study.plan).startswith(f"DIR/CT_0003.dcm {sentence}")


def test_a_stream_of_another_size_than_the_header(study: Study):
    other = np.zeros((40, 32), np.int16)

    def change(ds: Dataset) -> None:
        small = pydicom.dcmread(study.slice(0))
        small.Rows, small.Columns, small.PixelData = 40, 32, other.tobytes()
        small.compress(JPEG2000Lossless, generate_instance_uid=False)
        ds.PixelData, ds.file_meta.TransferSyntaxUID = small.PixelData, JPEG2000Lossless
        ds["PixelData"].is_undefined_length = True

    study.edit(study.slice(2), change)
    assert study.refused(study.plan).startswith("DIR/CT_0003.dcm")


def test_eight_bits(make_study: MakeStudy):
    hu = (np.arange(8 * 40 * 48).reshape(8, 40, 48) % 200).astype(np.int16)
    study = make_study(grid=a_grid(), hu=hu)

    def eight(ds: Dataset) -> None:
        ds.PixelData = ds.pixel_array.astype("u1").tobytes()
        ds["PixelData"].VR = "OB"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0

    study.edit_all(eight)
    np.testing.assert_array_equal(study.plan().ct.hu, hu)
