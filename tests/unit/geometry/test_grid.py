import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

angles = st.floats(-180, 180)
lengths = st.floats(-300, 300)
steps = st.floats(0.2, 5)


@st.composite
def grids(draw):
    shape = tuple(draw(st.integers(1, 40)) for _ in range(3))
    direction = rotation_from_angles(pitch_deg=draw(angles), roll_deg=draw(angles), yaw_deg=draw(angles))
    return Grid(Frame.PLAN, shape, [draw(lengths) for _ in range(3)], [draw(steps) for _ in range(3)], direction)


@given(grids(), st.tuples(*[st.floats(-50, 50)] * 3))
def test_index_and_position_are_inverse(grid, index):
    assert np.abs(grid.index_ijk(grid.position_mm(index)) - index).max() < 1e-9


@given(grids())
def test_corners_and_centre(grid):
    last = np.array(grid.shape_kji[::-1]) - 1
    np.testing.assert_allclose(grid.position_mm([0, 0, 0]), grid.origin_mm, atol=1e-12, equal_nan=False)
    expected = grid.origin_mm + grid.direction @ (grid.spacing_mm * last)
    np.testing.assert_allclose(grid.position_mm(last), expected, atol=1e-9, equal_nan=False)
    np.testing.assert_allclose(grid.centre_mm, (grid.origin_mm + expected) / 2, atol=1e-9, equal_nan=False)


def test_i_runs_fastest_and_along_the_first_spacing():
    grid = Grid.aligned(Frame.PLAN, shape_kji=(2, 3, 4), origin_mm=[10, 20, 30], spacing_mm=[1, 2, 5])
    np.testing.assert_array_equal(grid.position_mm([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), [[11, 20, 30], [10, 22, 30], [10, 20, 35]])
    np.testing.assert_array_equal(grid.size_ijk, [4, 3, 2])


def test_contains_the_outer_centres_and_nothing_that_is_not_a_number():
    grid = Grid.aligned(Frame.PLAN, shape_kji=(2, 3, 4), origin_mm=[0, 0, 0], spacing_mm=[1, 2, 5])
    points = [[0, 0, 0], [3, 4, 5], [3.1, 0, 0], [0, -0.1, 0], [math.nan, 0, 0]]
    np.testing.assert_array_equal(grid.contains(points), [True, True, False, False, False])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape_kji": (0, 3, 4)}, "at least 1"),
        ({"shape_kji": (3, 4)}, "three counts"),
        ({"spacing_mm": [1, 0, 1]}, "positive"),
        ({"spacing_mm": [1, math.nan, 1]}, "finite"),
        ({"origin_mm": [0, 0]}, "shape"),
        ({"direction": np.diag([1, 1, -1])}, "right-handed"),
        ({"direction": np.eye(3) * 1.01}, "orthonormal"),
    ],
)
def test_what_is_no_grid_is_refused(change, said):
    fields = {"shape_kji": (2, 3, 4), "origin_mm": [0, 0, 0], "spacing_mm": [1, 1, 1], "direction": np.eye(3)} | change
    with pytest.raises(ValueError, match=said):
        Grid(Frame.PLAN, **fields)
