"""The way of a match down its levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.evidence import curvature, largest_displacement_mm
from igrt.registration.levels import LEVELS
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.region import DRAWN_MARGIN_MM, drawn_within, masked_levels
from igrt.registration.samples import Samples, thinned
from igrt.registration.search import NEXT, Search
from igrt.registration.solver import Centres, LevelProblem, Motions, Pose, Solution

FINEST = len(LEVELS) - 1
PROBING = {2: 4_000, 3: 6_000, FINEST: 16_000}  # levels, and samples for a curvature
REDRAWN_MM = DRAWN_MARGIN_MM / 2  # a pose this far from where samples were drawn asks for its own


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where each level ended that was gone through, and all iterations."""

    ends: dict[int, Solution]
    iterations: int

    @property
    def solution(self) -> Solution:
        """That of the last level."""
        return self.ends[max(self.ends)]


class CoarseToFine:
    """The levels of one pair of images, and the way down them.

    The search looks at the whole body, whatever the options: a part of it is not found from afar. What follows looks at the
    region alone, on samples drawn where it lies.
    """

    def __init__(
        self, plan: PreparedPlan, daily: PreparedDaily, plan_centre_mm: NDArray[np.float64], verbs: Verbs, options: MatchOptions
    ) -> None:
        self.plan, self.daily, self.options, self.motions = plan, daily, options, Motions.of(options, plan_centre_mm)
        self.centres, self.verbs = Centres(plan_centre_mm, daily.centre_mm), verbs
        self._levels = masked_levels(plan, options) if options.restricted else plan.levels
        self._drawn: tuple[RigidMotion, tuple[Samples, ...]] | None = None
        self.search = Search(plan, daily, plan_centre_mm, verbs, self.motions)

    def run(self, start: Pose, last: int = FINEST) -> Descent:
        """From a start to the finest level, or by a brief search and down to level `last`."""
        found = self.search.best(start, brief=last < FINEST)
        descent = self.refine(found.pose, NEXT if self.options.restricted else NEXT + 1, last)
        return Descent(descent.ends, found.iterations + descent.iterations)

    def refine(self, pose: Pose, first: int, last: int = FINEST) -> Descent:
        """From a pose that is nearly right down to the finest level, or to level `last`, from level `first` on."""
        ends: dict[int, Solution] = {}
        samples = self._samples(pose)
        for n in range(first, last + 1):
            level, problem = LEVELS[n], self._problem(n, samples[n])
            ends[n] = problem.solve(pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm)
            pose = ends[n].pose
        return Descent(ends, sum(end.iterations for end in ends.values()))

    def at(self, pose: Pose) -> Solution:
        """The finest level at a pose as it is."""
        finest, level = self.problems(pose)[-1], LEVELS[-1]
        chunks = finest.evaluate(pose, level.scale)
        return Solution(pose, finest.cost(chunks), 0, chunks=chunks)

    def problems(self, pose: Pose, most: dict[int, int] | None = None) -> list[LevelProblem]:
        """Each level with the samples for matches near a pose, or with about `most` of them."""
        wanted = most or {}
        samples = [thinned(each, wanted[n]) if n in wanted else each for n, each in enumerate(self._samples(pose))]
        return [self._problem(n, each) for n, each in enumerate(samples)]

    def _problem(self, level: int, samples: Samples) -> LevelProblem:
        return LevelProblem(self._levels[level], samples, self.centres.plan_mm, self.verbs, self.motions)

    def curvatures(self, pose: Pose, probes_mm: dict[int, float]) -> list[NDArray[np.float64]]:
        """(k, k) of the free motions at a pose, of some samples of each level asked for (docs/decisions/rigid-uncertainty.md)."""
        problems, basis = self.problems(pose, PROBING), self.motions.basis
        return [basis.T @ curvature(problems[n], pose, scale=LEVELS[n].scale, probe_mm=mm) @ basis for n, mm in probes_mm.items()]

    def _samples(self, pose: Pose) -> tuple[Samples, ...]:
        if not self.options.restricted:
            return self.daily.levels
        here = pose.plan_from_daily(self.centres)
        if self._drawn is None or largest_displacement_mm(self._drawn[0], here, self.centres.plan_mm) > REDRAWN_MM:
            self._drawn = here, drawn_within(self.plan, self.daily, self.options, here, self.verbs)
        return self._drawn[1]
