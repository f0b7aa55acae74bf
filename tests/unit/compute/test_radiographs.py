"""Attenuation by tube voltage, and exact ray sums through a CT against integrals in closed form."""

import itertools
from functools import lru_cache

import numpy as np
import pytest

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View, attenuation, water_attenuation
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion


@pytest.mark.parametrize(("kvp", "water"), [(80, 0.0222), (100, 0.0208), (120, 0.0199), (110, 0.02035), (90, 0.0215)])
def test_water(kvp, water) -> None:
    assert water_attenuation(kvp) == pytest.approx(water, abs=1e-9)


def test_attenuation_falls_with_voltage() -> None:
    values = [water_attenuation(kvp) for kvp in range(40, 151, 5)]
    assert all(a > b > 0.018 for a, b in itertools.pairwise(values))


@pytest.mark.parametrize("kvp", [0.0, 6000.0, float("nan")])
def test_no_kv_radiograph(kvp) -> None:
    with pytest.raises(InputError, match="tube voltage"):
        water_attenuation(kvp)


def test_hounsfield_units_to_attenuation() -> None:
    np.testing.assert_allclose(attenuation(np.array([-2000, -1000, 0, 1000], np.int16), kvp=120), [0, 0, 0.0199, 0.0398], rtol=1e-6)


# Centre, standard deviation (mm), peak (per mm).
BLOBS = (((10.0, -20.0, 5.0), 44.0, 0.022), ((-20.0, 15.0, -10.0), 46.0, 0.02), ((0.0, 0.0, 15.0), 45.0, 0.01))


def blobs(points_mm: np.ndarray) -> np.ndarray:
    """Attenuation (...) of a sum of Gaussians at points (..., 3)."""
    return sum(peak * np.exp(-((points_mm - np.array(centre)) ** 2).sum(-1) / (2 * sd**2)) for centre, sd, peak in BLOBS)


def line_integrals(source: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Of the Gaussians along whole lines: peak SD sqrt(2 pi) exp(-distance^2 / 2 SD^2); in closed form, independent of any grid."""
    along = (pixels - source) / np.linalg.norm(pixels - source, axis=-1, keepdims=True)
    total = np.zeros(pixels.shape[:-1])
    for centre, sd, peak in BLOBS:
        distance2 = (np.cross(np.array(centre) - source, along) ** 2).sum(-1)
        total += peak * sd * np.sqrt(2 * np.pi) * np.exp(-distance2 / (2 * sd**2))
    return total


@lru_cache(maxsize=2)
def field_of_blobs(oblique: bool) -> AttenuationField:
    turn = rotation_from_angles(pitch_deg=14, roll_deg=-9, yaw_deg=25) if oblique else np.eye(3)
    shape, spacing = (145, 145, 145), np.full(3, 3.0)
    grid = Grid(Frame.PLAN, shape, turn @ (-(np.array(shape[::-1]) - 1) / 2 * spacing), spacing, turn)
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return AttenuationField.of(blobs(grid.position_mm(np.stack([i, j, k], -1))).astype(np.float32), grid)


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize("angle_deg", [0.0, 33.0, 90.0, 215.0])
def test_ray_sums_are_the_integrals_in_closed_form(angle_deg, oblique) -> None:
    """Within 0.1 % of the largest, through an aligned and an oblique CT, whose voxels are 3 mm."""
    camera = XrayCamera(
        source_angle_deg=angle_deg,
        sad_mm=1000.0,
        receptor_translation_mm=(0.0, 0.0, -500.0),
        receptor_angle_deg=0.0,
        first_pixel_mm=(-80.0, 60.0),
        spacing_mm=(10.0, 10.0),
        shape=(13, 17),
        orientation=DEFAULT_ORIENTATION,
    )
    view = View.of(camera, RigidMotion.identity(target=Frame.PLAN, source=Frame.FIXED))
    got = RadiographVerbs().radiograph(field_of_blobs(oblique), view)
    source, first, row, column = view.camera_mm
    rows, columns = np.meshgrid(np.arange(13), np.arange(17), indexing="ij")
    expected = line_integrals(source, first + rows[..., None] * row + columns[..., None] * column)
    assert expected.max() > 3
    assert np.abs(got - expected).max() < 1e-3 * expected.max()


def test_a_ct_becomes_a_field_of_its_grid() -> None:
    grid = Grid.aligned(Frame.PLAN, shape_kji=(2, 3, 4), origin_mm=(0, 0, 0), spacing_mm=(1, 1, 1))
    field = AttenuationField.of_ct(Volume(grid, np.zeros(grid.shape_kji, np.int16)), kvp=80)
    assert field.padded.shape == (4, 5, 6)
    np.testing.assert_allclose(field.padded[1:-1, 1:-1, 1:-1], 0.0222, rtol=1e-6)
    assert field.padded.sum() == pytest.approx(24 * 0.0222, rel=1e-5)
