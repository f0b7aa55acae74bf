import numpy as np
import pytest

from igrt.compute.projection import CpuProjector
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.simulation.reconstruction import Orbit, ramp_matrix, reconstruct, redundancy

FULL = Orbit(views=120, start_deg=10, arc_deg=360, columns=100, rows=60, pixel_mm=2.0)
SHORT = Orbit(views=120, start_deg=-100, arc_deg=205, columns=100, rows=60, pixel_mm=2.0)
HALF = Orbit(views=180, start_deg=180, arc_deg=360, columns=80, rows=60, pixel_mm=2.0, panel_offset_mm=60.0)
OTHER_HALF = Orbit(views=180, start_deg=0, arc_deg=360, columns=80, rows=60, pixel_mm=2.0, panel_offset_mm=-60.0)
ORBITS = {"full": FULL, "short": SHORT, "half": HALF, "other half": OTHER_HALF}


@pytest.mark.parametrize("name", ORBITS)
def test_shares_of_a_ray_and_its_opposite_add_up_to_one(name) -> None:
    """Over all views, a column and its mirror image get half a turn of weight each, or one of them all of it."""
    orbit = ORBITS[name]
    total = redundancy(orbit).sum(axis=0) * np.radians(orbit.step_deg)
    u = orbit.columns_mm
    mirrored = np.interp(-u, u, total, left=0.0, right=0.0)
    assert np.abs(total + mirrored - 2 * np.pi).max() < 0.02


def test_parker_weights_pair_by_line() -> None:
    """A ray at source angle b and column u runs along the line of b + 180 - 2 atan(u / SAD) and column -u: their shares sum to one."""
    orbit = Orbit(views=411, start_deg=0, arc_deg=205, columns=100, rows=4, pixel_mm=2.0)
    share, fan_deg = redundancy(orbit), np.degrees(np.arctan(orbit.columns_mm / 1000))
    travelled = np.arange(orbit.views) * orbit.step_deg
    pairs = 0
    for column in range(5, 95, 10):
        for view in range(5, 411, 40):
            opposite = travelled[view] - 2 * fan_deg[column] + np.array([-180.0, 180.0])
            others = [np.interp(t, travelled, share[:, 99 - column]) for t in opposite if 0 <= t <= 205]
            assert abs(share[view, column] + sum(others) - 1) < 0.01
            pairs += len(others)
    assert pairs > 10


def test_ramp_of_a_constant_is_nothing_in_the_middle() -> None:
    ramp = ramp_matrix(200, 1.0, 1.0)
    flat = ramp @ np.ones(200, np.float32)
    spike = ramp @ np.eye(200, dtype=np.float32)[100]
    assert np.abs(flat[90:110]).max() < 0.02 * spike.max()


@pytest.mark.parametrize("name", ORBITS)
def test_a_uniform_cylinder_comes_back(name) -> None:
    """Exact line integrals of a cylinder about the axis: its attenuation returns in the middle plane."""
    orbit, radius = ORBITS[name], 40.0
    u, v = orbit.columns_mm[:, None], orbit.rows_mm[None, :]
    miss = 1000 * np.abs(u) / np.sqrt(1000**2 + u**2)
    chord = 2 * np.sqrt(np.maximum(radius**2 - miss**2, 0)) * np.sqrt(1000**2 + u**2 + v**2) / np.sqrt(1000**2 + u**2)
    images = np.broadcast_to((0.02 * chord).astype(np.float32), (orbit.views, orbit.columns, orbit.rows))
    grid = Grid.aligned(Frame.FIXED, shape_kji=(50, 1, 50), origin_mm=(-49, 0, -49), spacing_mm=(2, 2, 2))
    got = reconstruct(images, orbit, grid, CpuProjector())[:, 0]
    x = (np.arange(50) - 24.5) * 2
    r = np.hypot(x[:, None], x)
    assert np.abs(got[r < 32] / 0.02 - 1).max() < 0.03
    assert np.abs(got[(r > 48) & (r < 60)] / 0.02).max() < 0.05


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"views": 1}, "no orbit"),
        ({"arc_deg": 185.0}, "too short"),
        ({"arc_deg": 220.0, "panel_offset_mm": 10.0}, "too short"),
        ({"panel_offset_mm": 150.0}, "less than half"),
    ],
)
def test_an_orbit_that_sees_too_little_is_refused(change, sentence) -> None:
    values = {"views": 100, "start_deg": 0.0, "arc_deg": 360.0, "columns": 100, "rows": 60, "pixel_mm": 2.0} | change
    with pytest.raises(ValueError, match=sentence):
        Orbit(**values)
