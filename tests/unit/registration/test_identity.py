"""Is it the patient of the plan: laws of the likeness, and one anatomy against others of the same proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.registration.identity import LEAST_DEEP, deep_inside, identity, middle_likeness, neighbour_differences, noise_hu
from igrt.registration.match import NOT_SCORED
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.regions import region_residuals
from igrt.registration.rigid import match_rigid
from tests import registration_cases
from tests.registration_cases import ISOCENTRE_MM, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
GRID = daily_grid()
COUNT = 64


def of(volume: Volume, pose) -> float:
    daily = prepare_daily(volume, VERBS)
    regions = region_residuals(PLAN, daily, pose, isocentre_mm=ISOCENTRE_MM, verbs=VERBS)
    return identity(PLAN, daily, pose, regions, isocentre_mm=ISOCENTRE_MM, verbs=VERBS)


def stranger(monkeypatch, seed: int) -> Volume:
    """An anatomy of the same organs, each elsewhere by some mm and of another size by some per cent."""
    rng = np.random.default_rng(seed)
    body, *organs = registration_cases.ORGANS
    others = [(np.array(c) + rng.normal(0, 8, 3), np.array(h) * rng.normal(1, 0.12, 3), hu) for c, h, hu in organs]
    monkeypatch.setattr(registration_cases, "ORGANS", (body, *others))
    return image(GRID, motion(), noise=20)


@pytest.mark.parametrize(("gain", "noise"), [(1.0, 20), (0.7, 40), (0.9, 120)])
def test_the_patient_is_known_by_any_scanner(gain, noise) -> None:
    assert of(image(GRID, motion(), gain=gain, offset=-80, noise=noise), motion()) > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_a_stranger_of_the_same_proportions_is_not_him(monkeypatch, seed) -> None:
    daily = stranger(monkeypatch, seed)
    best = match_rigid(PLAN, prepare_daily(daily, VERBS), start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS)
    assert of(daily, best.plan_from_daily) < 0.8


def test_a_pose_that_is_off_by_millimetres_does_not_make_him_a_stranger() -> None:
    volume = image(GRID, motion(), noise=20)
    assert of(volume, motion((3, -2, 2))) > 0.9
    assert of(volume, motion(degrees=3)) > 0.9


def test_an_image_that_shows_too_little_is_not_scored() -> None:
    assert of(image(GRID, motion(), noise=20), motion((0, 0, 400))) == NOT_SCORED


def vectors(seed: int, regions=8, size=300.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, (3, regions * COUNT))


DEEP = np.ones(8 * COUNT, bool)


@given(seed=st.integers(0, 50), gain=st.floats(0.2, 3))
def test_likeness_is_1_of_the_same_whatever_the_gain_and_less_of_anything_else(seed, gain) -> None:
    here, other = vectors(seed), vectors(seed + 1000)
    assert middle_likeness(here, gain * here, DEEP, COUNT, 0.0) == pytest.approx(1.0)
    assert middle_likeness(here, -gain * here, DEEP, COUNT, 0.0) == pytest.approx(-1.0)
    assert abs(middle_likeness(here, gain * other, DEEP, COUNT, 0.0)) < 0.25


@given(seed=st.integers(0, 30), noise=st.floats(20, 150))
def test_noise_that_is_known_takes_nothing_away(seed, noise) -> None:
    here = vectors(seed)
    seen = here + np.random.default_rng(seed + 7).normal(0, np.sqrt(2) * noise, here.shape)  # a difference of two voxels
    assert middle_likeness(here, seen, DEEP, COUNT, noise) == pytest.approx(1.0, abs=0.06)
    assert middle_likeness(here, seen, DEEP, COUNT, 0.0) < middle_likeness(here, seen, DEEP, COUNT, noise)


def test_a_changed_minority_of_regions_does_not_decide() -> None:
    here = vectors(1)
    seen = here.copy()
    seen[:, : 3 * COUNT] = vectors(2)[:, : 3 * COUNT]
    assert middle_likeness(here, seen, DEEP, COUNT, 0.0) == pytest.approx(1.0)


def test_regions_with_few_samples_have_no_say() -> None:
    here, deep = vectors(1), DEEP.copy()
    for region in range(5):
        deep[region * COUNT + LEAST_DEEP - 1 : (region + 1) * COUNT] = False
    assert middle_likeness(here, here, deep, COUNT, 0.0) == NOT_SCORED
    deep[LEAST_DEEP - 1] = True
    assert middle_likeness(here, here, deep, COUNT, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("noise", [20, 60, 150])
def test_noise_is_measured_in_the_image(noise) -> None:
    daily = prepare_daily(image(GRID, motion(), noise=noise), VERBS)
    assert noise_hu(daily) == pytest.approx(noise, rel=0.2, abs=8)  # what the anatomy itself does counts too


def test_differences_are_of_both_neighbours() -> None:
    k, j, i = np.meshgrid(*map(np.arange, (5, 6, 7)), indexing="ij")
    grid = grid_about((0, 0, 0), shape_kji=(5, 6, 7))
    volume = Volume(grid, (10 * i + 100 * j - 7 * k).astype(np.int16))
    index = np.array([[1, 1, 1], [5, 4, 3], [3, 2, 2]])
    np.testing.assert_array_equal(neighbour_differences(volume, index), np.array([[20], [200], [-14]]).repeat(3, axis=1))


def test_the_skin_and_what_lies_beyond_it_is_not_deep() -> None:
    daily = prepare_daily(image(GRID, motion(), noise=10), VERBS)
    body = daily.region
    places = body.volume.grid.position_mm(np.argwhere(np.ones(body.body.shape, bool))[:, ::-1])
    deep = deep_inside(body, places).reshape(body.body.shape)
    assert deep.any()
    assert not (deep & ~body.body).any()
    assert not deep[0].any()
    assert deep.sum() < 0.95 * body.body.sum()
    assert not deep_inside(body, places + 1000).any()
