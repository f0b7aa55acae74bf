import numpy as np
import pytest

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.reports.planes import planes_through, resample

PLAN = Grid.aligned(Frame.PLAN, shape_kji=(30, 60, 80), origin_mm=[-80, -60, -45], spacing_mm=[2, 2, 3])
DAILY = Grid.aligned(Frame.DAILY, shape_kji=(20, 40, 40), origin_mm=[-40, -40, -20], spacing_mm=[2, 2, 2])
POSE = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
CENTRE = np.array([3.0, -5.0, 4.0])


@pytest.fixture
def planes():
    return planes_through(CENTRE, plan=PLAN, daily=DAILY, poses=[POSE])


def test_each_plane_holds_the_centre(planes):
    for plane in planes:
        column, row = plane.pixel_of(CENTRE)
        back = plane.corner_mm + column * plane.across + row * plane.down
        assert np.abs(back - CENTRE).max() < 1e-9


@pytest.mark.parametrize(
    ("name", "letter", "toward"),
    [
        ("Transverse", 1, (1, 0, 0)),
        ("Transverse", 3, (0, 1, 0)),
        ("Coronal", 2, (0, 0, 1)),
        ("Sagittal", 1, (0, 1, 0)),
        ("Sagittal", 2, (0, 0, 1)),
    ],
)
def test_letters_are_where_the_anatomy_is(planes, name, letter, toward):
    """LPS: +x is the patient's left, +y posterior, +z superior; each must come nearer to the edge that carries its letter."""
    plane = next(p for p in planes if p.name == name)
    assert plane.letters[letter] == {(1, 0, 0): "L", (0, 1, 0): "P", (0, 0, 1): "S"}[toward]
    before, after = (np.array(plane.pixel_of(CENTRE + step * np.array(toward))) for step in (0, 10))
    axis = 0 if letter < 2 else 1
    assert np.sign((after - before)[axis]) == (-1 if letter in (0, 2) else 1)


def test_resampled_values_are_those_of_the_anatomy(planes):
    k, j, i = np.indices(PLAN.shape_kji)
    position = PLAN.position_mm(np.stack([i, j, k], -1))
    volume = Volume(PLAN, np.ascontiguousarray(position @ [1.0, 2.0, 4.0], np.int16))
    for plane in planes:
        picture = resample(volume, plane.points_mm, plane.shape, shown=np.ones(PLAN.shape_kji, bool))
        row, column = plane.shape[0] // 2, plane.shape[1] // 3
        point = plane.corner_mm + column * plane.across + row * plane.down
        assert abs(float(picture[row, column]) - float(point @ [1.0, 2.0, 4.0])) < 1.0


def test_the_mask_grid_is_the_picture(planes):
    """A half-space drawn on the grid of a plane must cover the same pixels as drawn on the picture."""
    for plane in planes:
        grid = plane.grid()
        k, j, i = np.indices(grid.shape_kji)
        on_grid = grid.position_mm(np.stack([i, j, k], -1)) @ [1.0, 1.5, 2.5] > 3.0
        on_picture = (plane.points_mm @ [1.0, 1.5, 2.5] > 3.0).reshape(plane.shape)
        assert np.array_equal(plane.as_picture(on_grid), on_picture)


def test_images_that_do_not_meet_show_the_whole_plan():
    away = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array([0, 0, 900.0]))
    plane = planes_through(CENTRE, plan=PLAN, daily=DAILY, poses=[away])[0]
    assert plane.shape[1] * plane.pixel_mm > 150


def test_what_the_image_does_not_show_is_not_air(planes):
    volume = Volume(PLAN, np.zeros(PLAN.shape_kji, np.int16))
    _, j, i = np.indices(PLAN.shape_kji)
    shown = np.hypot(i - 40, j - 30) < 20
    for plane in planes:
        picture = resample(volume, plane.points_mm, plane.shape, shown=shown)
        inside = np.linalg.norm(plane.points_mm[:, :2] - PLAN.position_mm([40, 30, 0])[:2], axis=1).reshape(plane.shape)
        assert (np.isfinite(picture) == (inside < 40))[np.abs(inside - 40) > 2].all()
