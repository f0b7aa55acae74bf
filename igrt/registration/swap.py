"""The match with the images exchanged: samples of the planning CT looked up in the daily image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from igrt.compute.verbs import Verbs
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.levels import LEVELS
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.samples import Samples
from igrt.registration.solver import Centres, LevelProblem, Motions, Pose, proper

SWAPPED = ((2, 6), (3, 4))  # levels of the exchanged match and the most steps there: what is finer costs more than it tells


class Exchanged:
    """The daily image's scores in the place of the plan's; a pose is of the plan in the daily image."""

    def __init__(self, plan: PreparedPlan, daily: PreparedDaily, verbs: Verbs) -> None:
        self.plan, self.daily, self._verbs = plan, daily, verbs
        self.centres = Centres(daily.centre_mm, plan.samples.centre_mm)
        self.match_centres = Centres(plan.samples.centre_mm, daily.centre_mm)

    def pose(self, plan_from_daily: RigidMotion) -> Pose:
        """The exchanged pose of a match."""
        back = plan_from_daily.inverse()
        return Pose(back.rotation, back.apply(self.centres.daily_mm) - self.centres.plan_mm)

    def plan_from_daily(self, pose: Pose) -> RigidMotion:
        """The match of an exchanged pose."""
        rotation = proper(pose.rotation)
        shift_mm = pose.shift_mm + self.centres.plan_mm - rotation @ self.centres.daily_mm
        return RigidMotion(Frame.PLAN, Frame.DAILY, rotation.T, -rotation.T @ shift_mm)

    def problem(self, level: int, samples: Samples, motions: Motions | None = None) -> LevelProblem:
        """A level's daily scores, and samples of the plan."""
        return LevelProblem(self.daily.scores[level], samples, self.centres.plan_mm, self._verbs, motions)

    def refine(self, pose: Pose, levels: Iterable[tuple[int, int]], samples: dict[int, Samples], motions: Motions | None = None) -> Pose:
        """Downhill through levels, each with the most steps that it may take."""
        for n, steps in levels:
            level = LEVELS[n]
            problem = self.problem(n, samples[n], motions)
            pose = problem.solve(pose, scale=level.scale, iterations=steps, tolerance_mm=level.tolerance_mm).pose
        return pose


def swapped_match(
    exchanged: Exchanged, plan_from_daily: RigidMotion, motions: Motions, plan_isocentre_mm: NDArray[np.float64]
) -> RigidMotion:
    """Where the match of the exchanged images ends that begins at the inverse of an answer, with the motions that were free."""
    about_mm = plan_from_daily.inverse().apply(plan_isocentre_mm + motions.about_mm) - exchanged.centres.plan_mm
    free = Motions(motions.free, about_mm if motions.free == (3, 4, 5) else np.zeros(3))
    pose = exchanged.refine(exchanged.pose(plan_from_daily), SWAPPED, exchanged.plan.samples.whole, free)
    return exchanged.plan_from_daily(pose)
