"""Evidence on cases whose answer is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR, TERMS
from igrt.compute.volume import Volume
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import (
    covariance,
    curvature,
    inverse_curvature,
    largest_displacement_mm,
    observability,
    resemblance,
    settled,
)
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.solver import RADIANS, Centres, LevelProblem, Pose, Solution, normal_matrix
from tests.registration_cases import ISOCENTRE_MM, axis_angle, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
DAILY = prepare_daily(image(daily_grid(), motion(), gain=0.8, offset=40, noise=10), VERBS)


def overlap_and_similarity(plan, daily, pose, verbs) -> tuple[float, float]:
    found = resemblance(plan, daily, pose, verbs, options=MatchOptions())
    assert (found.region_shown, found.region_similarity) == (found.overlap, found.similarity)
    return found.overlap, found.similarity


def test_similarity_is_high_at_the_truth_and_falls_away_from_it() -> None:
    values = [overlap_and_similarity(PLAN, DAILY, motion((x, 0, 0)), VERBS)[1] for x in (0, 3, 6, 12)]
    assert values[0] > 0.95
    assert all(a > b + 0.05 for a, b in itertools.pairwise(values))


def test_overlap_counts_the_body_that_leaves_the_ct() -> None:
    overlap, _ = overlap_and_similarity(PLAN, DAILY, motion(), VERBS)
    assert overlap == pytest.approx(1.0, abs=0.01)
    half, _ = overlap_and_similarity(PLAN, DAILY, motion((0, 0, 78 - 20)), VERBS)  # the CT ends at z = 78, the isocentre lies at 20
    assert half == pytest.approx(0.5, abs=0.05)


def test_nothing_in_common() -> None:
    assert overlap_and_similarity(PLAN, DAILY, motion((0, 0, 500)), VERBS) == (0.0, 0.0)


MATRIX = np.diag([400.0, 300, 200, 500, 300, 200])  # mm


def solution(gradients: np.ndarray) -> Solution:
    """Gradients in mm, one row a chunk."""
    chunks = np.zeros((len(gradients), TERMS))
    chunks[:, NORMAL_VECTOR] = gradients * RADIANS
    return Solution(Pose(np.eye(3), np.zeros(3)), 0.0, 1, chunks=chunks)


def test_covariance_is_twice_the_standard_error_of_the_regions() -> None:
    """Sixteen regions, each of which alone would put tx N(0, 0.5 mm) off: their mean is known to 0.5 mm / 4."""
    pulls = np.zeros((160, 6))
    pulls[:, 0] = np.repeat(np.random.default_rng(1).normal(0, 0.5, 16), 10) * MATRIX[0, 0] / 160
    spread = np.sqrt(np.diag(covariance(solution(pulls), inverse_curvature(MATRIX))))
    assert spread[0] == pytest.approx(2 * 0.5 / 4 * np.sqrt(16 / 10), rel=0.4)
    assert spread[1:3] == pytest.approx(0.01)
    assert np.degrees(spread[3:]) == pytest.approx(np.degrees(0.01 / 80))


@given(st.floats(0.001, 1000))
def test_covariance_does_not_depend_on_the_weight_of_samples(factor) -> None:
    pulls = np.random.default_rng(2).normal(0, 5, (64, 6))
    weighted = covariance(solution(factor * pulls), inverse_curvature(factor * MATRIX))
    np.testing.assert_allclose(weighted, covariance(solution(pulls), inverse_curvature(MATRIX)), rtol=1e-9)


@pytest.mark.parametrize("unseen", [0.0, -0.5])
def test_an_axis_that_nothing_shows_has_a_huge_deviation(unseen) -> None:
    spread = covariance(solution(np.random.default_rng(3).normal(0, 1, (64, 6))), inverse_curvature(np.diag([1.0, 1, unseen, 1, 1, 1])))
    assert np.isfinite(spread).all()
    assert np.sqrt(spread[2, 2]) > 100


def test_too_few_chunks_or_no_curvature_promise_nothing() -> None:
    assert inverse_curvature(np.zeros((6, 6))) is None
    for chunks, inverse in ((3, inverse_curvature(np.eye(6))), (64, None)):
        assert np.sqrt(covariance(solution(np.ones((chunks, 6))), inverse)[0, 0]) == pytest.approx(1000)


@pytest.mark.parametrize(
    ("way_mm", "deviation_mm", "expected"), [(0.09, 0.01, True), (0.12, 0.01, False), (0.12, 0.3, True), (0.18, 0.3, False)]
)
def test_a_pose_has_settled_where_the_way_left_is_short(way_mm, deviation_mm, expected) -> None:
    gradients = np.zeros((64, 6))
    gradients[:, 1] = way_mm * MATRIX[1, 1] / 64
    spread = deviation_mm**2 * np.eye(6) / np.outer(RADIANS, RADIANS)
    assert settled(solution(gradients), inverse_curvature(MATRIX), spread) is expected


def test_nothing_has_settled_where_nothing_is_shown() -> None:
    assert not settled(solution(np.zeros((64, 6))), None, np.eye(6))


class Bowl:
    """Half the cost of 100 samples rises with the square of each shift and turn (mm at 80 mm); `unseen` samples a mm leave the plan."""

    def __init__(self, curvatures, unseen=0.0) -> None:
        self.curvatures, self.unseen = np.array(curvatures, float), unseen

    def evaluate(self, pose, _scale):
        turn = pose.rotation
        turns_mm = 80 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        sums = np.zeros((1, TERMS))
        sums[0, INSIDE_COUNT] = 100 - self.unseen * abs(pose.shift_mm[2])
        sums[0, NORMAL_VECTOR] = sums[0, INSIDE_COUNT] * self.curvatures * np.concatenate([pose.shift_mm, turns_mm]) * RADIANS
        return sums


@pytest.mark.parametrize("unseen", [0.0, 5.0])
def test_curvature_of_a_bowl_however_many_samples_leave_the_plan(unseen) -> None:
    found = curvature(Bowl([4, 2, 0, 1, 3, 5], unseen), Pose(np.eye(3), np.zeros(3)), scale=1.0, probe_mm=1.5)
    np.testing.assert_allclose(found, np.diag([4, 2, 0, 1, 3, 5]), atol=1e-3)


def test_noise_has_no_curvature() -> None:
    """Two images of nothing but noise: the normal matrix sees slopes all over, the curvature does not."""
    noise = Volume(grid_about((0, 0, 0)), np.random.default_rng(1).normal(0, 100, (40, 72, 84)).astype(np.int16))
    other = Volume(daily_grid(), np.random.default_rng(2).normal(0, 100, (30, 76, 80)).astype(np.int16))
    plan, daily = prepare_plan(noise, VERBS), prepare_daily(other, VERBS)
    centres = Centres(ISOCENTRE_MM, daily.centre_mm)
    problem = LevelProblem(plan.levels[2], daily.levels[2], ISOCENTRE_MM, VERBS)
    pose = Pose.of(motion(), centres)
    sums = problem.evaluate(pose, 1.0).sum(axis=0)
    steepness = normal_matrix(sums) / np.outer(RADIANS, RADIANS) / sums[INSIDE_COUNT]
    assert np.abs(curvature(problem, pose, scale=1.0, probe_mm=1.5)).max() < 0.1 * np.linalg.eigvalsh(steepness).min()


def test_observability_is_the_least_share_of_any_level() -> None:
    clear, dim = np.diag([4.0, 2, 2, 2, 2, 1]), np.diag([4.0, 2, 2, 2, 2, 0.4])
    assert observability([clear, dim]) == pytest.approx(0.1)
    assert observability([clear, np.diag([4.0, 2, 2, 2, 2, -1])]) == 0.0
    assert observability([clear, np.zeros((6, 6))]) == 0.0


def test_largest_displacement_of_a_shift_and_of_a_turn() -> None:
    first = motion((1, 2, 3), degrees=4)
    shifted = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array([0.3, 0.4, 0]))
    assert largest_displacement_mm(first, shifted @ first, ISOCENTRE_MM) == pytest.approx(0.5)
    turn = axis_angle((0, 1, 1), 2.0)
    turned = RigidMotion(Frame.PLAN, Frame.PLAN, turn, ISOCENTRE_MM - turn @ ISOCENTRE_MM)
    assert largest_displacement_mm(first, turned @ first, ISOCENTRE_MM) == pytest.approx(2 * 80 * np.sin(np.radians(1)), rel=0.01)
