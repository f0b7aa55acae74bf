"""Voxel averaging: the coarse grid lies where the blocks lie."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.registration.levels import LEVELS, half_window, nearest_index, shrink_factors, shrunk_grid
from tests.registration_cases import axis_angle

shapes = st.tuples(*[st.integers(1, 40)] * 3)
spacings = st.tuples(*[st.floats(0.3, 6.0)] * 3)


def grid(shape, spacing) -> Grid:
    return Grid(Frame.DAILY, shape, np.array([4.0, -9, 70]), np.array(spacing), axis_angle((1, 2, 3), 33))


@given(shapes, spacings, st.sampled_from(LEVELS))
def test_a_shrunk_voxel_is_the_centre_of_its_block(shape, spacing, level) -> None:
    fine = grid(shape, spacing)
    factors = shrink_factors(fine, level.spacing_mm)
    coarse = shrunk_grid(fine, factors)
    fk, fj, fi = factors
    assert all(1 <= f <= n for f, n in zip(factors, shape, strict=True))
    last = np.array(coarse.shape_kji[::-1]) - 1
    block = np.array([fi, fj, fk])
    expected = (fine.position_mm(last * block) + fine.position_mm(last * block + block - 1)) / 2
    np.testing.assert_allclose(coarse.position_mm(last), expected, atol=1e-9)


@given(spacings, st.sampled_from(LEVELS))
def test_windows_are_about_as_wide_as_asked_and_small_enough_for_exact_sums(spacing, level) -> None:
    fine = grid((400, 400, 400), spacing)
    coarse = shrunk_grid(fine, shrink_factors(fine, level.spacing_mm))
    half = half_window(coarse, level.window_mm)
    widths = [(2 * h + 1) * step for h, step in zip(half, coarse.spacing_mm[::-1], strict=True)]
    for width, step in zip(widths, coarse.spacing_mm[::-1], strict=True):
        assert abs(width - level.window_mm) <= max(step, 3 * step - level.window_mm) + 1e-9
    assert np.prod([2 * h + 1 for h in half]) <= 7000


def test_levels_go_from_coarse_to_fine() -> None:
    for first, second in itertools.pairwise(LEVELS):
        assert first.window_mm > second.window_mm
        assert first.spacing_mm > second.spacing_mm
        assert first.tolerance_mm > second.tolerance_mm


def test_nearest_index_finds_the_voxel_around() -> None:
    fine = grid((7, 8, 9), (1, 1, 1))
    coarse = shrunk_grid(fine, (3, 2, 4))
    k, j, i = nearest_index(fine, coarse)
    assert k.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert j.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert i.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
