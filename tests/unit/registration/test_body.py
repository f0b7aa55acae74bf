"""The patient without the couch."""

import numpy as np
import pytest

from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.registration.body import body, fill_holes, grow, largest
from tests.registration_cases import grid_about, image

GRID = grid_about((0, 0, 0), spacing_mm=(4.0, 4.0, 4.0))
ALL = np.ones(GRID.shape_kji, bool)


def truth() -> np.ndarray:
    k, j, i = np.indices(GRID.shape_kji)
    x, y, z = np.moveaxis(GRID.position_mm(np.stack([i, j, k], -1)), -1, 0)
    return (x / 110) ** 2 + (y / 80) ** 2 + (z / 300) ** 2 <= 1


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.7, 150.0), (1.0, 1000.0)])
def test_the_body_is_found_whatever_the_scale_and_lungs_are_in_it(gain, offset) -> None:
    found = body(image(GRID, gain=gain, offset=offset).hu, ALL, GRID)
    assert overlap(found, truth()) > 0.97


def test_a_couch_top_that_touches_the_back_is_cut_off() -> None:
    hu = np.array(image(GRID).hu)
    j = int(np.ceil(GRID.index_ijk((0, 81, 0))[1]))
    hu[:, j] = np.maximum(hu[:, j], 300)
    found = body(hu, ALL, GRID)
    assert overlap(found, truth()) > 0.95
    assert found[:, j + 1 :].sum() == 0
    assert found[:, j, :10].sum() == 0


def test_slices_are_filled_across_the_long_axis_of_the_patient() -> None:
    """Sagittal slices: i runs to the feet, and lungs are enclosed only in the planes across it."""
    direction = np.column_stack([(0, 0, 1.0), (1.0, 0, 0), (0, 1.0, 0)])
    grid = Grid(Frame.DAILY, (40, 60, 40), np.array([-118.0, -78, -78]), np.array([4.0, 4, 4]), direction)
    k, j, i = np.indices(grid.shape_kji)
    x, y, _ = np.moveaxis(grid.position_mm(np.stack([i, j, k], -1)), -1, 0)
    tube = (x / 100) ** 2 + (y / 70) ** 2 <= 1
    lumen = ((x + 30) / 30) ** 2 + (y / 30) ** 2 <= 1
    found = body(np.where(tube & ~lumen, 0, -1000).astype(np.int16), np.ones(grid.shape_kji, bool), grid)
    assert overlap(found, tube) > 0.97


@pytest.mark.parametrize(
    "hu", [np.zeros(GRID.shape_kji), np.random.default_rng(1).normal(0, 30, GRID.shape_kji)], ids=["constant", "all tissue"]
)
def test_an_image_without_air_is_all_body(hu) -> None:
    np.testing.assert_array_equal(body(hu.astype(np.int16), ALL, GRID), ALL)


def test_an_image_without_a_valid_voxel_has_no_body() -> None:
    assert not body(image(GRID).hu, ~ALL, GRID).any()


def test_parts() -> None:
    mask = np.zeros((5, 6, 7), bool)
    mask[0, 0, 0] = mask[2:4, 2:4, 2:4] = True
    assert largest(mask).sum() == 8
    assert not largest(np.zeros_like(mask)).any()
    ring = np.zeros((5, 5), bool)
    ring[1:4, 1:4] = True
    ring[2, 2] = False
    assert fill_holes(ring).sum() == 9
    point = np.zeros(GRID.shape_kji, bool)
    point[20, 30, 30] = True
    assert grow(point, GRID, 4.1).sum() == 27
    assert grow(np.ones((1, 1, 5), bool), GRID, 4.1).all()


@pytest.mark.parametrize("gas", [0, 300])
def test_a_field_that_the_body_fills_is_all_body_whatever_bone_lies_in_it(gas) -> None:
    hu = np.random.default_rng(2).normal(20, 30, GRID.shape_kji)
    hu[:, 20:40, 20:35] = 900  # more than the 2 % that the threshold does not see
    hu.ravel()[:gas] = -950
    np.testing.assert_array_equal(body(hu.astype(np.int16), ALL, GRID), ALL)
