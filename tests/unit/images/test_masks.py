import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly

from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.images.masks import centroid_mm, even_odd, mask
from igrt.images.records import Structure, StructureKind
from tests.unit.images.conftest import a_grid, box

GRID = a_grid(shape=(9, 40, 48))
POINT = st.tuples(st.floats(-6, 26), st.floats(-6, 22))


def structure(*contours_mm: np.ndarray, name: str = "CTV") -> Structure:
    return Structure(name, StructureKind.OTHER, contours_mm)


def drawn(*polygons: list, k: float = 4) -> Structure:
    """A structure of polygons (i, j) in index coordinates on plane k."""
    return structure(*[GRID.position_mm([(i, j, k) for i, j in p]) for p in polygons])


def square(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (high, low), (high, high), (low, high)]


@given(polygon=st.lists(POINT, min_size=3, max_size=9))
@settings(max_examples=150)
def test_even_odd_agrees_with_another_implementation(polygon: list):
    """Off the edges, where the two put centres on a contour as they please."""
    vertices = np.array(polygon) + np.array([0.1234567, 0.7654321])
    j, i = np.indices((16, 20))
    centres = np.stack([i.ravel(), j.ravel()], -1)
    ends = np.roll(vertices, -1, axis=0) - vertices
    length = np.maximum(np.linalg.norm(ends, axis=1), 1e-9)
    t = np.clip(np.einsum("pek,ek->pe", centres[:, None] - vertices, ends) / length**2, 0, 1)
    distance = np.linalg.norm(centres[:, None] - vertices - t[..., None] * ends, axis=-1).min(axis=1)
    clear = distance > 1e-6
    expected = points_in_poly(centres, vertices)
    np.testing.assert_array_equal(even_odd([vertices], (16, 20)).ravel()[clear], expected[clear])


@given(polygon=st.lists(POINT, min_size=3, max_size=9), turn=st.integers(0, 8))
@settings(max_examples=50)
def test_neither_direction_nor_first_vertex_matters(polygon: list, turn: int):
    vertices = np.array(polygon)
    whole = even_odd([vertices], (16, 20))
    np.testing.assert_array_equal(even_odd([vertices[::-1]], (16, 20)), whole)
    np.testing.assert_array_equal(even_odd([np.roll(vertices, turn, axis=0)], (16, 20)), whole)


def test_neighbours_share_no_voxel_and_leave_none_out():
    """Two halves of a square, cut through voxel centres."""
    left = even_odd([np.array([(2, 2), (6, 2), (6, 10), (2, 10)], float)], (16, 20))
    right = even_odd([np.array([(6, 2), (11, 2), (11, 10), (6, 10)], float)], (16, 20))
    whole = even_odd([np.array([(2, 2), (11, 2), (11, 10), (2, 10)], float)], (16, 20))
    assert not (left & right).any()
    np.testing.assert_array_equal(left | right, whole)
    assert whole.sum() == 9 * 8


def test_a_circle_holds_the_centres_within_its_radius():
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    inside = mask(drawn(list(zip(20.3 + 9.1 * np.cos(angle), 17.8 + 9.1 * np.sin(angle), strict=True))), GRID)
    j, i = np.indices(inside.shape[1:])
    radius = np.hypot(i - 20.3, j - 17.8)
    clear = np.abs(radius - 9.1) > 1e-3  # the chord's height
    np.testing.assert_array_equal(inside[4][clear], (radius < 9.1)[clear])
    assert not inside[[0, 1, 2, 3, 5, 6, 7, 8]].any()


def test_an_inner_contour_is_a_hole_and_one_in_it_an_island():
    inside = mask(drawn(square(2, 30), square(6, 26), square(10, 20)), GRID)[4]
    assert inside[4, 4]
    assert not inside[8, 8]
    assert inside[15, 15]
    assert inside.sum() == 28**2 - 20**2 + 10**2


def test_two_contours_side_by_side_are_both_inside():
    assert mask(drawn(square(2, 5), square(10, 14)), GRID).sum() == 3**2 + 4**2


def test_a_keyhole_is_a_hole():
    outer, inner = square(2, 30), square(8, 20)[::-1]
    keyhole = [*outer, outer[0], inner[-1], *inner, outer[0]]
    np.testing.assert_array_equal(mask(drawn(keyhole), GRID), mask(drawn(outer, inner), GRID))


