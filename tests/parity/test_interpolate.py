"""Trilinear interpolation: every device gives what the reference gives."""

import numpy as np
import pytest

from igrt.compute import reference
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

TOLERANCE_HU = 2e-4  # one float32 step at 2000 HU, from the rounding of the result


def oblique(shape: tuple[int, int, int]) -> Volume:
    rng = np.random.default_rng(5)
    direction, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    direction[:, 0] *= np.sign(np.linalg.det(direction))
    grid = Grid(Frame.DAILY, shape, np.array([-20.0, 4, 9]), np.array([0.9, 1.1, 2.5]), direction)
    return Volume(grid, rng.integers(-1024, 3000, shape).astype(np.int16))


@pytest.mark.parametrize("shape", [(7, 11, 9), (1, 6, 5), (2, 1, 3), (4, 4, 1)])
def test_interpolate(verbs, shape) -> None:
    volume = oblique(shape)
    index = np.random.default_rng(6).uniform(-1, np.array(shape[::-1]), (20000, 3))
    index[::3] = np.clip(index[::3], 0, volume.grid.size_ijk - 1)
    points = volume.grid.position_mm(index)
    expected, got = reference.interpolate(volume, points), verbs.interpolate(volume, points)
    assert np.isfinite(expected).sum() > 1000
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert np.nanmax(np.abs(got - expected)) < TOLERANCE_HU


def test_not_a_number_is_outside(verbs) -> None:
    assert np.isnan(verbs.interpolate(oblique((3, 3, 3)), np.full((2, 3), np.nan))).all()
