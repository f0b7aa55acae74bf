"""The first pose: translations all around the start, judged on the coarsest level, the best of them followed downhill."""

from __future__ import annotations

import itertools

import numpy as np

from igrt.registration.levels import LEVELS
from igrt.registration.preparation import Samples
from igrt.registration.solver import LevelProblem, Pose, Solution

SEARCH_REACH_MM = 64.0
SEARCH_STEP_MM = 16.0  # about half the window of the coarsest level
FEW, SOME = 1024, 4096  # samples to judge every translation, and to follow the best
KEPT, FOLLOWED = 12, 4
WIDE_SCALE = 2.0  # a larger robust scale widens the basin


def thinned(samples: Samples, wanted: int) -> Samples:
    """Every n-th sample, about `wanted` of them."""
    step = max(len(samples.values) // wanted, 1)
    return Samples(np.ascontiguousarray(samples.positions_mm[:, ::step]), np.ascontiguousarray(samples.values[::step]))


def search(start: Pose, *, all_samples: LevelProblem, some: LevelProblem, few: LevelProblem) -> Solution:
    """The best pose within about 60 mm and 15 degrees of `start` on the coarsest level."""
    steps = np.arange(-SEARCH_REACH_MM, SEARCH_REACH_MM + 1, SEARCH_STEP_MM)
    poses = [Pose(start.rotation, start.shift_mm + shift) for shift in itertools.product(steps, steps, steps)]
    order = np.argsort([few.cost(few.evaluate(pose, 1.0)) for pose in poses], kind="stable")
    followed = [some.solve(poses[n], scale=1.0, iterations=12, tolerance_mm=0.5) for n in order[:KEPT]]
    followed.sort(key=lambda solution: solution.cost)
    level, best = LEVELS[0], []
    for solution in followed[:FOLLOWED]:
        wide = all_samples.solve(solution.pose, scale=WIDE_SCALE, iterations=25, tolerance_mm=0.5)
        best.append(all_samples.solve(wide.pose, scale=level.scale, iterations=level.iterations, tolerance_mm=level.tolerance_mm))
    return min(best, key=lambda solution: solution.cost)