def test_contours_between_slices_go_to_the_nearest():
    for k, expected in ((3.6, 4), (4.4, 4), (4.6, 5), (-0.4, 0), (8.45, 8)):
        assert np.flatnonzero(mask(drawn(square(2, 9), k=k), GRID).any(axis=(1, 2))).tolist() == [expected]


def test_contours_denser_than_slices_do_not_cancel():
    planes = [GRID.position_mm([(i, j, k) for i, j in square(2, 9)]) for k in (3.0, 3.4, 3.8, 4.2, 4.6, 5.0)]
    inside = mask(structure(*planes), GRID)
    assert inside.sum(axis=(1, 2)).tolist() == [0, 0, 0, 49, 49, 49, 0, 0, 0]


def test_half_way_between_slices_no_slice_is_lost_or_won():
    planes = [GRID.position_mm([(i, j, k) for i, j in square(2, 9)]) for k in (2.5, 3.5, 4.5)]
    assert mask(structure(*planes), GRID).any(axis=(1, 2)).sum() == 3


def test_contours_on_every_second_slice_are_joined_and_gaps_stay():
    planes = [GRID.position_mm([(i, j, k) for i, j in square(2, 9)]) for k in (0, 2, 4, 8)]
    assert mask(structure(*planes), GRID).any(axis=(1, 2)).tolist() == [True] * 5 + [False] * 3 + [True]


def test_on_every_slice_a_missing_one_stays_a_gap():
    planes = [GRID.position_mm([(i, j, k) for i, j in square(2, 9)]) for k in (1, 2, 3, 5, 6)]
    assert mask(structure(*planes), GRID).any(axis=(1, 2)).tolist() == [False, True, True, True, False, True, True, False, False]


def test_contours_of_fewer_than_three_vertices_hold_nothing():
    whole = drawn(square(2, 9))
    with_line = structure(*whole.contours_mm, GRID.position_mm([(1, 1, 7), (5, 5, 7)]))
    np.testing.assert_array_equal(mask(with_line, GRID), mask(whole, GRID))


def test_what_lies_outside_the_grid_is_left_out():
    inside = mask(drawn([(-20, -20), (5, -20), (5, 100), (-20, 100)]), GRID)[4]
    assert inside[:, :5].all()
    assert not inside[:, 5:].any()


def test_an_oblique_grid_rasterises_as_a_straight_one():
    c, s = np.cos(0.5), np.sin(0.5)
    turned = Grid(Frame.PLAN, GRID.shape_kji, GRID.origin_mm, GRID.spacing_mm, np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]))
    corners = ((5, 4, 2), (12.5, 9.5, 6))
    np.testing.assert_array_equal(mask(structure(*box(turned, *corners)), turned), mask(structure(*box(GRID, *corners)), GRID))


def test_the_centroid_of_a_box_is_its_middle():
    found = centroid_mm(structure(*box(GRID, (4.5, 3.5, 2), (12.5, 9.5, 6))), GRID)
    np.testing.assert_allclose(found, GRID.position_mm((8.5, 6.5, 4)), atol=1e-9)


def test_the_volume_of_a_ball_is_that_of_the_formula():
    grid = Grid.aligned(Frame.PLAN, shape_kji=(60, 60, 60), origin_mm=[-29.5] * 3, spacing_mm=[1, 1, 1])
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    rings = [
        np.column_stack([r * np.cos(angle) + 0.3, r * np.sin(angle) - 0.2, np.full(360, z)])
        for z in np.arange(-24.5, 25)
        if (r := np.sqrt(max(0.0, 25**2 - z**2))) > 0
    ]
    ball = structure(*rings)
    assert mask(ball, grid).sum() == pytest.approx(4 / 3 * np.pi * 25**3, rel=2e-3)
    np.testing.assert_allclose(centroid_mm(ball, grid), [0.3, -0.2, 0], atol=0.02)


@pytest.mark.parametrize("polygon", [square(100, 110), square(2.2, 2.4)])
def test_an_empty_mask(polygon: list):
    with pytest.raises(InputError, match=r"structure 'CTV' is empty on the CT: no voxel centre lies inside its contours; check what"):
        mask(drawn(polygon), GRID)


def test_contours_across_the_slices():
    sagittal = GRID.position_mm([(5, 2, 1), (5, 9, 1), (5, 9, 6), (5, 2, 6)])
    with pytest.raises(InputError, match=r"structure 'CTV' has a contour across the slices of the CT; export contours drawn on its slices"):
        mask(structure(sagittal), GRID)
