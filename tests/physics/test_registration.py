"""What a rigid match must do whatever the images: known motions, frames, swapped roles, scales of HU, oblique grids, few slices."""

import functools

import numpy as np
import pytest

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Match
from igrt.registration.preparation import PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol
from tests.registration_cases import ISOCENTRE_MM, axis_angle, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
TENTH_OF_A_VOXEL_MM = 0.3


def match(daily: Volume, *, plan=PLAN, start: RigidMotion | None = None) -> Match:
    return match_rigid(plan, prepare_daily(daily, VERBS), start=start or motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS)


@pytest.mark.parametrize(
    ("translation_mm", "axis", "degrees"),
    [
        ((0, 0, 0), (1, 0, 0), 0),
        ((7, 0, 0), (1, 0, 0), 0),
        ((0, -7, 0), (0, 1, 0), 3),
        ((0, 0, 9), (0, 0, 1), -4),
        ((-12, 8, -10), (1, 2, 3), 5),
    ],
)
def test_a_known_motion_is_found(translation_mm, axis, degrees) -> None:
    truth = motion(translation_mm, axis, degrees)
    assert displacement_mm(truth, match(image(daily_grid(), truth, noise=8)).plan_from_daily).max() < TENTH_OF_A_VOXEL_MM


def test_the_sense_of_the_answer() -> None:
    """The daily anatomy lies 7 mm to the patient's left of where it was planned: the answer takes a daily point 7 mm to the right."""
    truth = motion((-7, 0, 0))
    found = match(image(daily_grid(), truth)).plan_from_daily
    np.testing.assert_allclose(found.apply((0, 0, 0)) - ISOCENTRE_MM, (-7, 0, 0), atol=TENTH_OF_A_VOXEL_MM)
    assert (found.target, found.source) == (Frame.PLAN, Frame.DAILY)


def test_the_daily_isocentre_may_lie_anywhere() -> None:
    centre = np.array([12.0, -205, 31])
    truth = motion((5, 4, -6), degrees=3, daily_isocentre_mm=centre)
    grid = grid_about(centre, shape_kji=(30, 76, 80), spacing_mm=(2.5, 2.5, 3.0), frame=Frame.DAILY)
    found = match(image(grid, truth, noise=8), start=motion(daily_isocentre_mm=centre)).plan_from_daily
    assert displacement_mm(truth, found).max() < TENTH_OF_A_VOXEL_MM


def test_swapping_the_images_inverts_the_answer() -> None:
    truth = motion((6, -4, 3), degrees=3)
    here = image(daily_grid(), truth, noise=8)
    forward = match(here).plan_from_daily
    there = image(grid_about((0, 0, 0)))
    swapped_plan = Volume(Grid(Frame.PLAN, here.grid.shape_kji, here.grid.origin_mm, here.grid.spacing_mm, here.grid.direction), here.hu)
    swapped_daily = Volume(Grid(Frame.DAILY, there.grid.shape_kji, there.grid.origin_mm, there.grid.spacing_mm, np.eye(3)), there.hu)
    start = RigidMotion.from_matrix(motion().inverse().matrix, target=Frame.PLAN, source=Frame.DAILY)
    backward = match_rigid(
        prepare_plan(swapped_plan, VERBS), prepare_daily(swapped_daily, VERBS), start=start, isocentre_mm=np.zeros(3), verbs=VERBS
    ).plan_from_daily
    both = RigidMotion.from_matrix(backward.inverse().matrix, target=Frame.PLAN, source=Frame.DAILY)
    assert displacement_mm(forward, both).max() < 2 * TENTH_OF_A_VOXEL_MM


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 0), (1, 300), (0.7, -50), (1, 1000)])
def test_gain_and_offset_of_the_daily_image_do_not_matter(gain, offset) -> None:
    truth = motion((6, -4, 3), degrees=3)
    plain = match(image(daily_grid(), truth, noise=8)).plan_from_daily
    other = match(image(daily_grid(), truth, noise=8, gain=gain, offset=offset)).plan_from_daily
    assert displacement_mm(plain, other).max() < TENTH_OF_A_VOXEL_MM
    assert displacement_mm(truth, other).max() < TENTH_OF_A_VOXEL_MM


def test_cupping_and_a_slow_drift_do_not_matter() -> None:
    truth = motion((6, -4, 3), degrees=3)
    clean = image(daily_grid(), truth, noise=8)
    k, j, i = np.indices(clean.hu.shape)
    drift = -250 * np.exp(-(((i - 40) / 25) ** 2) - ((j - 38) / 20) ** 2) + 4.0 * k
    found = match(Volume(clean.grid, (clean.hu + drift).astype(np.int16))).plan_from_daily
    assert displacement_mm(truth, found).max() < 2 * TENTH_OF_A_VOXEL_MM


@functools.cache
def oblique_plan() -> PreparedPlan:
    cube = {"shape_kji": (80, 80, 80), "spacing_mm": (3.0, 3.0, 3.0)}
    return prepare_plan(image(grid_about((0, 0, 0), direction=axis_angle((1, 1, 0), 25), **cube)), VERBS)


@pytest.mark.parametrize("degrees", [20, 90, 160])
def test_oblique_grids_give_the_same_answer(degrees) -> None:
    """Direction cosines are of the grid, not of the patient."""
    truth = motion((6, -4, 3), degrees=3)
    cube = {"shape_kji": (64, 64, 64), "spacing_mm": (3.0, 3.0, 3.0)}
    daily = image(daily_grid(direction=axis_angle((2, -1, 3), degrees), **cube), truth, noise=8)
    assert displacement_mm(truth, match(daily, plan=oblique_plan()).plan_from_daily).max() < TENTH_OF_A_VOXEL_MM


