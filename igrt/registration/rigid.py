"""Rigid match of a daily volume to the planning CT: coarse to fine, from two starts, on what the options let it look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    resemblance,
    settled,
    way_left,
)
from igrt.registration.levels import LEVELS
from igrt.registration.match import Evidence, Match
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan, Samples
from igrt.registration.region import DRAWN_MARGIN_MM, drawn_within, masked_levels
from igrt.registration.search import NEXT, Search, thinned
from igrt.registration.solver import Centres, LevelProblem, Motions, Pose, Solution

Progress = Callable[[str, float], None]

SECOND_START_MM = 25.0
SECOND_START_DEG = 6.0
SECOND_START_SHIFT = np.array([2.0, -1.0, 2.0]) / 3.0  # unit vectors, along no axis of the images
SECOND_START_AXIS = np.array([-1.0, 2.0, 2.0]) / 3.0
LEAST_SAMPLES = 200
PROBED = (2, 3)  # the levels that tell which motions the images show; a finer one's voxels are too noisy
PROBING = 32_000  # samples for a curvature
FINISHING, LONGEST_FINISH_MM = 2, 1.0  # steps by the curvature, where those by the normal matrix became too short to arrive
FINISHING_SHARES = (1.0, 0.5, 0.25, 0.125)  # the cost has kinks: the lowest decides
REDRAWN_MM = DRAWN_MARGIN_MM / 2  # a pose this far from where samples were drawn asks for its own


@dataclass(frozen=True, slots=True)
class SecondStart:
    """How far away the second start lay, and how far apart the two answers are."""

    offset_mm: float
    offset_deg: float
    difference_mm: float


class CoarseToFine:
    """The levels of one pair of images, and the way down them.

    The search looks at the whole body, whatever the options: a part of it is not found from afar. What follows looks at the
    region alone, on samples drawn where it lies.
    """

    def __init__(
        self, plan: PreparedPlan, daily: PreparedDaily, plan_centre_mm: NDArray[np.float64], verbs: Verbs, options: MatchOptions
    ) -> None:
        self.plan, self.daily, self.options, self.motions = plan, daily, options, Motions.of(options, plan_centre_mm)
        self.centres, self._verbs = Centres(plan_centre_mm, daily.centre_mm), verbs
        self._levels = masked_levels(plan, options) if options.restricted else plan.levels
        self._drawn: tuple[RigidMotion, tuple[Samples, ...]] | None = None
        self._search = Search(plan, daily, plan_centre_mm, verbs, self.motions)

    def run(self, start: Pose) -> tuple[Solution, int]:
        """From a start to the finest level: the solution there, and the iterations from the coarsest on."""
        found = self._search.best(start)
        solution, iterations = self.refine(found.pose, NEXT if self.options.restricted else NEXT + 1)
        return solution, found.iterations + iterations

    def refine(self, pose: Pose, first: int) -> tuple[Solution, int]:
        """From a pose that is nearly right to the finest level, from level `first` on: the solution, and the iterations."""
        ends: list[Solution] = []
        for level, problem in list(zip(LEVELS, self.problems(pose), strict=True))[first:]:
            ends.append(problem.solve(pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm))
            pose = ends[-1].pose
        return ends[-1], sum(end.iterations for end in ends)

    def at(self, pose: Pose) -> Solution:
        """The finest level at a pose as it is."""
        finest, level = self.problems(pose)[-1], LEVELS[-1]
        chunks = finest.evaluate(pose, level.scale)
        return Solution(pose, finest.cost(chunks), 0, chunks=chunks)

    def problems(self, pose: Pose, most: int | None = None) -> list[LevelProblem]:
        """Each level with the samples for matches near a pose, or with about `most` of them."""
        samples = [each if most is None else thinned(each, most) for each in self._samples(pose)]
        pairs = zip(self._levels, samples, strict=True)
        return [LevelProblem(level, each, self.centres.plan_mm, self._verbs, self.motions) for level, each in pairs]

    def curvatures(self, pose: Pose, probes_mm: dict[int, float]) -> list[NDArray[np.float64]]:
        """(k, k) of the free motions at a pose, of some samples of each level asked for (docs/decisions/rigid-uncertainty.md)."""
        problems, basis = self.problems(pose, PROBING), self.motions.basis
        return [basis.T @ curvature(problems[n], pose, scale=LEVELS[n].scale, probe_mm=mm) @ basis for n, mm in probes_mm.items()]

    def _samples(self, pose: Pose) -> tuple[Samples, ...]:
        if not self.options.restricted:
            return self.daily.levels
        here = pose.plan_from_daily(self.centres)
        if self._drawn is None or largest_displacement_mm(self._drawn[0], here, self.centres.plan_mm) > REDRAWN_MM:
            self._drawn = here, drawn_within(self.plan, self.daily, self.options, here, self._verbs)
        return self._drawn[1]


def match_rigid(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    options: MatchOptions | None = None,
    progress: Progress | None = None,
) -> Match:
    """`plan_from_daily` with its evidence, sought around `start` as `options` say (by default the whole body, all six motions).

    `isocentre_mm` is the plan isocentre (plan LPS mm): rotations and the covariance are about it. The whole match runs a second
    time from a start 25 mm and 6 degrees away (of the motions that are free). `progress` is told a stage and a fraction. InputError
    where the daily image shows too little to match, or the region holds nothing. The same bits for any number of threads.
    """
    levels = _levels(plan, daily, start, isocentre_mm, verbs, options)
    told = progress or (lambda _stage, _fraction: None)
    centres, motions = levels.centres, levels.motions
    first = Pose.of(start, centres)
    told("match", 0.0)
    solution, iterations = levels.run(first)
    told("second start", 0.45)
    shift = SECOND_START_MM * SECOND_START_SHIFT * motions.translate
    turn = np.radians(SECOND_START_DEG) * SECOND_START_AXIS * motions.turn
    # The evidence is of the first start's samples, so they are used before the second may draw others.
    evidence_of = _Measured.finished(levels, solution)
    second, _ = levels.run(first.moved(np.concatenate([shift, turn]), motions.about_mm))
    told("evidence", 0.9)
    one, other = (found.pose.plan_from_daily(centres) for found in (solution, second))
    difference_mm = largest_displacement_mm(one, other, centres.plan_mm)
    seconds = SecondStart(SECOND_START_MM * motions.translate, SECOND_START_DEG * motions.turn, difference_mm)
    match = evidence_of.match(levels, verbs, seconds, iterations)
    told("evidence", 1.0)
    return match


def match_at(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    pose: RigidMotion,
    automatic: Match,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    options: MatchOptions | None = None,
) -> Match:
    """The match that someone made by hand: all evidence measured at `pose`, but the second start, which is that of the automatic match.

    A pose that the images do not bear out has not converged, and its samples do not agree.
    """
    levels = _levels(plan, daily, pose, isocentre_mm, verbs, options)
    found = automatic.evidence
    seconds = SecondStart(found.second_start_offset_mm, found.second_start_offset_deg, found.second_start_difference_mm)
    return _Measured.at(levels, levels.at(Pose.of(pose, levels.centres))).match(levels, verbs, seconds, 0)


def match_near(
    plan: PreparedPlan, daily: PreparedDaily, *, start: RigidMotion, isocentre_mm: ArrayLike, verbs: Verbs, options: MatchOptions
) -> Match:
    """The match of a part that lies within a few millimetres of where `start` has it, without a search and a second start.

    The second start's offset and difference are 0: nothing is proven by them.
    """
    levels = _levels(plan, daily, start, isocentre_mm, verbs, options)
    solution, iterations = levels.refine(Pose.of(start, levels.centres), NEXT)
    return _Measured.finished(levels, solution).match(levels, verbs, SecondStart(0.0, 0.0, 0.0), iterations)


def _levels(
    plan: PreparedPlan, daily: PreparedDaily, start: RigidMotion, isocentre_mm: ArrayLike, verbs: Verbs, options: MatchOptions | None
) -> CoarseToFine:
    if (start.target, start.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"a match starts from plan_from_daily; this start is {start.name}")
    if min(len(samples.values) for samples in daily.levels[NEXT:]) < LEAST_SAMPLES:
        raise InputError(
            "the daily image shows too little to match: it is blank, or too few slices to hold contrast; check the image that was sent"
        )
    return CoarseToFine(plan, daily, frozen_array(isocentre_mm, (3,), "isocentre_mm"), verbs, options or MatchOptions())


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What samples tell about a solution."""

    solution: Solution
    answer: RigidMotion
    spread: NDArray[np.float64]
    observability: float
    converged: bool
    way_mm: NDArray[np.float64] | None

    @classmethod
    def finished(cls, levels: CoarseToFine, solution: Solution) -> _Measured:
        """At the solution, or nearer to the minimum where it has not settled: noise makes the steps of Gauss-Newton too short."""
        measured = cls.at(levels, solution)
        for _ in range(FINISHING):
            way = measured.way_mm
            if measured.converged or way is None or not float(np.linalg.norm(way)) <= LONGEST_FINISH_MM:
                break
            steps = [levels.motions.small(-share * way) for share in FINISHING_SHARES]
            nearer = min((levels.at(measured.solution.pose.moved(s, levels.motions.about_mm)) for s in steps), key=lambda end: end.cost)
            if not nearer.cost < measured.solution.cost:
                break
            measured = cls.at(levels, nearer)
        return measured

    @classmethod
    def at(cls, levels: CoarseToFine, solution: Solution) -> _Measured:
        finest = len(LEVELS) - 1
        *coarser, fine = levels.curvatures(solution.pose, dict.fromkeys(PROBED, PROBE_MM) | {finest: FINE_PROBE_MM})
        inverse = inverse_curvature(solution.inside * fine)
        spread = covariance(solution, inverse, levels.motions)
        converged = settled(solution, inverse, spread, levels.motions)
        way = None if inverse is None else way_left(solution, inverse, levels.motions.basis)
        return cls(solution, solution.pose.plan_from_daily(levels.centres), spread, observability(coarser), converged, way)

    def match(self, levels: CoarseToFine, verbs: Verbs, second: SecondStart, iterations: int) -> Match:
        """With what every voxel tells."""
        options, deviations = levels.options, np.sqrt(np.diag(self.spread))
        alike = resemblance(levels.plan, levels.daily, self.answer, verbs, options=options)
        evidence = Evidence(
            overlap=min(alike.overlap, alike.region_shown),
            similarity=alike.region_similarity,
            inliers=self.solution.inliers,
            second_start_offset_mm=second.offset_mm,
            second_start_offset_deg=second.offset_deg,
            second_start_difference_mm=second.difference_mm,
            translation_sd_mm=triple(deviations[:3]),
            rotation_sd_deg=triple(np.degrees(deviations[3:])),
            observability=self.observability,
            samples=int(self.solution.inside) if options.restricted else len(levels.daily.levels[-1].values),
            iterations=iterations,
            converged=self.converged,
        )
        return Match(self.answer, self.spread, evidence, options, alike.similarity if options.restricted else None)


def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Three floats."""
    x, y, z = (float(value) for value in values)
    return x, y, z
