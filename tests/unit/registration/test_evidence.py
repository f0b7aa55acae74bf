"""Evidence on cases whose answer is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR, ROBUST_COST, TERMS
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import covariance, largest_displacement_mm, observability, overlap_and_similarity
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.solver import Pose, Solution
from tests.registration_cases import ISOCENTRE_MM, axis_angle, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
DAILY = prepare_daily(image(daily_grid(), motion(), gain=0.8, offset=40, noise=10), VERBS)


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


def solution(matrix: np.ndarray, gradients: np.ndarray) -> Solution:
    chunks = np.zeros((len(gradients), TERMS))
    chunks[0, :21] = matrix[np.triu_indices(6)]
    chunks[:, NORMAL_VECTOR] = gradients
    return Solution(Pose(np.eye(3), np.zeros(3)), 0.0, 1, converged=True, chunks=chunks)


def test_covariance_is_what_regions_disagree_by() -> None:
    """Regions that each pull tx by N(0, 0.5 mm): that is the stated deviation, in whatever axes."""
    matrix = np.diag([400.0, 300, 200, 3e6, 2e6, 1e6])
    pulls = np.zeros((160, 6))
    pulls[:, 0] = np.repeat(np.random.default_rng(1).normal(0, 0.5, 16), 10) * matrix[0, 0] / 160
    spread = np.sqrt(np.diag(covariance(solution(matrix, pulls))))
    assert spread[0] == pytest.approx(0.5 * np.sqrt(16 / 10), rel=0.4)
    assert spread[1:3] == pytest.approx(0.01)
    assert np.degrees(spread[3:]) == pytest.approx(np.degrees(0.01 / 80))


@given(st.floats(0.001, 1000))
def test_covariance_does_not_depend_on_the_weight_of_samples(factor) -> None:
    rng = np.random.default_rng(2)
    matrix, pulls = np.diag([400.0, 300, 200, 3e6, 2e6, 1e6]), rng.normal(0, 5, (64, 6))
    np.testing.assert_allclose(covariance(solution(factor * matrix, factor * pulls)), covariance(solution(matrix, pulls)), rtol=1e-9)


@pytest.mark.parametrize("matrix", [np.zeros((6, 6)), np.diag([1.0, 1, 0, 1e4, 1e4, 1e4])])
def test_an_axis_that_nothing_shows_has_a_huge_deviation(matrix) -> None:
    pulls = np.random.default_rng(3).normal(0, 1, (64, 6))
    unseen = solution(matrix, pulls)
    spread = covariance(unseen)
    assert np.isfinite(spread).all()
    assert np.sqrt(spread[2, 2]) > 100


def test_too_few_chunks_promise_nothing() -> None:
    few = solution(np.eye(6), np.ones((3, 6)))
    assert np.sqrt(covariance(few)[0, 0]) == pytest.approx(1000)


class Bowl:
    """A cost that rises with the square of each shift and of the turn about x, mm at 80 mm; `unseen` samples a mm leave the plan."""

    def __init__(self, rises, unseen=0.0) -> None:
        self.rises, self.unseen = np.array(rises), unseen

    def evaluate(self, pose, _scale):
        turn_mm = 80 * np.arctan2(pose.rotation[2, 1], pose.rotation[2, 2])
        sums = np.zeros((1, 32))
        sums[0, INSIDE_COUNT] = 100 - self.unseen * abs(pose.shift_mm[2])
        sums[0, ROBUST_COST] = sums[0, INSIDE_COUNT] * (self.rises @ np.array([*pose.shift_mm, turn_mm]) ** 2)
        return sums


def test_observability_is_the_least_rise_of_the_cost_over_the_largest() -> None:
    flat = solution(np.diag([4.0, 3, 2, 1, 1, 1]), np.zeros((20, 6)))
    assert observability(Bowl([4, 2, 3, 1]), flat, 1.0) == 0.0  # two turns change nothing


@pytest.mark.parametrize("unseen", [0.0, 5.0])
def test_a_shift_that_nothing_shows_has_no_observability_however_many_samples_leave_the_plan(unseen) -> None:
    assert observability(Bowl([4, 2, 0, 1], unseen), solution(np.eye(6), np.zeros((20, 6))), 1.0) == 0.0


def test_nothing_is_observed_where_the_cost_is_flat() -> None:
    assert observability(Bowl([0, 0, 0, 0]), solution(np.eye(6), np.zeros((20, 6))), 1.0) == 0.0


def test_largest_displacement_of_a_shift_and_of_a_turn() -> None:
    first = motion((1, 2, 3), degrees=4)
    shifted = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array([0.3, 0.4, 0]))
    assert largest_displacement_mm(first, shifted @ first, ISOCENTRE_MM) == pytest.approx(0.5)
    turn = axis_angle((0, 1, 1), 2.0)
    turned = RigidMotion(Frame.PLAN, Frame.PLAN, turn, ISOCENTRE_MM - turn @ ISOCENTRE_MM)
    assert largest_displacement_mm(first, turned @ first, ISOCENTRE_MM) == pytest.approx(2 * 80 * np.sin(np.radians(1)), rel=0.01)
