from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.images.volumes import read_volume
from tests.unit.images.conftest import a_grid, asymmetric

SHAPE = (4, 5, 6)


def write(path: Path, values: np.ndarray, *, direction: np.ndarray | None = None, vector: bool = False) -> Path:
    image = sitk.GetImageFromArray(values, isVector=vector)
    if image.GetDimension() == 3:
        image.SetOrigin((-10.5, 20.25, -300.0))
        image.SetSpacing((0.75, 1.5, 2.5))
        if direction is not None:
            image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_volume(path, Frame.PLAN)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nii.gz", ".nrrd", ".NRRD"])
def test_every_format_gives_the_same_volume(tmp_path: Path, suffix: str):
    values = asymmetric(SHAPE)
    path = write(tmp_path / f"ct{suffix.lower()}", values).rename(tmp_path / f"x{suffix}")
    volume = read_volume(path, Frame.DAILY)
    np.testing.assert_array_equal(volume.hu, values)
    np.testing.assert_allclose(volume.grid.origin_mm, [-10.5, 20.25, -300], atol=1e-5)
    np.testing.assert_allclose(volume.grid.spacing_mm, [0.75, 1.5, 2.5], atol=1e-6)
    np.testing.assert_allclose(volume.grid.direction, np.eye(3), atol=1e-6)
    assert volume.frame is Frame.DAILY


@given(order=st.permutations([0, 1, 2]), signs=st.tuples(*[st.sampled_from([-1, 1])] * 3))
@settings(max_examples=48)
def test_handedness_moves_no_voxel(tmp_path_factory: pytest.TempPathFactory, order: list, signs: tuple):
    direction = np.eye(3)[:, order] * signs
    values = asymmetric(SHAPE)
    path = write(tmp_path_factory.mktemp("v") / "ct.mha", values, direction=direction)
    volume = read_volume(path, Frame.PLAN)
    assert np.linalg.det(volume.grid.direction) > 0
    image = sitk.ReadImage(str(path))
    for ijk in [(0, 0, 0), (5, 4, 3), (1, 2, 3), (4, 0, 2)]:
        i, j, k = np.rint(volume.grid.index_ijk(image.TransformIndexToPhysicalPoint(ijk))).astype(int)
        assert volume.hu[k, j, i] == values[ijk[::-1]]


def test_oblique(tmp_path: Path):
    c, s = np.cos(0.3), np.sin(0.3)
    direction = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    volume = read_volume(write(tmp_path / "ct.nrrd", asymmetric(SHAPE), direction=direction), Frame.PLAN)
    np.testing.assert_allclose(volume.grid.direction, direction, atol=1e-9)


def test_floats_are_rounded(tmp_path: Path):
    values = np.linspace(-1000.4, 1999.6, 120, dtype=np.float32).reshape(SHAPE)
    np.testing.assert_array_equal(read_volume(write(tmp_path / "ct.mha", values), Frame.PLAN).hu, np.rint(values))


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path: Path, bad: float, suffix: str):
    """ITK's NIfTI reader would make water of NaN."""
    values = asymmetric(SHAPE).astype(np.float32)
    values[1, 2, 3] = bad
    assert refusal(write(tmp_path / f"ct{suffix}", values)) == (
        "FILE holds 1 voxel(s) that are not finite (NaN or infinite); fill them with air (-1000 HU) or crop them away"
    )


@pytest.mark.parametrize(("dtype", "value"), [(np.int32, 40000), (np.float64, -32768.6), (np.uint16, 40000)])
def test_out_of_range(tmp_path: Path, dtype: type, value: float):
    values = np.zeros(SHAPE, dtype)
    values[0, 0, 0] = value
    assert "beyond what HU can be (-32768 to 32767); check its rescale" in refusal(write(tmp_path / "ct.mha", values))


def test_one_value_everywhere(tmp_path: Path):
    assert (
        refusal(write(tmp_path / "ct.mha", np.zeros(SHAPE, np.int16)))
        == "FILE holds the one value 0 everywhere, no image; give a volume in HU"
    )


@pytest.mark.parametrize(
    ("values", "vector", "what"),
    [
        (np.zeros((3, 4), np.int16), False, "a 2D image of 1 component(s)"),
        (np.zeros((2, 3, 4, 5), np.int16), False, "a 4D image of 1 component(s)"),
        (np.zeros((2, 3, 4, 3), np.uint8), True, "a 3D image of 3 component(s)"),
        (np.zeros((2, 3, 4), np.complex64), False, "a 3D image of 2 component(s)"),
    ],
)
def test_not_one_scalar_volume(tmp_path: Path, values: np.ndarray, vector: bool, what: str):
    assert refusal(write(tmp_path / "ct.nrrd", values, vector=vector)) == f"FILE is {what}; give one scalar 3D volume in HU"


@pytest.mark.parametrize("suffix", [".mha", ".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
def test_cut_short(tmp_path: Path, suffix: str, share: float):
    path = write(tmp_path / f"ct{suffix}", np.random.default_rng(1).integers(-1000, 1000, (20, 30, 40), np.int16))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    sentence = refusal(path)
    assert "FILE" in sentence
    assert "cut short" in sentence


def test_not_there(tmp_path: Path):
    assert refusal(tmp_path / "none.mha") == "FILE cannot be opened (No such file or directory); check the path and its permissions"


def test_nifti_without_orientation(tmp_path: Path):
    path = write(tmp_path / "ct.nii", asymmetric(SHAPE))
    data = bytearray(path.read_bytes())
    data[252:256] = bytes(4)  # qform_code, sform_code
    path.write_bytes(data)
    assert refusal(path) == "FILE: its NIfTI header states no orientation (qform_code and sform_code are 0); convert it again with one"


def test_sheared_axes(tmp_path: Path):
    path = write(tmp_path / "ct.mha", asymmetric(SHAPE))
    data = path.read_bytes().replace(b"TransformMatrix = 1 0 0 0 1 0 0 0 1", b"TransformMatrix = 1 0 0 0.2 1 0 0 0 1")
    path.write_bytes(data)
    assert refusal(path) == "FILE: its axes are not at right angles (off by 0.2); resample it to a right-angled grid"


def test_grids_are_those_of_simple_itk(tmp_path: Path):
    grid = a_grid()
    image = sitk.ReadImage(str(write(tmp_path / "ct.mha", asymmetric(grid.shape_kji))))
    volume = read_volume(tmp_path / "ct.mha", Frame.PLAN)
    np.testing.assert_allclose(volume.grid.position_mm((3, 4, 5)), image.TransformIndexToPhysicalPoint((3, 4, 5)))
