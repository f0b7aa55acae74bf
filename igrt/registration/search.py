"""The first pose: shifts and turns all around the start, judged on the coarsest level, the best of them followed downhill."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from igrt.compute.verbs import Verbs
from igrt.registration.levels import LEVELS
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.samples import at_most, thinned
from igrt.registration.solver import COST_OF_THE_UNSEEN, LevelProblem, Motions, Pose, Solution
from igrt.registration.sweep import Sweep

REACH_MM = 80.0
TURN_DEG = 14.0  # either way and not at all, about each axis
FEW, SOME = 256, 4096  # samples to judge every pose, and to follow the best
SURE = 0.12  # cost: what is right ends at 0.06 to 0.16, what is wrong at 0.17 and more (docs/decisions/rigid-search.md)
KEPT, FOLLOWED = 12, 3
KEPT_AT_ONCE = 4
CLEARLY = 0.01  # a lower cost than this is another valley
WIDE_SCALE = 2.0  # a larger robust scale widens the basin
BRIEF_SAMPLES = 4_096
LEAST_COST = 1e-3  # two copies of one image
COARSEST, NEXT = 0, 1
RIVAL_MM, RIVAL_DEG = 10.0, 5.0  # farther than this from the answer is another optimum
RIVALS, RIVALS_APART_MM, RIVAL_STEPS, RIVAL_SAMPLES = 3, 24.0, 8, 1_024
LEAST_COARSE = 200  # samples; a few slices show nothing in voxels of 10 mm, and are searched on the next level


class Search:
    """For the right valley, from up to 80 mm and 20 degrees away along and about every axis, of the motions that are free."""

    def __init__(
        self, plan: PreparedPlan, daily: PreparedDaily, plan_centre_mm: NDArray[np.float64], verbs: Verbs, motions: Motions
    ) -> None:
        coarsest = COARSEST if len(daily.levels[COARSEST].values) >= LEAST_COARSE else NEXT
        self._scores, self._samples, self._level = plan.levels[coarsest], daily.levels[coarsest], LEVELS[coarsest]
        self._centre, self._motions = plan_centre_mm, motions
        self._some = LevelProblem(self._scores, thinned(self._samples, SOME), plan_centre_mm, verbs, motions)
        self._next = LevelProblem(plan.levels[NEXT], daily.levels[NEXT], plan_centre_mm, verbs, motions)
        self._next_few = LevelProblem(plan.levels[NEXT], at_most(daily.levels[NEXT], BRIEF_SAMPLES), plan_centre_mm, verbs, motions)
        self._few = LevelProblem(self._scores, at_most(self._samples, RIVAL_SAMPLES), plan_centre_mm, verbs, motions)
        self._ends: list[Solution] = []
        self._swept: NDArray[np.float64] = np.zeros((0, 3))

    def best(self, start: Pose, *, brief: bool = False) -> Solution:
        """The best pose on the second level. Turned starts are tried where shifts alone end at a cost that leaves a doubt.

        `brief`: on fewer samples, which tell the valley but not its lowest place.
        """
        ends = self._followed(self._ranked(start, [(0.0, 0.0, 0.0)])[:KEPT_AT_ONCE], brief=brief)
        straight = self._finer(ends[0], brief=brief)
        if straight.cost <= SURE or not self._motions.turn:
            return straight
        turns = [(x, y, z) for x, y, z in itertools.product((-TURN_DEG, 0.0, TURN_DEG), repeat=3)]
        turned = self._followed(self._ranked(start, turns)[:KEPT], brief=brief)[:FOLLOWED]
        found = min(straight, *(self._finer(end, brief=brief) for end in turned), key=lambda solution: solution.cost)
        # Where much of the image lies beyond the plan, the coarsest level ranks by overlap: its others have their chance too.
        other = min((self._finer(end, brief=brief) for end in ends[1:]), key=lambda solution: solution.cost, default=found)
        return other if other.cost < found.cost - CLEARLY else found

    def rival_margin(self, answer: Pose) -> float:
        """How much more a sample costs in the best other optimum on the coarsest level than in the answer's, as a share of the latter.

        Other optima are where searches ended over 10 mm or 5 degrees from the answer, and where the best shifts over 24 mm away lead. Where
        all lead back to the answer, the other costs what two images cost that have nothing in common.
        """
        scale, tolerance_mm = self._level.scale, self._level.tolerance_mm
        problem = self._few
        here = problem.solve(answer, scale=scale, iterations=RIVAL_STEPS, tolerance_mm=tolerance_mm)
        far = [problem.solve(pose, scale=scale, iterations=RIVAL_STEPS, tolerance_mm=tolerance_mm).pose for pose in self._far_from(answer)]
        poses = [pose for pose in [*(end.pose for end in self._ends), *far] if apart(pose, here.pose)]
        costs = [problem.cost(problem.evaluate(pose, scale)) for pose in poses]
        return (min(costs, default=COST_OF_THE_UNSEEN) - here.cost) / max(here.cost, LEAST_COST)

    def _far_from(self, answer: Pose) -> list[Pose]:
        """The best places of the first sweep that lie apart from an answer and from each other."""
        places = [answer.shift_mm]
        for place in self._swept:
            if len(places) > RIVALS:
                break
            if min(float(np.linalg.norm(place - other)) for other in places) >= RIVALS_APART_MM:
                places.append(place)
        return [Pose(answer.rotation, place) for place in places[1:]]

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self._scores, thinned(self._samples, FEW), self._centre, REACH_MM if self._motions.translate else 0.0)

    def _ranked(self, start: Pose, turns_deg: Iterable[tuple[float, float, float]]) -> list[Pose]:
        """The best shifts of every turn, best first: a few of each, so that no turn fills the list."""
        found: list[tuple[float, Pose]] = []
        turns = list(turns_deg)
        each = KEPT_AT_ONCE if len(turns) == 1 else 1
        for turn in turns:
            turned = start.moved(np.concatenate([np.zeros(3), np.radians(turn)]), self._motions.about_mm)
            costs = self._sweep.costs(turned)
            shifts = self._sweep.shifts_mm
            if not len(self._swept):
                self._swept = turned.shift_mm + shifts[np.argsort(costs, kind="stable")]
            found += [
                (float(costs[n]), Pose(turned.rotation, turned.shift_mm + shifts[n])) for n in np.argsort(costs, kind="stable")[:each]
            ]
        return [pose for _, pose in sorted(found, key=lambda one: one[0])]

    def _followed(self, poses: list[Pose], *, brief: bool) -> list[Solution]:
        """Downhill from each on some samples of the coarsest level, the lowest first."""
        some, level = self._few if brief else self._some, self._level
        ends = [some.solve(pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm) for pose in poses]
        self._ends += ends
        return sorted(ends, key=lambda solution: solution.cost)

    def _finer(self, end: Solution, *, brief: bool) -> Solution:
        """Downhill from there on the next level, first on a wider robust scale."""
        problem, level = self._next_few if brief else self._next, LEVELS[NEXT]
        wide = problem.solve(end.pose, scale=WIDE_SCALE, iterations=25, tolerance_mm=0.5)
        return problem.solve(wide.pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm)


def apart(one: Pose, other: Pose) -> bool:
    """Whether two poses are different answers: over 10 mm at the daily centre, or over 5 degrees."""
    cosine = (float(np.trace(one.rotation @ other.rotation.T)) - 1) / 2
    return float(np.linalg.norm(one.shift_mm - other.shift_mm)) > RIVAL_MM or cosine < float(np.cos(np.radians(RIVAL_DEG)))
