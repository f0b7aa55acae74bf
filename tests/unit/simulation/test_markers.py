"""Simulated markers: as much metal in a volume and in a projection as there is in a cylinder."""

import numpy as np
import pytest

from igrt.compute.radiographs import View
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.markers import SOFT_TISSUE_HU, Seed, cast, implant
from tests.marker_cases import camera

HERE = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)


def seed(axis=(1.0, 2.0, 0.5), centre=(1.3, -0.7, 2.1), hu=20_000.0) -> Seed:
    return Seed(np.array(centre), np.array(axis), 2.0, 6.0, hu)


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 0, 1.0), (1.0, 2.0, 0.5)])
def test_a_volume_holds_as_much_metal_as_the_cylinder(axis) -> None:
    grid = Grid.aligned(Frame.PLAN, shape_kji=(30, 30, 30), origin_mm=(-14.5, -14.5, -14.5), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.zeros(grid.shape_kji, np.float32)
    implant(hu, grid, [seed(axis)])
    assert hu.sum() / 20_000 == pytest.approx(np.pi * 6, rel=0.02)
    index = np.argwhere(hu > 0)
    centroid = (index * hu[hu > 0][:, None]).sum(axis=0)[::-1] / hu.sum()
    np.testing.assert_allclose(grid.position_mm(centroid), seed().centre_mm, atol=1 / 14)


def test_a_seed_outside_changes_nothing() -> None:
    grid = Grid.aligned(Frame.PLAN, shape_kji=(5, 5, 5), origin_mm=(0, 0, 0), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.zeros(grid.shape_kji, np.float32)
    implant(hu, grid, [seed(centre=(100.0, 0, 0))])
    assert not hu.any()


@pytest.mark.parametrize(
    ("direction", "offset", "length"), [((1.0, 0, 0), (0, 0, 0), 2.0), ((0, 0, 1.0), (0, 0.5, 0), 6.0), ((1.0, 0, 0), (0, 1.1, 0), 0.0)]
)
def test_chords_of_a_cylinder(direction, offset, length) -> None:
    upright = seed(axis=(0, 0, 1.0), centre=(0.0, 0.0, 0.0))
    start = np.array(offset, float) - 50 * np.array(direction)
    assert float(upright.chord_mm(start, np.array(direction))) == pytest.approx(length, abs=1e-9)
    along = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
    assert float(upright.chord_mm(-50 * along, along)) == pytest.approx(2 * np.sqrt(2), abs=1e-9)


@pytest.mark.parametrize("angle", [0.0, 90.0, 33.0])
def test_a_shadow_lies_where_the_camera_says_and_is_as_dark_as_the_metal(angle) -> None:
    one, thin = camera(angle), seed(hu=SOFT_TISSUE_HU + 100.0)  # so little that a pixel's mean is linear
    image = np.zeros(one.shape, np.float32)
    cast(image[None], View.of(one, HERE).cameras, [thin], water_per_mm=0.02)
    index = np.argwhere(image > 0)
    centroid = (index * image[image > 0][:, None]).sum(axis=0)[::-1] / image.sum()
    np.testing.assert_allclose(centroid, one.pixel_of(thin.centre_mm), atol=0.05)
    depth = one.sad_mm - float(one.view_axis_fixed @ thin.centre_mm)
    at_seed = (one.spacing_mm[0] * depth / one.distance_mm) ** 2
    assert float(image.sum()) * at_seed / (0.02 * 0.1) == pytest.approx(np.pi * 6, rel=0.03)
