"""How far a pose from radiographs can be believed, measured at the pose itself. Motions are in mm, rotations as mm at 80 mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from igrt.registration.radiograph_solver import Mask, RadiographProblem, ViewSums
from igrt.registration.solver import RADIANS, Pose

Doubles = NDArray[np.float64]

SIMILARITY_WINDOW = 13  # pixels of the finest level, about 12 mm at the isocentre
PROBE_MM = 1.5
LEAST_CURVATURE = 1e-4  # of the largest
SEEN_CURVATURE = 0.02  # of the largest: what one image shows of a motion, beyond its magnification
STANDARD_ERRORS = 2.0
FLOOR_SD_MM = 0.02
UNKNOWN_VARIANCE = 1e6


def curvature(problem: RadiographProblem, pose: Pose) -> Doubles:
    """(6, 6) second derivative of half the cost of all pixels, by central differences of its gradient, 1.5 mm to either side."""
    masks = problem.within(pose)

    def gradient(motion: Doubles) -> Doubles:
        return np.asarray(sum(part.gradient for part in problem.evaluate(pose.moved(motion / RADIANS), masks)))

    differences = np.stack([(gradient(probe) - gradient(-probe)) / (2 * PROBE_MM) for probe in PROBE_MM * np.eye(6)])
    return np.asarray(differences + differences.T) / 2


def observability(matrix: Doubles, directions: Doubles) -> float:
    """Least over largest eigenvalue of a curvature along the motions that are sought; 0 where the cost does not rise along one."""
    values = np.linalg.eigvalsh(directions.T @ matrix @ directions)
    return max(float(values[0] / values[-1]), 0.0) if values[-1] > 0 else 0.0


def inverse_along(matrix: Doubles, directions: Doubles) -> Doubles:
    """(6, 6) inverse along the motions that are sought, 0 along others; huge along what nothing shows."""
    values, vectors = np.linalg.eigh(directions.T @ matrix @ directions)
    if not values[-1] > 0:
        return np.asarray(directions @ directions.T * UNKNOWN_VARIANCE)
    inverse = vectors / np.maximum(values, values[-1] * LEAST_CURVATURE) @ vectors.T
    return np.asarray(directions @ inverse @ directions.T)


def total(sums: Sequence[ViewSums]) -> tuple[Doubles, Doubles]:
    """Normal matrix (6, 6) and gradient (6,) of all images together."""
    return np.sum([part.matrix for part in sums], axis=0), np.sum([part.gradient for part in sums], axis=0)


def covariance(sums: Sequence[ViewSums], inverse: Doubles, directions: Doubles) -> Doubles:
    """(6, 6) covariance of the pose (mm, rad): how far the parts of the images, 16 of each, disagree about it.

    Twice the deviation of independent parts, as for cone-beam images (docs/decisions/rigid-uncertainty.md); unknown along motions that are
    not sought.
    """
    pulls = np.concatenate([part.gradients for part in sums]) @ inverse
    count = int((np.abs(pulls).max(axis=1) > 0).sum())
    if count <= 7:
        return np.asarray(np.eye(6) * UNKNOWN_VARIANCE / np.outer(RADIANS, RADIANS))
    spread = STANDARD_ERRORS**2 * pulls.T @ pulls * count / (count - 6)
    unsought = np.eye(6) - directions @ directions.T
    return np.asarray((spread + np.eye(6) * FLOOR_SD_MM**2 + unsought * UNKNOWN_VARIANCE) / np.outer(RADIANS, RADIANS))


def largest_pull_mm(way: Doubles) -> float:
    """How far a small motion (6,) moves a point within 80 mm of the isocentre at most."""
    return float(np.linalg.norm(way[:3]) + np.linalg.norm(way[3:]))


def view_evidence(
    problem: RadiographProblem, pose: Pose, masks: Sequence[Mask], sums: Sequence[ViewSums]
) -> list[tuple[float, float, float]]:
    """Per image: similarity, overlap, and how far it alone would move the pose along what it shows."""
    similar = problem.correlations(pose, masks, SIMILARITY_WINDOW)
    return [
        (similarity, part.seen / max(part.pixels, 1.0), _step_mm(part.matrix, part.gradient))
        for similarity, part in zip(similar, sums, strict=True)
    ]


def leave_one_out_mm(sums: Sequence[ViewSums]) -> float:
    """The largest move of the pose when one image is left out, along what the others show."""
    matrix, gradient = total(sums)
    return max(_step_mm(matrix - part.matrix, gradient - part.gradient) for part in sums)


def _step_mm(matrix: Doubles, gradient: Doubles) -> float:
    values, vectors = np.linalg.eigh(matrix)
    if not values[-1] > 0:
        return 0.0
    kept = values > SEEN_CURVATURE * values[-1]
    return largest_pull_mm(vectors[:, kept] @ ((vectors[:, kept].T @ gradient) / values[kept]))
