import numpy as np
import pytest

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.simulation.phantoms import Material, Part, Phantom
from igrt.simulation.reconstruction import Orbit
from igrt.simulation.scanner import IDEAL, WATER_PER_MM, Physics, Scan, acquire, attenuation, detect, image_axes
from igrt.simulation.shapes import Ball, Waves

BALL_PLAN_MM = np.array([31.0, -58.0, 17.0])
QUIET = Waves(np.zeros((1, 3)), np.full(1, np.pi / 2))
ORBITS = {
    "full": Orbit(views=120, start_deg=30, arc_deg=360, columns=80, rows=64, pixel_mm=1.8),
    "short": Orbit(views=120, start_deg=-100, arc_deg=205, columns=80, rows=64, pixel_mm=1.8),
    "half": Orbit(views=160, start_deg=180, arc_deg=360, columns=80, rows=64, pixel_mm=1.8, panel_offset_mm=50.0),
}
ROTATION = rotation_from_angles(pitch_deg=3, roll_deg=-4, yaw_deg=6)


def ball(centre_mm=BALL_PLAN_MM, radius_mm=9.0) -> Phantom:
    solid = Ball(centre_mm, np.full(3, radius_mm), np.eye(3))
    return Phantom((Part("ball", (solid,), ((0.0, Material(0.0)),)),), QUIET, QUIET)


def ideal(orbit: Orbit, across=64, along=48) -> Scan:
    return Scan(orbit=orbit, voxel_mm=(1.0, 1.2), across=across, along=along, anatomy_voxel_mm=0.9, physics=IDEAL)


def centre_of_mass_mm(volume, about_mm, reach_mm=13.0):
    k, j, i = np.meshgrid(*(np.arange(n) for n in volume.grid.shape_kji), indexing="ij")
    places = volume.grid.position_mm(np.stack([i, j, k], -1))
    weight = np.where(np.linalg.norm(places - about_mm, axis=-1) < reach_mm, volume.hu + 1000.0, 0.0)
    return (places * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()


@pytest.mark.parametrize("name", ORBITS)
@pytest.mark.parametrize("position", list(PatientPosition))
def test_a_ball_is_reconstructed_where_it_is(name, position) -> None:
    """Whichever way the patient lies and the panel is shifted: within 0.05 mm, off the axis and off the middle plane."""
    daily_mm = position.fixed_from_lps.T @ np.array([14.0, 9.0, -8.0])
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, ROTATION, BALL_PLAN_MM - ROTATION @ daily_mm)
    volume = acquire(ball(), plan_from_daily=pose, position=position, scan=ideal(ORBITS[name]), seed=0, couch=None)
    assert volume.frame is Frame.DAILY
    found = centre_of_mass_mm(volume, daily_mm)
    assert np.linalg.norm(found - daily_mm) < 0.05


def test_water_is_zero_for_an_ideal_scanner() -> None:
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), BALL_PLAN_MM)
    volume = acquire(
        ball(radius_mm=20.0), plan_from_daily=pose, position=PatientPosition.HFS, scan=ideal(ORBITS["full"]), seed=0, couch=None
    )
    middle = volume.hu[20:28, 24:40, 24:40]
    assert abs(middle.mean()) < 15
    assert np.abs(middle).max() < 60


def test_the_image_is_black_beyond_the_field_of_view() -> None:
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), BALL_PLAN_MM)
    volume = acquire(
        ball(radius_mm=70.0), plan_from_daily=pose, position=PatientPosition.HFS, scan=ideal(ORBITS["full"], across=110, along=8), seed=0
    )
    assert (volume.hu[:, :3, :3] == -1000).all()
    assert (volume.hu[:, 50:60, 50:60] > -300).all()


@pytest.mark.parametrize("position", list(PatientPosition))
def test_image_axes_stay_with_the_room(position) -> None:
    in_room = position.fixed_from_lps @ image_axes(position)
    np.testing.assert_allclose(in_room, [[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert np.linalg.det(image_axes(position)) > 0
    if position is PatientPosition.HFS:
        np.testing.assert_allclose(image_axes(position), np.eye(3))


def measured(physics: Physics, integral: float, seed=0):
    orbit = Orbit(views=2, start_deg=0, arc_deg=360, columns=40, rows=30, pixel_mm=5.0)
    scan = Scan(orbit=orbit, voxel_mm=(1, 1), across=4, along=4, physics=physics)
    return detect(np.full((2, 40, 30), integral, np.float32), scan, np.random.default_rng(seed))


@pytest.mark.parametrize("integral", [0.0, 1.0, 4.0])
def test_an_ideal_panel_measures_line_integrals(integral) -> None:
    np.testing.assert_allclose(measured(IDEAL, integral), integral, atol=1e-5)


def test_the_spectrum_hardens_with_thickness() -> None:
    physics = Physics(scatter=0.0, photons=np.inf)
    thin, thick = measured(physics, 0.1).mean(), measured(physics, 6.0).mean()
    assert abs(thin / 0.1 - 1) < 0.01
    assert 0.88 < thick / 6.0 < 0.98


def test_scatter_makes_the_patient_look_thinner() -> None:
    with_scatter, without = (measured(Physics(scatter=s, photons=np.inf), 4.5).mean() for s in (0.045, 0.0))
    assert 0.05 < without - with_scatter < 0.5


def test_photons_are_counted() -> None:
    """Counts of mean N have a variance of N: the logarithm's standard deviation is 1 / sqrt(N)."""
    physics = Physics(spectrum=((1.0, 1.0),), scatter=0.0, photons=1e4)
    noisy = measured(physics, 2.0)
    assert abs(noisy.std() * np.sqrt(1e4 * np.exp(-2.0)) - 1) < 0.05
    assert np.array_equal(noisy, measured(physics, 2.0))
    assert not np.array_equal(noisy, measured(physics, 2.0, seed=1))


def test_attenuation() -> None:
    hu = np.array([[[-1000.0, 0.0, 1200.0, -1010.0]]], np.float32)
    np.testing.assert_allclose(attenuation(hu, IDEAL)[0, 0], np.array([0, 1, 2.2, 0]) * WATER_PER_MM, rtol=1e-6)
    assert attenuation(hu, Physics())[0, 0, 2] > 2.3 * WATER_PER_MM


def test_a_coarser_scan_sees_the_same_field() -> None:
    scan = Scan(orbit=ORBITS["half"], voxel_mm=(1.0, 2.0), across=64, along=48)
    small = scan.coarser(2)
    assert abs(small.orbit.columns_mm.mean() - scan.orbit.columns_mm.mean()) < 1e-9
    assert small.across * small.voxel_mm[0] == 64
    assert small.orbit.columns * small.orbit.pixel_mm == scan.orbit.columns * scan.orbit.pixel_mm


def test_progress_is_told() -> None:
    told = []
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), BALL_PLAN_MM)
    acquire(
        ball(),
        plan_from_daily=pose,
        position=PatientPosition.HFS,
        scan=ideal(ORBITS["full"], across=16, along=8),
        seed=0,
        couch=None,
        progress=lambda stage, share: told.append((stage, share)),
    )
    for stage in ("anatomy", "projection", "reconstruction"):
        shares = [share for name, share in told if name == stage]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
