"""Projection and backprojection: every device gives what the reference gives, and the reference what geometry says."""

import numpy as np
import pytest

from igrt.compute import cpu, projection_reference
from igrt.compute.gpu import GpuVerbs
from igrt.compute.projection import Cameras, CpuProjector
from igrt.geometry.angles import rotation_from_angles, rotation_y
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

RELATIVE_TOLERANCE = 3e-6  # float32 sums of a few hundred samples


@pytest.fixture(scope="module")
def projector(verbs) -> CpuProjector | GpuVerbs:
    return verbs if isinstance(verbs, GpuVerbs) else CpuProjector(verbs.instruction_set)


def orbit(angles_deg, shape, pitch_mm, *, turn=None, shift_mm=0.0, source_mm=600.0, panel_mm=-300.0) -> Cameras:
    turns = np.stack([(np.eye(3) if turn is None else turn) @ rotation_y(a) for a in angles_deg])
    rows, columns = shape
    first = [shift_mm - (rows - 1) / 2 * pitch_mm, -(columns - 1) / 2 * pitch_mm, panel_mm]
    return Cameras(turns @ [0, 0, source_mm], turns @ first, turns @ [pitch_mm, 0, 0], turns @ [0, pitch_mm, 0], shape)


def oblique(shape=(9, 14, 11), spacing_mm=(3.0, 4.0, 5.0), seed=3) -> tuple[np.ndarray, Grid]:
    direction = rotation_from_angles(pitch_deg=20, roll_deg=-35, yaw_deg=50)
    spacing = np.array(spacing_mm)
    grid = Grid(Frame.FIXED, shape, direction @ (-(np.array(shape[::-1]) - 1) / 2 * spacing), spacing, direction)
    return np.random.default_rng(seed).random(shape).astype(np.float32), grid


def assert_close(got, expected) -> None:
    assert np.isfinite(got).all()
    assert np.abs(expected).max() > 0
    assert np.abs(got - expected).max() <= RELATIVE_TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("shape", [(9, 14, 11), (1, 5, 7), (6, 1, 1)])
def test_project(projector, shape) -> None:
    values, grid = oblique(shape)
    cameras = orbit([0, 31, 88, 140, 200, 300], (17, 35), 6.0, shift_mm=10.0)
    assert_close(projector.project(values, grid, cameras), projection_reference.project(values, grid, cameras))


def test_project_from_within_the_volume(projector) -> None:
    values, grid = oblique()
    cameras = orbit([10, 100], (9, 20), 4.0, source_mm=6.0, panel_mm=-9.0)
    assert_close(projector.project(values, grid, cameras), projection_reference.project(values, grid, cameras))


def test_backproject(projector) -> None:
    _, grid = oblique()
    cameras = orbit([0, 45, 120, 260], (13, 21), 2.5, shift_mm=4.0)  # smaller than the volume's shadow
    images = np.random.default_rng(4).random((4, 13, 21)).astype(np.float32)
    assert_close(projector.backproject(images, cameras, grid), projection_reference.backproject(images, cameras, grid))


def test_backproject_more_images_than_a_block_of_threads_takes_at_once(projector) -> None:
    _, grid = oblique((2, 3, 4))
    cameras = orbit(np.linspace(0, 360, 150, endpoint=False), (6, 6), 12.0)
    images = np.random.default_rng(5).random((150, 6, 6)).astype(np.float32)
    assert_close(projector.backproject(images, cameras, grid), projection_reference.backproject(images, cameras, grid))


def test_same_bits_for_any_number_of_threads(cpu_verbs) -> None:
    projector = CpuProjector(cpu_verbs.instruction_set)
    values, grid = oblique()
    cameras = orbit([0, 45, 120], (20, 33), 4.0)
    results = []
    for threads in (1, 3):
        projector.set_threads(threads)
        images = projector.project(values, grid, cameras)
        results.append((images, projector.backproject(images, cameras, grid)))
    projector.set_threads(1)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_same_bits_on_every_instruction_set() -> None:
    values, grid = oblique()
    cameras = orbit([7, 77], (20, 33), 4.0)
    images = [CpuProjector(name).project(values, grid, cameras) for name in cpu.INSTRUCTION_SETS]
    volumes = [CpuProjector(name).backproject(images[0], cameras, grid) for name in cpu.INSTRUCTION_SETS]
    assert all(np.array_equal(images[0], other) for other in images)
    assert all(np.array_equal(volumes[0], other) for other in volumes)


