import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.images.nifti import nifti_values
from igrt.images.volumes import read_volume
from tests.unit.images.conftest import asymmetric

SHAPE = (4, 5, 6)


def write(path: Path, values: np.ndarray) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path), useCompression=True)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_volume(path, Frame.PLAN)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_nifti_voxels_are_those_of_itk(tmp_path: Path, dtype: type):
    values = np.arange(-60, 60).reshape(SHAPE).astype(dtype) if np.dtype(dtype).kind != "u" else np.arange(120).reshape(SHAPE).astype(dtype)
    path = write(tmp_path / "ct.nii.gz", values)
    np.testing.assert_array_equal(nifti_values(path), sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.0, 0.0), (2.0, -1024.0), (1.0, 3.0), (0.5, 0.0)])
def test_nifti_scaling_is_that_of_itk(tmp_path: Path, slope: float, intercept: float):
    path = write(tmp_path / "ct.nii", asymmetric(SHAPE).clip(-1000, 3000))
    data = bytearray(path.read_bytes())
    data[112:120] = struct.pack("<2f", slope, intercept)
    path.write_bytes(data)
    np.testing.assert_allclose(nifti_values(path), sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def test_a_slope_of_zero_means_not_scaled(tmp_path: Path):
    """The NIfTI-1 standard; ITK would add the intercept."""
    path = write(tmp_path / "ct.nii", asymmetric(SHAPE))
    data = bytearray(path.read_bytes())
    data[112:120] = struct.pack("<2f", 0.0, 5.0)
    path.write_bytes(data)
    np.testing.assert_array_equal(nifti_values(path), asymmetric(SHAPE))


def test_nifti_of_the_other_byte_order(tmp_path: Path):
    values = asymmetric(SHAPE)
    data = bytearray(write(tmp_path / "ct.nii", values).read_bytes())
    swapped = bytearray(352)
    for code, places in (("i", (0,)), ("h", range(40, 56, 2)), ("h", (70, 72, 252, 254)), ("f", (*range(76, 120, 4), *range(256, 328, 4)))):
        for at in places:
            struct.pack_into(f">{code}", swapped, at, *struct.unpack_from(f"<{code}", data, at))
    swapped[344:348] = b"n+1\0"
    swapped[123] = data[123]
    (tmp_path / "big.nii").write_bytes(bytes(swapped) + values.astype(">i2").tobytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii", Frame.PLAN).hu, values)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "big.nii"))), values)


def test_nifti_damaged_in_the_middle(tmp_path: Path):
    path = write(tmp_path / "ct.nii.gz", np.random.default_rng(1).integers(-1000, 1000, (20, 30, 40), np.int16))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="is cut short or damaged"):
        nifti_values(path)


def test_nifti_of_complex_numbers_or_pairs_of_files(tmp_path: Path):
    path = write(tmp_path / "ct.nii", asymmetric(SHAPE))
    whole = path.read_bytes()
    for at, new, sentence in ((344, b"ni1", "is not a single-file NIfTI-1 image"), (70, b"\x80\x00", "holds datatype 128")):
        data = bytearray(whole)
        data[at : at + len(new)] = new
        path.write_bytes(data)
        with pytest.raises(InputError, match=sentence):
            nifti_values(path)
    path.write_bytes(whole[:200])
    with pytest.raises(InputError, match="cut short in its header"):
        nifti_values(path)
