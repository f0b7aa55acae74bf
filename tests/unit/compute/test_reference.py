"""The reference on cases whose answer is known without it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import reference
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame


def ramp(shape: tuple[int, int, int] = (6, 7, 8)) -> Volume:
    """HU = 3 x - 5 y + 7 z + 11 at whole millimetres."""
    k, j, i = np.indices(shape)
    grid = Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=(-2, 4, 1), spacing_mm=(1, 2, 3))
    return Volume(grid, (3 * (i - 2) - 5 * (2 * j + 4) + 7 * (3 * k + 1) + 11).astype(np.int16))


@given(st.tuples(st.floats(0, 7), st.floats(0, 6), st.floats(0, 5)))
def test_a_linear_field_is_interpolated_exactly(index) -> None:
    x, y, z = ramp().grid.position_mm(index)
    value = reference.interpolate(ramp(), np.array([[x, y, z]]))[0]
    assert value == pytest.approx(3 * x - 5 * y + 7 * z + 11, abs=1e-3)


@pytest.mark.parametrize("point", [(-2.1, 5, 2), (5.1, 5, 2), (0, 3.9, 2), (0, 16.1, 2), (0, 5, 0.9), (0, 5, 16.1), (np.nan, 5, 2)])
def test_outside_is_not_a_number(point) -> None:
    assert np.isnan(reference.interpolate(ramp(), np.array([point])))[0]


def test_corners_are_inside() -> None:
    grid = ramp().grid
    corners = grid.position_mm(np.array([[0, 0, 0], [7, 6, 5]]))
    assert reference.interpolate(ramp(), corners).tolist() == [ramp().hu[0, 0, 0], ramp().hu[-1, -1, -1]]


def test_shrink_leaves_a_remainder_out() -> None:
    hu = np.arange(2 * 3 * 5, dtype=np.int16).reshape(2, 3, 5)
    assert reference.shrink(hu, (2, 3, 2)).tolist() == [[[13, 15]]]  # 12.5 and 14.5, halves upward


@given(st.tuples(*[st.integers(1, 7)] * 3), st.tuples(*[st.integers(0, 4)] * 3))
def test_box_sums_of_ones_count_the_window(shape, half) -> None:
    counts = reference.box_sums(np.ones(shape), half)
    for index in np.ndindex(shape):
        window = [min(i + h, n - 1) - max(i - h, 0) + 1 for i, h, n in zip(index, half, shape, strict=True)]
        assert counts[index] == np.prod(window)


def test_scores_do_not_change_with_gain_and_offset() -> None:
    hu = (np.random.default_rng(1).normal(0, 200, (9, 10, 11))).astype(np.int16)
    valid = np.ones(hu.shape, bool)
    plain = reference.normalise(hu, valid, (2, 2, 2), least=1, floor_hu=1)
    other = reference.normalise((hu * 0.6 + 200).astype(np.int16), valid, (2, 2, 2), least=1, floor_hu=1)
    assert np.abs(plain.astype(int) - other).max() < 0.03 * 2048


def test_invalid_voxels_do_not_count() -> None:
    hu = np.zeros((3, 3, 3), np.int16)
    hu[0] = 3000
    valid = np.ones(hu.shape, bool)
    valid[0] = False
    scores = reference.normalise(hu, valid, (1, 1, 1), least=1, floor_hu=60)
    assert (scores[0] == reference.NO_SCORE).all()
    assert (scores[1:] == 0).all()


def test_an_image_correlates_with_itself_and_against_its_negative() -> None:
    hu = (np.random.default_rng(1).normal(0, 50, (9, 10, 11))).astype(np.int16) * 4
    valid = np.ones(hu.shape, bool)
    for sign in (1, -1):
        value, weight = reference.correlate(hu, (sign * hu).astype(np.int16), valid, (2, 2, 2), floor_hu=60)
        np.testing.assert_allclose(value, sign, atol=1e-3)
        assert (weight > 0.7).all()


def test_the_draw_follows_the_slope() -> None:
    scores = np.zeros((40, 40, 40), np.int16)
    scores[:, :, 20:] = 4000
    chosen = reference.draw(scores, np.ones(3, np.float32), (16, 16, 16), wanted=1500, seed=4)
    assert set(chosen[:, 2].tolist()) == {19, 20}
    assert abs(len(chosen) - 1500) < 5 * np.sqrt(1500)


def test_the_draw_goes_block_by_block() -> None:
    scores = np.random.default_rng(2).normal(0, 2000, (20, 20, 20)).astype(np.int16)
    chosen = reference.draw(scores, np.ones(3, np.float32), (8, 8, 8), wanted=500, seed=4) // 8
    order = chosen @ [10000, 100, 1]
    assert (np.diff(order) >= 0).all()
