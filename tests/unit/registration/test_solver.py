"""Poses and Gauss-Newton on one level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.registration.levels import LEVELS
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.samples import LevelScores, Samples
from igrt.registration.search import COARSEST
from igrt.registration.solver import Centres, LevelProblem, Pose, normal_matrix, rotation_of
from tests.registration_cases import ISOCENTRE_MM, axis_angle, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
CENTRES = Centres(ISOCENTRE_MM, np.array([3.0, -4, 5]))
numbers = st.floats(-2.5, 2.5)


@given(st.tuples(numbers, numbers, numbers))
def test_rotations_are_rotations_about_their_vector(w) -> None:
    turn = rotation_of(np.array(w))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(turn @ w, w, atol=1e-9)
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(np.linalg.norm(w)), abs=1e-9)


def test_rotation_sense() -> None:
    np.testing.assert_allclose(rotation_of(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@given(st.tuples(*[st.floats(-50, 50)] * 3), st.floats(-40, 40))
def test_a_pose_is_its_motion(shift, degrees) -> None:
    there = motion(shift, degrees=degrees)
    back = Pose.of(there, CENTRES).plan_from_daily(CENTRES)
    np.testing.assert_allclose(back.matrix, there.matrix, atol=1e-9)


def test_a_further_motion_turns_about_the_isocentre() -> None:
    small = np.array([1.0, 2, 3, 0.02, -0.01, 0.03])
    moved = Pose.of(motion(), CENTRES).moved(small).plan_from_daily(CENTRES)
    points = np.random.default_rng(1).normal(0, 50, (10, 3))
    before = motion().apply(points)
    expected = (before - ISOCENTRE_MM) @ rotation_of(small[3:]).T + ISOCENTRE_MM + small[:3]
    np.testing.assert_allclose(moved.apply(points), expected, atol=1e-9)


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_each_level_finds_a_small_motion(level) -> None:
    truth = motion((1.5, -1.0, 2.0), degrees=1.0)
    plan = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
    daily = prepare_daily(image(daily_grid(), truth, noise=5), VERBS)
    centres = Centres(ISOCENTRE_MM, daily.centre_mm)
    problem = LevelProblem(plan.levels[level], daily.levels[level], ISOCENTRE_MM, VERBS)
    solution = problem.solve(Pose.of(motion(), centres), scale=1.0, iterations=40, tolerance_mm=0.01)
    assert solution.iterations < 40
    near_mm = 2.5 if level == COARSEST else 1.0  # the coarsest serves the search alone
    assert displacement_mm(truth, solution.pose.plan_from_daily(centres)).max() < near_mm
    assert solution.inliers > 0.95
    matrix = normal_matrix(solution.chunks.sum(axis=0))
    np.testing.assert_allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_no_sample_on_the_plan_ends_at_once() -> None:
    plan = LevelScores(grid_about((0, 0, 0), shape_kji=(5, 5, 5)), np.zeros((5, 5, 5), np.int16))
    samples = Samples(np.full((3, 300), 500, np.float32), np.zeros(300, np.float32))
    solution = LevelProblem(plan, samples, ISOCENTRE_MM, VERBS).solve(
        Pose(axis_angle((0, 0, 1), 5), np.zeros(3)), scale=1.0, iterations=5, tolerance_mm=0.1
    )
    assert solution.inside == 0
    assert solution.iterations == 1
    assert np.isfinite(solution.cost)


def test_a_plan_without_contrast_does_not_move() -> None:
    plan = LevelScores(grid_about(ISOCENTRE_MM, shape_kji=(9, 9, 9)), np.zeros((9, 9, 9), np.int16))
    samples = Samples(np.random.default_rng(1).uniform(-5, 5, (3, 300)).astype(np.float32), np.ones(300, np.float32))
    solution = LevelProblem(plan, samples, ISOCENTRE_MM, VERBS).solve(
        Pose(np.eye(3), np.zeros(3)), scale=1.0, iterations=5, tolerance_mm=0.1
    )
    np.testing.assert_array_equal(solution.pose.shift_mm, np.zeros(3))
