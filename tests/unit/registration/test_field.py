"""The field of view: a reconstruction cylinder is found whichever way the slices run, and nothing is taken for one that is not."""

import numpy as np
import pytest

from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.registration.field import EDGE_MM, FieldFinder

SHAPE = (20, 60, 50)
SPACING = (1.5, 1.2, 2.0)


def grid(shape=SHAPE, spacing=SPACING) -> Grid:
    return Grid.aligned(Frame.DAILY, shape_kji=shape, origin_mm=(0, 0, 0), spacing_mm=spacing)


def cylinder(radius_mm: float, centre=(24.5, 29.5)) -> np.ndarray:
    """Noise inside a cylinder along k, padding outside."""
    _, j, i = np.indices(SHAPE)
    inside = np.hypot((i - centre[0]) * SPACING[0], (j - centre[1]) * SPACING[1]) <= radius_mm
    noise = np.random.default_rng(1).normal(-800, 20, SHAPE)
    return np.where(inside, noise, -1000).astype(np.int16)


def find(hu: np.ndarray, where: Grid, slab: int = 7):
    finder = FieldFinder(where)
    for k in range(0, len(hu), slab):
        finder.add(k, hu[k : k + slab])
    return finder.finish(int(hu[0, 0, 0]))


def test_a_cylinder_is_found_and_its_rim_left_out() -> None:
    field = find(cylinder(36.0), grid())
    assert field.axis == 0
    assert field.radius_mm == pytest.approx(36, abs=1)
    assert field.centre == pytest.approx((29.5, 24.5), abs=0.5)
    mask = field.on(grid(), (1, 1, 1))
    assert (cylinder(36.0)[mask] != -1000).all()
    assert mask[0].sum() * 1.5 * 1.2 == pytest.approx(np.pi * (36 - EDGE_MM) ** 2, rel=0.05)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_slices_may_run_any_way(order) -> None:
    hu = np.ascontiguousarray(cylinder(36.0).transpose(order))
    steps = tuple(SPACING[::-1][axis] for axis in order)[::-1]
    field = find(hu, grid(hu.shape, steps))
    assert field.axis == order.index(0)
    assert field.radius_mm == pytest.approx(36, abs=1)
    expected = find(cylinder(36.0), grid()).on(grid(), (1, 1, 1)).transpose(order)
    np.testing.assert_array_equal(field.on(grid(hu.shape, steps), (1, 1, 1)), expected)


def test_a_shrunk_voxel_lies_wholly_inside() -> None:
    field = find(cylinder(36.0), grid())
    coarse = Grid.aligned(Frame.DAILY, shape_kji=(10, 20, 12), origin_mm=(0, 0, 0), spacing_mm=(6.0, 3.6, 4.0))
    mask = field.on(coarse, (2, 3, 4))
    fine = field.on(grid(), (1, 1, 1))
    for k, j, i in np.argwhere(mask):
        assert fine[2 * k : 2 * k + 2, 3 * j : 3 * j + 3, 4 * i : 4 * i + 4].all()


def test_blank_slices_at_the_ends_are_left_out() -> None:
    hu = cylinder(36.0)
    hu[:3], hu[-2:] = -1000, -1000
    field = find(hu, grid())
    assert (field.first_kji[0], field.last_kji[0]) == (3, 17)
    mask = field.on(grid(), (1, 1, 1))
    assert not mask[:3].any()
    assert not mask[-2:].any()
    assert mask[3].any()


@pytest.mark.parametrize("make", ["everything", "a body in constant air", "constant"])
def test_what_is_no_field_of_view(make) -> None:
    hu = np.random.default_rng(1).integers(-1000, 1000, SHAPE).astype(np.int16)
    if make == "a body in constant air":
        _, j, i = np.indices(SHAPE)
        hu = np.where(np.hypot((i - 25) / 21, (j - 30) / 15) <= 1, hu, -1000).astype(np.int16)
    if make == "constant":
        hu[:] = 7
    field = find(hu, grid())
    assert field.radius_mm is None
    assert field.on(grid(), (1, 1, 1)).any()


def test_slabs_in_any_order_give_the_same() -> None:
    hu = cylinder(36.0)
    backwards = FieldFinder(grid())
    for k in range(19, -1, -1):
        backwards.add(k, hu[k : k + 1])
    assert backwards.finish(int(hu[0, 0, 0])) == find(hu, grid())


def test_a_body_that_nearly_fills_the_image_is_no_field_of_view() -> None:
    """Seen along j it fills a rectangle whose corners lie on a circle wider than the image is deep."""
    shape = (20, 60, 70)
    _, j, i = np.indices(shape)
    hu = np.random.default_rng(1).integers(-800, 1000, shape).astype(np.int16)
    field = find(np.where(np.hypot((i - 35) / 30, (j - 30) / 15) <= 1, hu, -1000).astype(np.int16), grid(shape))
    assert field.radius_mm is None