def test_chord_through_a_uniform_box(projector) -> None:
    """The central ray of each view crosses a box of 60 x 40 x 50 mm along its axes: the chord is its side."""
    grid = Grid.aligned(Frame.FIXED, shape_kji=(25, 20, 30), origin_mm=(-29, -19, -24), spacing_mm=(2, 2, 2))
    values = np.ones(grid.shape_kji, np.float32)
    cameras = orbit([0, 90], (3, 3), 1e-3)
    got = projector.project(values, grid, cameras)[:, 1, 1]
    assert np.abs(got - [50.0, 60.0]).max() < 1e-3


@pytest.mark.parametrize("angle_deg", [20.0, 45.0, 70.0])
def test_oblique_chord(projector, angle_deg) -> None:
    """Across a long slab the chord is thickness over the cosine of the angle."""
    grid = Grid.aligned(Frame.FIXED, shape_kji=(16, 5, 401), origin_mm=(-400, -4, -15), spacing_mm=(2, 2, 2))
    values = np.ones(grid.shape_kji, np.float32)
    got = projector.project(values, grid, orbit([angle_deg], (3, 3), 1e-3))[0, 1, 1]
    assert abs(got - 32.0 / np.cos(np.radians(angle_deg))) < 1e-2


def test_turning_everything_changes_nothing(projector) -> None:
    """The same volume on a turned grid, seen by turned cameras."""
    values, grid = oblique()
    turn = rotation_from_angles(pitch_deg=-13, roll_deg=71, yaw_deg=8)
    turned = Grid(grid.frame, grid.shape_kji, turn @ grid.origin_mm, grid.spacing_mm, turn @ grid.direction)
    expected = projector.project(values, grid, orbit([15, 130], (20, 24), 5.0))
    got = projector.project(values, turned, orbit([15, 130], (20, 24), 5.0, turn=turn))
    assert np.abs(got - expected).max() < 1e-4 * expected.max()


def test_backprojection_is_the_weighted_adjoint(projector) -> None:
    """<A x, y> = <x, V D^2 / (pixel area) B(y / cos)>: the change of variables from rays to voxels, for smooth x and y."""
    grid = Grid.aligned(Frame.FIXED, shape_kji=(48, 48, 48), origin_mm=(-47, -47, -47), spacing_mm=(2, 2, 2))
    k, j, i = np.meshgrid(*3 * [np.linspace(-1, 1, 48)], indexing="ij")
    x = np.exp(-8 * ((i - 0.1) ** 2 + (j + 0.1) ** 2 + k**2)).astype(np.float32)
    cameras = orbit([0, 60, 200], (96, 96), 2.0)
    u = (np.arange(96) - 47.5) * 2.0
    y = np.exp(-(((u[:, None] - 8) / 40) ** 2) - ((u + 5) / 50) ** 2)
    cosine = 900.0 / np.sqrt(900.0**2 + u[:, None] ** 2 + u**2)
    forward = (projector.project(x, grid, cameras) * y).sum(dtype=float)
    images = np.ascontiguousarray(np.broadcast_to(y / cosine, (3, 96, 96)), np.float32)
    adjoint = 8.0 * 900.0**2 / 4.0 * (x * projector.backproject(images, cameras, grid)).sum(dtype=float)
    assert forward > 0
    assert abs(adjoint / forward - 1) < 2e-3


def test_pixel_of_a_point_is_where_its_ray_meets_the_panel() -> None:
    _, grid = oblique()
    cameras = orbit([33, 170], (20, 24), 5.0, shift_mm=7.0)
    row, column, depth_share = 6.25, 17.5, 0.6
    pixel = cameras.first_pixel_mm + row * cameras.row_step_mm + column * cameras.column_step_mm
    points = cameras.source_mm + depth_share * (pixel - cameras.source_mm)
    index = np.column_stack([grid.index_ijk(points), np.ones(2)])
    h = np.einsum("vab,vb->va", cameras.pixel_from_index(grid), index)
    np.testing.assert_allclose(h[:, 2], depth_share * np.abs(cameras.distance_mm), rtol=1e-12)
    np.testing.assert_allclose(h[:, :2] / h[:, 2:], [[column, row]] * 2, rtol=1e-10)


def test_a_source_in_the_plane_of_its_image_is_refused() -> None:
    with pytest.raises(ValueError, match="source lies in the plane"):
        orbit([0], (4, 4), 1.0, source_mm=100.0, panel_mm=100.0)
