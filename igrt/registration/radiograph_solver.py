"""Gauss-Newton over radiographs: from a pose to the nearest one at which the local scores of radiographs and planning CT agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.registration.radiograph_levels import LEAST_BEYOND_MM, LevelView, RadiographLevel
from igrt.registration.radiograph_scores import Floats, local_correlation, local_scores, score_derivatives
from igrt.registration.solver import RADIANS, Centres, Pose

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST_STEP_MM = 15.0
DAMPING = 1e-4  # of the mean eigenvalue
BLOCKS = 4  # a side: the parts of an image whose pulls tell the covariance
COST_OF_THE_UNSEEN = 0.6  # of a pixel whose ray leaves the CT's ends: what unrelated scores cost on average


@dataclass(frozen=True, slots=True, eq=False)
class ViewSums:
    """One image at one pose: gradients of its blocks (n, 6) and normal matrix (6, 6), rotations as mm at 80 mm; sums of pixels."""

    gradients: Doubles
    matrix: Doubles
    cost: float
    pixels: float
    seen: float
    inliers: float

    @property
    def gradient(self) -> Doubles:
        """(6,) of the whole image."""
        return np.asarray(self.gradients.sum(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class RadiographSolution:
    """Where the iteration ended, with the sums of each image at the pose before the last step."""

    pose: Pose
    cost: float
    iterations: int
    last_mm: float
    sums: tuple[ViewSums, ...]


class RadiographProblem:
    """The radiographs of one level and the planning CT's field, ready to be compared at any pose."""

    def __init__(
        self,
        field: AttenuationField,
        beyond: AttenuationField,
        views: Sequence[LevelView],
        level: RadiographLevel,
        centres: Centres,
        verbs: RadiographVerbs,
    ) -> None:
        self.level, self.views, self._centres = level, tuple(views), centres
        self._field, self._beyond, self._verbs = field, beyond, verbs

    def within(self, pose: Pose) -> tuple[Mask, ...]:
        """Per image, the valid pixels whose rays stay within what the planning CT shows at this pose."""
        motion = pose.plan_from_daily(self._centres)
        beyond = (self._verbs.radiograph(self._beyond, image.view.moved(motion)) for image in self.views)
        return tuple(image.valid & (run <= LEAST_BEYOND_MM) for image, run in zip(self.views, beyond, strict=True))

    def cost(self, pose: Pose, masks: Sequence[Mask]) -> float:
        """Mean robust cost of a valid pixel, in [0, 1)."""
        motion, scale2 = pose.plan_from_daily(self._centres), np.float32(self.level.scale**2)
        total = pixels = 0.0
        for image, mask in zip(self.views, masks, strict=True):
            scores, _, _ = local_scores(self._verbs.radiograph(self._field, image.view.moved(motion)) * image.gain, self.level.window)
            squares = (scores - image.scores)[mask] ** 2
            valid = float(image.valid.sum())
            total += float((squares / (scale2 + squares)).sum(dtype=np.float64)) + COST_OF_THE_UNSEEN * (valid - squares.size)
            pixels += valid
        return total / max(pixels, 1.0)

    def evaluate(self, pose: Pose, masks: Sequence[Mask]) -> tuple[ViewSums, ...]:
        """The normal equations of every image."""
        motion = pose.plan_from_daily(self._centres)
        return tuple(self._view_sums(image, mask, image.view.moved(motion)) for image, mask in zip(self.views, masks, strict=True))

    def images(self, pose: Pose) -> tuple[Floats, ...]:
        """The planning CT's radiographs at a pose."""
        motion = pose.plan_from_daily(self._centres)
        return tuple(self._verbs.radiograph(self._field, image.view.moved(motion)) * image.gain for image in self.views)

    def correlations(self, pose: Pose, masks: Sequence[Mask], window: int) -> tuple[float, ...]:
        """Per image, the mean local correlation of radiograph and planning CT, weighted by contrast."""
        found = []
        for image, drr, mask in zip(self.views, self.images(pose), masks, strict=True):
            values, weights = local_correlation(drr, image.integrals, window)
            total = float(weights[mask].sum(dtype=np.float64))
            found.append(float((values * weights)[mask].sum(dtype=np.float64)) / total if total > 0 else 0.0)
        return tuple(found)

    def solve(self, pose: Pose, *, directions: Doubles, iterations: int | None = None) -> RadiographSolution:
        """Steps from `pose` along `directions` (6, n; rotations as mm at 80 mm) until one moves no point by more than the tolerance."""
        masks = self.within(pose)
        held = np.eye(3) - directions[:3] @ directions[:3].T  # a turn carries the shift along, but not along what is not sought
        depth = held @ pose.shift_mm
        sums: tuple[ViewSums, ...] = ()
        length = 0.0
        wanted = self.level.iterations if iterations is None else iterations
        done = 0
        while done < wanted:
            done += 1
            sums = self.evaluate(pose, masks)
            matrix = directions.T @ sum(part.matrix for part in sums) @ directions
            trace = float(np.trace(matrix))
            if not trace > 0:
                break
            gradient = directions.T @ sum(part.gradient for part in sums)
            step = -directions @ np.linalg.solve(matrix + DAMPING * trace / len(matrix) * np.eye(len(matrix)), gradient)
            length = float(np.linalg.norm(step[:3]) + np.linalg.norm(step[3:]))
            moved = pose.moved(step * min(1.0, LARGEST_STEP_MM / max(length, 1e-12)) / RADIANS)
            pose = Pose(moved.rotation, moved.shift_mm - held @ moved.shift_mm + depth)
            if length <= self.level.tolerance_mm:
                break
        return RadiographSolution(pose, self.cost(pose, masks), done, length, sums)

    def _view_sums(self, image: LevelView, mask: Mask, view: View) -> ViewSums:
        window, scale2 = self.level.window, np.float32(self.level.scale**2)
        planes = self._verbs.radiograph_with_derivatives(self._field, view, self._centres.plan_mm) * image.gain
        scores, mean, deviation = local_scores(planes[0], window)
        per_mm = planes[1:] / RADIANS.astype(np.float32)[:, None, None]
        jacobian = score_derivatives(planes[0], per_mm, scores, mean, deviation, window)
        residual = scores - image.scores
        squares = residual * residual
        weight = np.where(mask, (scale2 / (scale2 + squares)) ** 2, np.float32(0))
        flat = jacobian.reshape(6, -1)
        weighted = flat * weight.ravel()
        pulls = (weighted * residual.ravel()).reshape(6, *mask.shape)
        gradients = [
            part.sum(axis=(1, 2), dtype=np.float64)
            for row in np.array_split(pulls, BLOCKS, axis=1)
            for part in np.array_split(row, BLOCKS, axis=2)
        ]
        seen = float(mask.sum())
        return ViewSums(
            gradients=np.array(gradients),
            matrix=np.asarray(weighted @ flat.T, np.float64),
            cost=float((squares / (scale2 + squares))[mask].sum(dtype=np.float64)),
            pixels=float(image.valid.sum()),
            seen=seen,
            inliers=float((squares[mask] < scale2).sum()),
        )
