"""A metric of another kind at the answer: how well one curve from daily to planned HU explains the CT, and where it would do best.

Correlation ratio: the CT's HU as a function of the daily HU alone, of the whole image, without windows: 1 less the share of the variance
of the planned HU that the curve leaves. A bone must lie where the CT has bone, anywhere in the image: local scores, which the match goes
by, know edges alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import HIGHEST_HU, LOWEST_HU, SCORE_UNIT
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.match import NOT_KNOWN
from igrt.registration.preparation import BODY_LEVEL, PreparedDaily, PreparedPlan
from igrt.registration.samples import LevelScores, Samples, thinned
from igrt.registration.solver import Centres, LevelProblem, Motions, Pose

SAMPLES = 8_000
KNOTS_HU = np.array([-1024.0, -900, -700, -400, -200, -100, -50, 0, 50, 100, 200, 400, 700, 1100, 1700, 3071])
BENDS = np.zeros((len(KNOTS_HU) - 2, len(KNOTS_HU)))  # how far each knot lies from the line between its neighbours
for _row, (_before, _after) in enumerate(zip(np.diff(KNOTS_HU)[:-1], np.diff(KNOTS_HU)[1:], strict=True)):
    BENDS[_row, _row : _row + 3] = [-_after / (_before + _after), 1.0, -_before / (_before + _after)]
ROUNDS, STEPS, TOLERANCE_MM = 2, 4, 0.02
SCALES, LEAST_SCALE_HU = 2.0, 50.0  # robust scale: so many median residuals
STIFFNESS = 20.0  # samples' worth of pull of a knot to the line between its neighbours
LEAST_INSIDE = 0.3


@dataclass(frozen=True, slots=True)
class SecondMetric:
    """Correlation ratio at the answer, in [0, 1], and the largest displacement within 80 mm to where it is best."""

    value: float
    offset_mm: float


def second_metric(
    plan: PreparedPlan,
    daily: PreparedDaily,
    plan_from_daily: RigidMotion,
    *,
    isocentre_mm: NDArray[np.float64],
    verbs: Verbs,
    motions: Motions | None = None,
) -> SecondMetric:
    """At a pose, along the motions that are free."""
    free = motions or Motions()
    centres = Centres(isocentre_mm, daily.centre_mm)
    samples = thinned(daily.levels[BODY_LEVEL], SAMPLES)
    curve = Curve.of(daily_hu(daily, samples))
    scored = LevelScores(plan.region.volume.grid, plan.region.volume.hu)
    pose, value = Pose.of(plan_from_daily, centres), 0.0
    for round_ in range(ROUNDS):
        planned = planned_hu(plan, samples, pose, centres, verbs)
        inside = np.isfinite(planned)
        if not inside.sum() >= LEAST_INSIDE * len(planned):
            return SecondMetric(0.0, NOT_KNOWN)
        explained = curve.fitted(planned, inside)
        left = (planned - explained)[inside]
        if not round_:
            value = 1.0 - float(left.var() / max(planned[inside].var(), 1e-9))
        scale = max(SCALES * float(np.median(np.abs(left))), LEAST_SCALE_HU) / SCORE_UNIT
        problem = LevelProblem(
            scored, Samples(samples.positions_mm, (explained / SCORE_UNIT).astype(np.float32)), isocentre_mm, verbs, free
        )
        solution = problem.solve(pose, scale=scale, iterations=STEPS, tolerance_mm=TOLERANCE_MM)
        pose = solution.pose
        if solution.iterations == 1:
            break
    offset = largest_displacement_mm(plan_from_daily, pose.plan_from_daily(centres), isocentre_mm)
    return SecondMetric(min(max(value, 0.0), 1.0), offset)


def daily_hu(daily: PreparedDaily, samples: Samples) -> NDArray[np.float64]:
    """(n,) HU of the daily image at samples, which lie on its voxels."""
    volume = daily.region.volume
    affine = volume.grid.index_from_mm
    index = np.rint(affine[:, :3] @ samples.positions_mm + (affine[:, :3] @ daily.centre_mm + affine[:, 3])[:, None]).astype(np.intp)
    return np.asarray(np.clip(volume.hu[index[2], index[1], index[0]], LOWEST_HU, HIGHEST_HU), np.float64)


def planned_hu(plan: PreparedPlan, samples: Samples, pose: Pose, centres: Centres, verbs: Verbs) -> NDArray[np.float64]:
    """(n,) HU of the CT at samples, NaN beyond it."""
    points = (pose.rotation @ samples.positions_mm + (pose.shift_mm + centres.plan_mm)[:, None]).T
    return verbs.interpolate(plan.region.volume, points).astype(np.float64)


class Curve:
    """Piecewise linear curves of the daily HU of some samples."""

    def __init__(self, low: NDArray[np.intp], share: NDArray[np.float64]) -> None:
        self._low, self._share = low, share

    @classmethod
    def of(cls, seen: NDArray[np.float64]) -> Curve:
        """Of samples (n,) HU."""
        low = np.clip(np.searchsorted(KNOTS_HU, seen, side="right") - 1, 0, len(KNOTS_HU) - 2)
        return cls(low, (seen - KNOTS_HU[low]) / np.diff(KNOTS_HU)[low])

    def fitted(self, planned: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) the curve at the samples: least squares to `planned` where `inside`; knots with few samples lie between their neighbours."""
        n, low, high = len(KNOTS_HU), self._low, self._share
        wanted, weight = np.where(inside, planned, 0.0), inside.astype(np.float64)
        lower, upper = (1 - high) * weight, high * weight
        diagonal = np.bincount(low, lower * (1 - high), n) + np.bincount(low + 1, upper * high, n)
        beside = np.bincount(low, lower * high, n)[:-1]
        matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        vector = np.bincount(low, lower * wanted, n) + np.bincount(low + 1, upper * wanted, n)
        knots = np.linalg.solve(matrix + STIFFNESS * BENDS.T @ BENDS + 1e-6 * np.eye(n), vector)
        return np.asarray(knots[low] + high * np.diff(knots)[low])
