import numpy as np
import pytest

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.shapes import Ball, Capsule, Lattice, Points, Waves, chain

TURN = rotation_from_angles(pitch_deg=12, roll_deg=-25, yaw_deg=40)
CENTRE = np.array([4.0, -7.0, 9.0])


def on_surface(ball: Ball, count=300):
    directions = np.random.default_rng(1).normal(size=(count, 3))
    scale = (np.abs(directions / ball.radii_mm) ** ball.power).sum(axis=1) ** (-1 / ball.power)
    local = directions * scale[:, None]
    normal = np.sign(local) * np.abs(local) ** (ball.power - 1) / ball.radii_mm**ball.power
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return local @ ball.axes + ball.centre_mm, normal @ ball.axes


@pytest.mark.parametrize("power", [2, 4, 8])
def test_distance_of_a_ball_is_signed_millimetres_near_its_surface(power) -> None:
    ball = Ball(CENTRE, np.array([30.0, 18.0, 22.0]), TURN, power)
    surface, normal = on_surface(ball)
    assert np.abs(ball.distance_mm(Points(surface))).max() < 1e-3
    for step in (-0.5, 0.5):
        assert np.abs(ball.distance_mm(Points(surface + step * normal)) - step).max() < 0.12


@pytest.mark.parametrize("power", [2, 4, 8])
def test_the_middle_of_a_ball_is_deep(power) -> None:
    """A box 52 mm thin once took its middle for its surface: float32 had lost the slope there."""
    ball = Ball(CENTRE, np.array([265.0, 1500.0, 26.0]), np.eye(3), power)
    offsets = np.random.default_rng(2).normal(size=(500, 3)) * [20, 100, 2]
    assert (ball.distance_mm(Points(np.vstack([CENTRE, CENTRE + offsets]))) < -12).all()


@pytest.mark.parametrize("power", [2, 4, 8])
def test_box_holds_the_ball(power) -> None:
    ball = Ball(CENTRE, np.array([30.0, 18.0, 22.0]), TURN, power)
    surface, _ = on_surface(ball, 2000)
    low, high = ball.box_mm
    assert ((surface >= low - 1e-9) & (surface <= high + 1e-9)).all()


def test_capsule() -> None:
    capsule = Capsule(np.zeros(3), np.array([10.0, 0, 0]), 2.0, 2.0)
    places = Points(np.array([[5.0, 3, 0], [-4.0, 0, 0], [13.0, 0, 4], [5.0, 0, 0]]))
    np.testing.assert_allclose(capsule.distance_mm(places), [1, 2, 3, -2], atol=1e-6)
    low, high = capsule.box_mm
    assert (low == [-2, -2, -2]).all()
    assert (high == [12, 2, 2]).all()


def test_chain_joins_its_points() -> None:
    tubes = chain([[0, 0, 0], [5, 0, 0], [5, 6, 0]], (1.0, 2.0, 3.0))
    assert [(t.start_radius_mm, t.end_radius_mm) for t in tubes] == [(1, 2), (2, 3)]


@pytest.mark.parametrize("radii", [(3.0, 0.0, 1.0), (1.0, -1.0, 2.0)])
def test_a_ball_without_size_is_refused(radii) -> None:
    with pytest.raises(ValueError, match="positive radii"):
        Ball(CENTRE, np.array(radii), np.eye(3))


def lattice_and_points():
    grid = Grid(Frame.DAILY, (4, 5, 6), np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), TURN)
    motion = RigidMotion(Frame.PLAN, Frame.DAILY, TURN.T, CENTRE)
    whole = Lattice.of_grid(grid, phantom_from_grid=motion)
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    return whole, Points(motion.apply(grid.position_mm(np.stack([i, j, k], -1).reshape(-1, 3))))


def test_a_lattice_is_the_points_of_its_grid() -> None:
    whole, points = lattice_and_points()
    for a, b in zip(whole.coordinates(TURN, CENTRE), points.coordinates(TURN, CENTRE), strict=True):
        np.testing.assert_allclose(a.ravel(), b, atol=1e-4)
    waves = Waves.band(np.random.default_rng(3), count=20, shortest_mm=8, longest_mm=40)
    np.testing.assert_allclose(waves.at(whole).ravel(), waves.at(points), atol=1e-4)


def test_cropping_loses_no_place_in_the_box() -> None:
    whole, points = lattice_and_points()
    low, high = points.mm.mean(axis=0) - 4, points.mm.mean(axis=0) + 5
    inside = ((points.mm >= low) & (points.mm <= high)).all(axis=1)
    window, cropped = whole.crop(low, high)
    chosen = np.zeros(whole.shape, bool)
    chosen[window] = True
    assert inside.sum() > 3
    assert chosen.ravel()[inside].all()
    np.testing.assert_allclose(
        cropped.coordinates(np.eye(3), np.zeros(3))[1], whole.coordinates(np.eye(3), np.zeros(3))[1][window], atol=1e-4
    )
    assert whole.crop(high + 500, high + 600) is None


def test_refined_voxels_stay_centred() -> None:
    grid = Grid(Frame.PLAN, (3, 3, 3), np.array([1.0, 2, 3]), np.array([2.0, 3, 4]), TURN)
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    fine = Lattice.of_grid(grid, phantom_from_grid=still, refine_ijk=(2, 1, 3)).coordinates(np.eye(3), np.zeros(3))[0]
    coarse = Lattice.of_grid(grid, phantom_from_grid=still).coordinates(np.eye(3), np.zeros(3))[0]
    np.testing.assert_allclose(fine.reshape(3, 3, 3, 3, 2).mean(axis=(1, 4)), coarse, atol=1e-4)


def test_waves_have_unit_variance() -> None:
    waves = Waves.band(np.random.default_rng(4), count=60, shortest_mm=5, longest_mm=20)
    values = waves.at(Points(np.random.default_rng(5).uniform(-500, 500, (20000, 3))))
    assert abs(values.std() - 1) < 0.05
