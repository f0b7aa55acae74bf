"""Radiographs: every instruction set gives what the reference gives, and the reference what geometry and finite differences say."""

import numpy as np
import pytest

from igrt.compute import cpu, radiograph_reference
from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

VALUE_TOLERANCE, DERIVATIVE_TOLERANCE = 3e-6, 2e-5  # of the largest: float32 sums of a few hundred samples
CENTRE_MM = np.array([4.0, -6.0, 2.0])


@pytest.fixture(scope="module")
def radiographs(cpu_verbs) -> RadiographVerbs:
    return RadiographVerbs(cpu_verbs.instruction_set)


def oblique(shape=(13, 24, 19), seed=3) -> AttenuationField:
    direction = rotation_from_angles(pitch_deg=20, roll_deg=-35, yaw_deg=50)
    spacing = np.array([3.0, 4.0, 5.0])
    grid = Grid(Frame.PLAN, shape, direction @ (-(np.array(shape[::-1]) - 1) / 2 * spacing), spacing, direction)
    return AttenuationField.of(np.random.default_rng(seed).random(shape).astype(np.float32) * np.float32(0.02), grid)


def view(angle_deg: float, shape=(17, 37), pixel_mm=6.0, sad_mm=1000.0, below_mm=500.0) -> View:
    camera = XrayCamera(
        source_angle_deg=angle_deg,
        sad_mm=sad_mm,
        receptor_translation_mm=(10.0, -5.0, -below_mm),
        receptor_angle_deg=12.0,
        first_pixel_mm=(-(shape[1] - 1) / 2 * pixel_mm, (shape[0] - 1) / 2 * pixel_mm),
        spacing_mm=(pixel_mm, pixel_mm),
        shape=shape,
        orientation=DEFAULT_ORIENTATION,
    )
    return View.of(camera, RigidMotion(Frame.PLAN, Frame.FIXED, np.eye(3), np.array([3.0, 1.0, -2.0])))


def assert_close(got, expected, tolerance) -> None:
    assert np.isfinite(got).all()
    assert np.abs(expected).max() > 0
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("angle_deg", [0, 31, 88, 140, 200, 300])
def test_every_instruction_set_gives_what_the_reference_gives(radiographs, angle_deg) -> None:
    field, seen = oblique(), view(angle_deg)
    assert_close(radiographs.radiograph(field, seen), radiograph_reference.radiograph(field, seen), VALUE_TOLERANCE)
    got = radiographs.radiograph_with_derivatives(field, seen, CENTRE_MM)
    expected = radiograph_reference.radiograph_with_derivatives(field, seen, CENTRE_MM)
    assert_close(got[0], expected[0], VALUE_TOLERANCE)
    for motion in range(1, 7):
        assert_close(got[motion], expected[motion], DERIVATIVE_TOLERANCE)


@pytest.mark.parametrize("shape", [(1, 5, 7), (6, 1, 1), (2, 2, 2)])
def test_thin_fields_and_a_source_within(radiographs, shape) -> None:
    field, seen = oblique(shape), view(100.0, (9, 20), 4.0, sad_mm=6.0, below_mm=9.0)
    got = radiographs.radiograph_with_derivatives(field, seen, CENTRE_MM)
    expected = radiograph_reference.radiograph_with_derivatives(field, seen, CENTRE_MM)
    assert_close(got, expected, DERIVATIVE_TOLERANCE)


def test_same_bits_for_any_number_of_threads_and_instruction_set() -> None:
    field, seen = oblique(), view(45.0)
    results = []
    for name in cpu.INSTRUCTION_SETS:
        verbs = RadiographVerbs(name)
        before = verbs.threads
        for threads in (1, 3):
            verbs.set_threads(threads)
            results.append(verbs.radiograph_with_derivatives(field, seen, CENTRE_MM))
        verbs.set_threads(before)
        results.append(np.concatenate([verbs.radiograph(field, seen)[None], results[0][1:]]))
    assert all(np.array_equal(results[0], other) for other in results)


@pytest.mark.parametrize("angle_deg", [10.0, 75.0, 190.0])
@pytest.mark.parametrize("motion", range(6))
def test_derivatives_are_those_of_the_ray_sums(angle_deg, motion) -> None:
    """Central differences of the reference; rays that cross a voxel's edge within the step have a kink there, so most agree, not all."""
    field, seen = oblique(), view(angle_deg)
    small = 1e-5
    vector = np.zeros(6)
    vector[motion] = small

    def moved(sign: float) -> View:
        w = sign * vector[3:]
        cross = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
        turn = np.eye(3) + cross + cross @ cross / 2
        u, _, v = np.linalg.svd(turn)
        return seen.moved(RigidMotion(Frame.PLAN, Frame.PLAN, u @ v, CENTRE_MM - (u @ v) @ CENTRE_MM + sign * vector[:3]))

    differences = (radiograph_reference.radiograph(field, moved(1)) - radiograph_reference.radiograph(field, moved(-1))) / (2 * small)
    derivative = radiograph_reference.radiograph_with_derivatives(field, seen, CENTRE_MM)[1 + motion]
    off = np.abs(differences - derivative)
    assert np.isfinite(off).all()
    assert np.quantile(off, 0.95) < 1e-5 * np.abs(derivative).max()


def test_binned_pixels_are_centred_on_their_blocks() -> None:
    seen = view(33.0, (16, 24))
    first, row, column = seen.camera_mm[1:]
    coarse = seen.binned(4)
    assert coarse.shape == (4, 6)
    np.testing.assert_allclose(coarse.camera_mm[1] + 2 * coarse.camera_mm[2], first + 9.5 * row + 1.5 * column, atol=1e-9)


def test_a_field_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="C-contiguous float32"):
        AttenuationField(oblique().grid, np.zeros((3, 3, 3), np.float32))
