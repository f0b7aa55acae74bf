"""Gauss-Newton on one level: from a pose to the nearest pose where the two images' local scores agree."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INLIER_COUNT, INSIDE_COUNT, MATRIX_TERMS, NORMAL_VECTOR, ROBUST_COST
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.options import Freedom, MatchOptions
from igrt.registration.samples import LevelScores, Samples

REACH_MM = 80.0  # rotations are weighed by what they move at this distance from the isocentre
LARGEST_STEP_MM = 10.0
LEAST_SHARE = 1 / 8  # of a step, where steps go to and fro
DAMPING = 1e-4  # of the mean eigenvalue: keeps a step finite along an axis that the samples do not show
COST_OF_THE_UNSEEN = 0.6  # of a sample beyond the plan's body: what unrelated scores cost on average
RADIANS = np.array([1.0, 1.0, 1.0, REACH_MM, REACH_MM, REACH_MM])
SQUARED_RADIANS = np.outer(RADIANS, RADIANS)
UPPER = np.triu_indices(6)
ISOCENTRE = np.zeros(3)


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """The points that a pose is expressed about: the plan isocentre in plan mm, the centre of the daily grid in daily mm."""

    plan_mm: NDArray[np.float64]
    daily_mm: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """y = rotation s + shift_mm: s about the daily centre, y about the plan isocentre."""

    rotation: NDArray[np.float64]
    shift_mm: NDArray[np.float64]

    @classmethod
    def of(cls, plan_from_daily: RigidMotion, centres: Centres) -> Pose:
        """The pose of a rigid motion."""
        return cls(plan_from_daily.rotation, plan_from_daily.apply(centres.daily_mm) - centres.plan_mm)

    def plan_from_daily(self, centres: Centres) -> RigidMotion:
        """The rigid motion of a pose."""
        rotation = proper(self.rotation)
        return RigidMotion(Frame.PLAN, Frame.DAILY, rotation, self.shift_mm + centres.plan_mm - rotation @ centres.daily_mm)

    def moved(self, small: NDArray[np.float64], about_mm: NDArray[np.float64] = ISOCENTRE) -> Pose:
        """After a further motion of plan points (tx, ty, tz in mm, wx, wy, wz in rad) about a point beside the isocentre (mm)."""
        turn = rotation_of(small[3:])
        return Pose(turn @ self.rotation, turn @ (self.shift_mm - about_mm) + about_mm + small[:3])


@dataclass(frozen=True, slots=True, eq=False)
class Motions:
    """The motions that are free: indices of (tx, ty, tz, wx, wy, wz) about a point, mm from the plan isocentre."""

    free: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    about_mm: NDArray[np.float64] = field(default_factory=lambda: ISOCENTRE)

    @classmethod
    def of(cls, options: MatchOptions, isocentre_mm: NDArray[np.float64]) -> Motions:
        """Those that the options leave free."""
        if options.freedom is Freedom.TRANSLATIONS:
            return cls((0, 1, 2))
        if options.freedom is Freedom.ROTATIONS:
            centre = isocentre_mm if options.rotation_centre_mm is None else np.array(options.rotation_centre_mm)
            return cls((3, 4, 5), centre - isocentre_mm)
        return cls()

    @property
    def basis(self) -> NDArray[np.float64]:
        """(6, k): what each free motion is about the isocentre, rotations as mm at 80 mm."""
        x, y, z = self.about_mm / REACH_MM
        whole = np.eye(6)
        whole[:3, 3:] = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]  # t + w x (p - about) is, about the isocentre, t + about x w
        return np.asarray(whole[:, list(self.free)])

    def small(self, step_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """(6,) the motion about the point (mm, rad) of a step (k,) along the free motions (mm, rotations as mm at 80 mm)."""
        whole = np.zeros(6)
        whole[list(self.free)] = step_mm
        return np.asarray(whole / RADIANS)

    @property
    def translate(self) -> bool:
        """Whether shifts are free."""
        return 0 in self.free

    @property
    def turn(self) -> bool:
        """Whether rotations are free."""
        return 3 in self.free


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Where the iteration ended. `chunks` (n, 32) are the sums of the last evaluation, one row a chunk of neighbouring samples."""

    pose: Pose
    cost: float
    iterations: int
    chunks: NDArray[np.float64]

    @property
    def inside(self) -> float:
        """Number of samples that fell on the plan's body."""
        return float(self.chunks[:, INSIDE_COUNT].sum())

    @property
    def inliers(self) -> float:
        """Share of these whose residual is below the robust scale."""
        return float(self.chunks[:, INLIER_COUNT].sum()) / max(self.inside, 1.0)


