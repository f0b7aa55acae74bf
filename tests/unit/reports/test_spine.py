"""The place that a picture of the spine goes through."""

import dataclasses

import numpy as np
import pytest

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.reports.spine import column_mm
from tests.answer_cases import make_plan

ISOCENTRE_MM = np.array([30.0, -40.0, 10.0])


def plan_with(hu_of, direction=None):
    grid = Grid(Frame.PLAN, (40, 60, 80), np.array([-120.0, -90.0, -80.0]), np.array([3.0, 3.0, 4.0]), np.eye(3))
    if direction is not None:  # the same places from the far corner on
        far = grid.position_mm(np.array([79.0, 59.0, 0.0]))
        grid = Grid(Frame.PLAN, (40, 60, 80), far, np.array([3.0, 3.0, 4.0]), direction)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij"), -1)[..., ::-1]
    x, y, z = np.moveaxis(grid.position_mm(index), -1, 0)
    body = np.where((x / 110) ** 2 + (y / 80) ** 2 < 1, 40.0, -1000.0)
    hu = np.where(hu_of(x, y, z), 300.0, body)
    return dataclasses.replace(make_plan(isocentre_mm=ISOCENTRE_MM), ct=Volume(grid, np.ascontiguousarray(hu, np.int16)))


def spine(x, y, z):
    """Bodies of 30 mm about (5, 40) with discs between, and arches behind them; contrast in front, a rib beside."""
    bodies = ((x - 5) ** 2 + (y - 40) ** 2 < 15**2) & (np.mod(z, 28) < 22)
    arches = (np.abs(x - 5) < 14) & (np.abs(y - 60) < 6) & (np.mod(z, 28) < 20)
    blood = (x - 5) ** 2 + (y - 10) ** 2 < 12**2
    ribs = (np.abs(x - 70) < 8) & (np.abs(y - 30) < 20) & (np.mod(z, 25) < 8)
    return bodies | arches | blood | ribs


@pytest.mark.parametrize("direction", [None, np.diag([-1.0, -1.0, 1.0])], ids=["along", "from the far corner"])
def test_it_lies_in_the_vertebral_bodies_at_the_isocentres_height(direction):
    x, y, z = column_mm(plan_with(spine, direction))
    assert abs(x - 5) < 15
    assert abs(y - 40) < 15
    assert z == pytest.approx(ISOCENTRE_MM[2])


def test_without_bone_it_is_the_isocentre():
    np.testing.assert_array_equal(column_mm(plan_with(lambda x, *_: x > 1e9)), ISOCENTRE_MM)