def test_a_couch_top_that_stays_with_the_machine_does_not_pull() -> None:
    truth = motion((3, 15, -4), degrees=3)
    daily = image(daily_grid(), truth, noise=8)
    hu = np.array(daily.hu)
    y = daily.grid.position_mm(np.stack(np.meshgrid(*map(np.arange, hu.shape), indexing="ij"), -1)[..., ::-1])[..., 1]
    for top in (79.0, 90.0):
        hu[np.abs(y - top) < 2] = np.maximum(hu[np.abs(y - top) < 2], 200)
    found = match(Volume(daily.grid, hu)).plan_from_daily
    assert displacement_mm(truth, found).max() < 2 * TENTH_OF_A_VOXEL_MM


def test_a_truncated_field_of_view() -> None:
    truth = motion((6, -4, 3), degrees=3)
    daily = image(daily_grid(), truth, noise=8)
    _, j, i = np.indices(daily.hu.shape)
    outside = np.hypot((i - 39.5) * 2.5, (j - 37.5) * 2.5) > 92
    found = match(Volume(daily.grid, np.where(outside, -1000, daily.hu).astype(np.int16))).plan_from_daily
    assert displacement_mm(truth, found).max() < 2 * TENTH_OF_A_VOXEL_MM


@pytest.mark.parametrize("slices", [4, 8])
def test_few_slices(slices) -> None:
    truth = motion((3, -2, 2), degrees=1.5)
    found = match(image(daily_grid(shape_kji=(slices, 76, 80)), truth, noise=8)).plan_from_daily
    assert displacement_mm(truth, found).mean() < 3 * TENTH_OF_A_VOXEL_MM


@pytest.mark.parametrize(("translation_mm", "degrees"), [((38, 0, 0), 0), ((-20, 25, -20), 9), ((0, -38, 0), -9)])
def test_a_large_setup_error_is_found_from_both_starts(translation_mm, degrees) -> None:
    truth = motion(translation_mm, (1, -2, 1), degrees)
    result = match(image(daily_grid(), truth, noise=8))
    assert displacement_mm(truth, result.plan_from_daily).max() < 2 * TENTH_OF_A_VOXEL_MM
    assert result.evidence.second_start_difference_mm < 0.1


def test_stated_deviations_are_of_the_size_of_the_errors() -> None:
    """Over eight motions, with fresh noise: errors in stated standard deviations are of the order of one, not ten."""
    rng = np.random.default_rng(12)
    squares = []
    for seed in range(8):
        truth = motion(rng.uniform(-8, 8, 3), rng.normal(size=3), rng.uniform(-4, 4))
        result = match(image(daily_grid(), truth, noise=20, seed=seed))
        error = result.plan_from_daily.apply(truth.inverse().apply(ISOCENTRE_MM)) - ISOCENTRE_MM
        squares.append(error @ np.linalg.solve(result.covariance[:3, :3], error) / 3)
    assert 0.02 < np.mean(squares) < 4


@pytest.mark.parametrize("noise_hu", [0, 5, 30, 60])
@pytest.mark.parametrize("tilt_deg", [0, 20])
def test_a_motion_that_nothing_shows_is_refused(noise_hu, tilt_deg) -> None:
    """A rod off the middle of a cylinder, without an end in either image: noise must not pass for a sign of the shift along it."""
    rng = np.random.default_rng(5)
    turn = axis_angle((2, 1, 0), tilt_deg)

    def rod(grid: Grid) -> Volume:
        k, j, i = np.indices(grid.shape_kji)
        x, y, _ = np.moveaxis(grid.position_mm(np.stack([i, j, k], axis=-1)) @ turn, -1, 0)
        hu = np.where(np.hypot(x, y) < 70, np.where(np.hypot(x - 40, y) < 10, 800, 0), -1000)
        return Volume(grid, (hu + rng.normal(size=hu.shape) * noise_hu).astype(np.int16))

    plan = Grid.aligned(Frame.PLAN, shape_kji=(60, 100, 100), origin_mm=(-99, -99, -73.75), spacing_mm=(2, 2, 2.5))
    daily = Grid.aligned(Frame.DAILY, shape_kji=(70, 112, 112), origin_mm=(-99.9, -99.9, -69), spacing_mm=(1.8, 1.8, 2))
    start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array([3.0, -2, 7]))
    found = match_rigid(
        prepare_plan(rod(plan), VERBS), prepare_daily(rod(daily), VERBS), start=start, isocentre_mm=np.zeros(3), verbs=VERBS
    )
    codes = {finding.code for finding in judge_evidence(found, load_protocol().tables.evidence)}
    assert "evidence_observability" in codes, found.evidence
    assert codes & {"evidence_translation_sd", "evidence_rotation_sd"}, found.evidence  # the covariance says it too


@pytest.mark.parametrize("noise_hu", [0, 20, 60])
def test_noise_does_not_hide_that_a_pose_has_settled(noise_hu) -> None:
    truth = motion((3, -2, 2), degrees=1.5)
    evidence = match(image(daily_grid(), truth, noise=noise_hu)).evidence
    assert evidence.converged
    assert max(evidence.translation_sd_mm) < 0.5