def proper(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest rotation (3, 3): products of many drift by rounding."""
    u, _, v = np.linalg.svd(rotation)
    return np.asarray(u @ v)


def length(vector: NDArray[np.float64]) -> float:
    """Of a vector; a third of the time that numpy's norm takes to find out which norm is meant."""
    return math.sqrt(float(vector @ vector))


def rotation_of(w: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) rotation by |w| rad about w (Rodrigues)."""
    angle = length(w)
    cross = np.array([[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]])
    if angle < 1e-9:
        return np.asarray(np.eye(3) + cross)
    return np.asarray(np.eye(3) + np.sin(angle) / angle * cross + (1 - np.cos(angle)) / angle**2 * cross @ cross)


def normal_matrix(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric (6, 6) normal matrix of one row of sums, order tx, ty, tz (mm), wx, wy, wz (rad)."""
    matrix = np.empty((6, 6))
    matrix[UPPER] = matrix[UPPER[::-1]] = sums[:MATRIX_TERMS]
    return matrix


class LevelProblem:
    """One level's plan and samples, ready to be evaluated at any pose."""

    def __init__(
        self, plan: LevelScores, samples: Samples, plan_centre_mm: NDArray[np.float64], verbs: Verbs, motions: Motions | None = None
    ) -> None:
        self.motions = motions or Motions()
        self._scores = plan.scores
        self._samples = samples
        self._verbs = verbs
        affine = plan.grid.index_from_mm
        affine[:, 3] += affine[:, :3] @ plan_centre_mm
        self._index_from_mm = affine
        verbs.hold(plan.scores, samples.positions_mm, samples.values)

    def evaluate(self, pose: Pose, scale: float) -> NDArray[np.float64]:
        """Sums by chunk (n, 32)."""
        return self._verbs.accumulate(
            self._scores,
            self._index_from_mm,
            self._samples.positions_mm,
            self._samples.values,
            rotation=pose.rotation,
            translation_mm=pose.shift_mm,
            scale=scale,
        )

    def cost(self, chunks: NDArray[np.float64]) -> float:
        """Mean robust cost of a sample, in [0, 1)."""
        count = len(self._samples.values)
        unseen = count - chunks[:, INSIDE_COUNT].sum()
        return float(chunks[:, ROBUST_COST].sum() + COST_OF_THE_UNSEEN * unseen) / max(count, 1)

    def solve(self, pose: Pose, *, scale: float, iterations: int, tolerance_mm: float) -> Solution:
        """Gauss-Newton from `pose` until a step moves no point within 80 mm by more than `tolerance_mm`, or `iterations` are done.

        A step against the one before went past the minimum: from then on steps are halved, down to an eighth, or the fine levels
        could step to and fro for ever.
        """
        motions, basis = self.motions, self.motions.basis
        previous, share, every = np.zeros(len(motions.free)), 1.0, np.eye(len(motions.free))
        for iteration in range(1, iterations + 1):
            chunks = self.evaluate(pose, scale)
            sums = chunks.sum(axis=0)
            matrix = basis.T @ (normal_matrix(sums) / SQUARED_RADIANS) @ basis
            trace = float(np.trace(matrix))
            if not trace > 0:  # no sample falls on the plan
                return Solution(pose, self.cost(chunks), iteration, chunks=chunks)
            damping = DAMPING * trace / len(matrix) * every
            step = -np.linalg.solve(matrix + damping, basis.T @ (sums[NORMAL_VECTOR] / RADIANS))
            share = max(share / 2, LEAST_SHARE) if float(step @ previous) < 0 else share
            previous, step = step, share * step
            small = motions.small(step)
            moved_mm = length(small[:3]) + REACH_MM * length(small[3:])
            if moved_mm <= tolerance_mm:
                return Solution(pose, self.cost(chunks), iteration, chunks=chunks)
            pose = pose.moved(small * min(1.0, LARGEST_STEP_MM / moved_mm), motions.about_mm)
        chunks = self.evaluate(pose, scale)
        return Solution(pose, self.cost(chunks), iterations, chunks=chunks)
