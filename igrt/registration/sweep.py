"""Every shift of a lattice judged at once, on whole voxels of the coarsest level: where a search begins."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import NO_SCORE, SCORE_UNIT
from igrt.registration.samples import LevelScores, Samples
from igrt.registration.solver import Pose

STEP_MM = 16.0  # about half the window of the coarsest level
UNSEEN = np.float32(1e4)  # a score that no sample has
COST_OF_THE_UNSEEN = 0.4  # dearer, and an image that reaches beyond the plan is ranked where it overlaps most


class Sweep:
    """The plan's coarsest scores amid nothing, and the lattice of shifts by whole voxels that reach `reach_mm` along each axis of its grid.

    A shift by whole voxels moves every sample by the same number of places in memory, so that a pose costs as many look-ups as samples.
    """

    def __init__(self, plan: LevelScores, samples: Samples, plan_centre_mm: NDArray[np.float64], reach_mm: float) -> None:
        grid, self._samples = plan.grid, samples
        step = np.maximum(np.rint(STEP_MM / grid.spacing_mm), 1).astype(np.intp)  # voxels along i, j, k
        count = np.ceil(reach_mm / (step * grid.spacing_mm)).astype(np.intp)
        self._reach = step * count
        pad = 2 * self._reach[::-1]
        amid = np.pad(plan.scores, [(int(n), int(n)) for n in pad], constant_values=NO_SCORE)
        self._scores = np.where(amid == NO_SCORE, UNSEEN, amid.astype(np.float32) / np.float32(SCORE_UNIT)).ravel()
        self._strides = np.array([1, amid.shape[2], amid.shape[1] * amid.shape[2]], dtype=np.intp)
        self._size, self._pad = grid.size_ijk, 2 * self._reach
        lattice = np.array(list(itertools.product(*(np.arange(-n, n + 1) * s for n, s in zip(count, step, strict=True)))), dtype=np.intp)
        self._places = lattice @ self._strides
        self.shifts_mm = (lattice * grid.spacing_mm) @ grid.direction.T
        affine = grid.index_from_mm
        self._linear, self._origin = affine[:, :3], affine[:, 3] + affine[:, :3] @ plan_centre_mm

    def costs(self, pose: Pose) -> NDArray[np.float32]:
        """(m,) mean robust cost of a sample after each shift of the lattice from `pose`, at the nearest voxel; in [0, 1)."""
        points = self._linear @ (pose.rotation @ self._samples.positions_mm + pose.shift_mm[:, None]) + self._origin[:, None]
        index = np.rint(points).astype(np.intp)
        near: NDArray[np.bool_] = np.all((index >= -self._reach[:, None]) & (index < (self._size + self._reach)[:, None]), axis=0)
        base = (index[:, near] + self._pad[:, None]).T @ self._strides
        if not len(base):
            return np.full(len(self._places), COST_OF_THE_UNSEEN, np.float32)
        scores = self._scores[base[:, None] + self._places]
        squares = (scores - self._samples.values[near, None]) ** 2
        costs = np.where(scores == UNSEEN, np.float32(COST_OF_THE_UNSEEN), squares / (1 + squares))
        return np.asarray((costs.sum(axis=0) + COST_OF_THE_UNSEEN * (~near).sum()) / len(near))
