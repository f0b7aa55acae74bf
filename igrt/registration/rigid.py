"""Rigid match of a daily volume to the planning CT: 6 degrees of freedom, coarse to fine, from two starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.compute.verbs import Verbs
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.evidence import (
    FINE_PROBE_MM,
    PROBE_MM,
    covariance,
    curvature,
    inverse_curvature,
    largest_displacement_mm,
    observability,
    overlap_and_similarity,
    settled,
)
from igrt.registration.levels import LEVELS
from igrt.registration.match import Evidence, Match
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.search import FEW, SOME, search, thinned
from igrt.registration.solver import Centres, LevelProblem, Pose, Solution

Progress = Callable[[str, float], None]

SECOND_START_MM = 25.0
SECOND_START_DEG = 6.0
SECOND_START_SHIFT = np.array([2.0, -1.0, 2.0]) / 3.0  # unit vectors, along no axis of the images
SECOND_START_AXIS = np.array([-1.0, 2.0, 2.0]) / 3.0
LEAST_SAMPLES = 200
PROBED = (1, 2)  # the levels that tell which motions the images show; a finer one's voxels are too noisy
PROBING = 32_000  # samples for a curvature


class CoarseToFine:
    """The levels of one pair of images, and the way down them."""

    def __init__(self, plan: PreparedPlan, daily: PreparedDaily, plan_centre_mm: NDArray[np.float64], verbs: Verbs) -> None:
        self.problems = [LevelProblem(p, s, plan_centre_mm, verbs) for p, s in zip(plan.levels, daily.levels, strict=True)]
        coarsest, samples = plan.levels[0], daily.levels[0]
        self._some, self._few = (LevelProblem(coarsest, thinned(samples, n), plan_centre_mm, verbs) for n in (SOME, FEW))
        probing = [thinned(s, PROBING) for s in daily.levels]
        self._probes = [LevelProblem(p, s, plan_centre_mm, verbs) for p, s in zip(plan.levels, probing, strict=True)]

    def run(self, start: Pose) -> tuple[Solution, int]:
        """From a start to the finest level: the solution there, and the iterations from the coarsest on."""
        solution = search(start, all_samples=self.problems[0], some=self._some, few=self._few)
        iterations = solution.iterations
        for level, problem in zip(LEVELS[1:], self.problems[1:], strict=True):
            solution = problem.solve(solution.pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm)
            iterations += solution.iterations
        return solution, iterations

    def curvature(self, pose: Pose, *, level: int, probe_mm: float) -> NDArray[np.float64]:
        """(6, 6) at a pose, of some samples of one level (docs/decisions/rigid-uncertainty.md)."""
        return curvature(self._probes[level], pose, scale=LEVELS[level].scale, probe_mm=probe_mm)


def match_rigid(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    progress: Progress | None = None,
) -> Match:
    """`plan_from_daily` with its evidence, sought around `start`.

    `isocentre_mm` is the plan isocentre (plan LPS mm): rotations and the covariance are about it. The whole match runs a second
    time from a start 25 mm and 6 degrees away. `progress` is told a stage and a fraction. InputError where the daily image shows
    too little to match. The same bits for any number of threads.
    """
    if (start.target, start.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"a match starts from plan_from_daily; this start is {start.name}")
    if min(len(samples.values) for samples in daily.levels) < LEAST_SAMPLES:
        raise InputError(
            "the daily image shows too little to match: it is blank, or too few slices to hold contrast; check the image that was sent"
        )
    told = progress or (lambda _stage, _fraction: None)
    centres = Centres(frozen_array(isocentre_mm, (3,), "isocentre_mm"), daily.centre_mm)
    levels = CoarseToFine(plan, daily, centres.plan_mm, verbs)
    first = Pose.of(start, centres)
    told("match", 0.0)
    solution, iterations = levels.run(first)
    told("second start", 0.45)
    away = np.concatenate([SECOND_START_MM * SECOND_START_SHIFT, np.radians(SECOND_START_DEG) * SECOND_START_AXIS])
    second, _ = levels.run(first.moved(away))
    told("evidence", 0.9)
    answer, other = (found.pose.plan_from_daily(centres) for found in (solution, second))
    inverse = inverse_curvature(solution.inside * levels.curvature(solution.pose, level=-1, probe_mm=FINE_PROBE_MM))
    spread = covariance(solution, inverse)
    overlap, similarity = overlap_and_similarity(plan, daily, answer, verbs)
    deviations = np.sqrt(np.diag(spread))
    evidence = Evidence(
        overlap=overlap,
        similarity=similarity,
        inliers=solution.inliers,
        second_start_offset_mm=SECOND_START_MM,
        second_start_offset_deg=SECOND_START_DEG,
        second_start_difference_mm=largest_displacement_mm(answer, other, centres.plan_mm),
        translation_sd_mm=triple(deviations[:3]),
        rotation_sd_deg=triple(np.degrees(deviations[3:])),
        observability=observability(levels.curvature(solution.pose, level=n, probe_mm=PROBE_MM) for n in PROBED),
        samples=len(daily.levels[-1].values),
        iterations=iterations,
        converged=settled(solution, inverse, spread),
    )
    told("evidence", 1.0)
    return Match(answer, spread, evidence)


def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Three floats."""
    x, y, z = (float(value) for value in values)
    return x, y, z
