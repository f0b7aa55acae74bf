"""The metric of another kind: small where the pose is right, as far off as the pose where it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.registration.match import NOT_KNOWN
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.second_metric import KNOTS_HU, Curve, SecondMetric, second_metric
from igrt.registration.solver import Motions
from tests.registration_cases import ISOCENTRE_MM, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
GRID = daily_grid()
PLAIN = image(GRID, motion(), noise=20)


def at(volume: Volume, pose=None, **options) -> SecondMetric:
    return second_metric(PLAN, prepare_daily(volume, VERBS), pose or motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS, **options)


def with_hu(hu) -> Volume:
    return Volume(GRID, np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def cupped() -> Volume:
    """HU that fall by up to 200 towards the middle, as scatter makes them."""
    j, i = np.meshgrid(*[np.linspace(-1, 1, n) for n in GRID.shape_kji[1:]], indexing="ij")
    return with_hu(PLAIN.hu - np.where(PLAIN.hu > -500, 200 * np.maximum(1 - i**2 - j**2, 0), 0))


IMAGES = {
    "plain": PLAIN,
    "noise": image(GRID, motion(), noise=150),
    "gain": image(GRID, motion(), gain=0.7, offset=-100, noise=20),
    "cupping": cupped(),
    "dark bone": with_hu(np.where(PLAIN.hu > 100, 170 - 0.7 * PLAIN.hu.astype(float), PLAIN.hu)),
    "bent scale": with_hu(700 * np.tanh(PLAIN.hu / 700.0)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_at_the_truth_it_agrees_whatever_the_scale_of_the_image(name) -> None:
    found = at(IMAGES[name])
    assert found.offset_mm < 0.5
    assert 0.8 < found.value <= 1.0


@pytest.mark.parametrize("shift_mm", [(3, 0, 0), (0, -3, 0), (0, 0, 4), (2, 2, -2)])
@pytest.mark.parametrize("name", ["plain", "gain", "dark bone"])
def test_it_finds_back_from_a_pose_that_is_off(name, shift_mm) -> None:
    found = at(IMAGES[name], motion(shift_mm))
    assert found.offset_mm == pytest.approx(np.linalg.norm(shift_mm), abs=0.8)
    assert found.value < at(IMAGES[name]).value - 0.002


def test_a_turned_pose_is_as_far_off_as_it_moves_anything() -> None:
    turned = motion(degrees=3)
    assert at(PLAIN, turned).offset_mm == pytest.approx(
        displacement_mm(motion(), turned).max() * 80 / np.linalg.norm([80, 80, 80]), abs=1.2
    )


def test_only_free_motions_move() -> None:
    turned = motion(axis=(0, 0, 1), degrees=3)
    assert at(PLAIN, turned, motions=Motions((0, 1, 2))).offset_mm < 1.5 < 3.0 < at(PLAIN, turned).offset_mm
    shifted = motion((0, 0, 3))
    assert at(PLAIN, shifted, motions=Motions((0, 1, 2))).offset_mm == pytest.approx(3.0, abs=0.5)


def test_an_image_that_shows_something_else_is_not_explained() -> None:
    other = with_hu(PLAIN.hu[::-1, ::-1].astype(float))
    assert at(other).value < at(PLAIN).value - 0.1
    assert at(other).offset_mm > 1.0


def test_an_image_beyond_the_plan_says_nothing() -> None:
    assert at(PLAIN, motion((0, 0, 400))) == SecondMetric(0.0, NOT_KNOWN)


@given(heights=st.lists(st.floats(-900, 2900), min_size=len(KNOTS_HU), max_size=len(KNOTS_HU)), seed=st.integers(0, 20))
def test_a_curve_of_the_knots_is_found_from_enough_samples(heights, seed) -> None:
    seen = np.random.default_rng(seed).uniform(KNOTS_HU[0], KNOTS_HU[-1], 60_000)
    truth = np.interp(seen, KNOTS_HU, heights)
    fitted = Curve.of(seen).fitted(truth, np.ones(len(seen), bool))
    assert np.sqrt(np.mean((fitted - truth) ** 2)) < 0.05 * (1 + np.ptp(heights))


def test_what_is_not_inside_has_no_say_in_the_curve() -> None:
    seen = np.linspace(-1000, 1500, 5000)
    inside = np.arange(5000) % 2 == 0
    planned = np.where(inside, 2 * seen, np.nan)
    np.testing.assert_allclose(Curve.of(seen).fitted(planned, inside), 2 * seen, atol=30)
