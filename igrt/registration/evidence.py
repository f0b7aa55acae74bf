"""How far a pose can be believed, measured at the pose itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.levels import FLOOR_HU, half_window
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.solver import RADIANS, REACH_MM, LevelProblem, Pose, Solution

SIMILARITY_WINDOW_MM = 12.0
PROBE_MM = 1.5  # to either side of the pose, coarse enough to lie beyond the noise of a voxel
FINE_PROBE_MM = 0.75  # half a voxel of the finest level
REGIONS, LEAST_REGIONS = 16, 8
FLOOR_SD_MM = 0.01  # interpolation and voxel size leave this much, whatever the regions say
LEAST_CURVATURE = 1e-4  # of the largest: what noise leaves of nothing, or less
UNKNOWN_VARIANCE = 1e6  # mm^2, of a pose that the samples do not determine
STANDARD_ERRORS = 2.0  # stated as the standard deviation
SETTLED_SD, SETTLED_MM = 0.5, 0.1  # in six dimensions at once; 80 mm from the isocentre, where a kink of the cost can leave 0.07


def overlap_and_similarity(plan: PreparedPlan, daily: PreparedDaily, plan_from_daily: RigidMotion, verbs: Verbs) -> tuple[float, float]:
    """Share of the daily body inside the planning CT, and the mean local correlation there.

    Over every voxel of the daily body on the coarse grid: the CT is interpolated at each, means and variances are of what windows
    of about 12 mm hold of the body, and voxels weigh by how much contrast both images have: v / (v + (60 HU)^2), v the product of
    the standard deviations. The air around the body is left out: every patient has an outline, and it would make any two alike.
    """
    grid = daily.region.volume.grid
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in grid.shape_kji), indexing="ij"), axis=-1)[..., ::-1]
    points_mm = plan_from_daily.apply(grid.position_mm(index.reshape(-1, 3)))
    hu = verbs.interpolate(plan.region.volume, points_mm).reshape(grid.shape_kji)
    inside = np.isfinite(hu)
    ct = np.where(inside, np.rint(hu), 0).astype(np.int16)
    body = daily.region.body & daily.region.valid
    seen = body & inside
    overlap = float(seen.sum()) / max(float(body.sum()), 1.0)
    correlation, weight = verbs.correlate(ct, daily.region.volume.hu, seen, half_window(grid, SIMILARITY_WINDOW_MM), floor_hu=FLOOR_HU)
    weights = weight[seen].astype(np.float64)
    total = float(weights.sum())
    similarity = float((weights * correlation[seen]).sum()) / total if total > 0 else 0.0
    return overlap, float(np.clip(similarity, -1.0, 1.0))


def curvature(problem: LevelProblem, pose: Pose, *, scale: float, probe_mm: float) -> NDArray[np.float64]:
    """(6, 6) second derivative of half the mean cost of a sample by (tx, ty, tz, wx, wy, wz), all in mm, rotations as mm at 80 mm.

    By central differences of the gradient, `probe_mm` to either side. The normal matrix of Gauss-Newton cannot stand in for it: the slopes
    of noise count there in every direction, while noise of one image fits that of the other nowhere, so that its gradient averages out.
    Mean over the samples that fall on the plan: those that leave it show nothing.
    """

    def gradient(motion: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = problem.evaluate(pose.moved(motion / RADIANS), scale).sum(axis=0)
        return np.asarray(sums[NORMAL_VECTOR] / RADIANS / max(float(sums[INSIDE_COUNT]), 1.0))

    differences = np.stack([(gradient(probe) - gradient(-probe)) / (2 * probe_mm) for probe in probe_mm * np.eye(6)])
    return np.asarray(differences + differences.T) / 2


def observability(curvatures: Iterable[NDArray[np.float64]]) -> float:
    """How clearly the images show the worst of all motions: least over largest eigenvalue of the curvature, on the level where it is least.

    0 where the cost does not rise along a motion: an edge that slides along itself. A level alone may be deceived, by voxels as
    large as what it looks at or by noise in voxels that are small.
    """
    shares = []
    for matrix in curvatures:
        values = np.linalg.eigvalsh(matrix)
        shares.append(float(values[0] / values[-1]) if values[-1] > 0 else 0.0)
    return max(min(shares), 0.0)


def inverse_curvature(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(6, 6): the inverse of a curvature; huge along what nothing shows, None where nothing is shown at all."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors / np.maximum(values, values[-1] * LEAST_CURVATURE) @ vectors.T) if values[-1] > 0 else None


def covariance(solution: Solution, inverse: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """(6, 6) covariance of the pose about the plan isocentre (mm, rad): how far regions of the patient disagree about it.

    `inverse` is `inverse_curvature` at the solution, H^-1. The samples, ordered by place, fall into 16 regions (fewer, down to 8, where
    there are few samples); with g the gradient of one region, H^-1 g is its pull on the pose. Were regions independent, the pose would
    vary by H^-1 (sum of g g^T) H^-1. They share what breathes, bends and streaks: twice that deviation is stated
    (docs/decisions/rigid-uncertainty.md has the measurements).
    """
    regions = min(REGIONS, len(solution.chunks))
    if regions < LEAST_REGIONS or inverse is None:
        return np.asarray(np.eye(6) * UNKNOWN_VARIANCE / np.outer(RADIANS, RADIANS))
    gradients = solution.chunks[:, NORMAL_VECTOR] / RADIANS
    starts = np.linspace(0, len(gradients), regions, endpoint=False).astype(np.intp)
    pulls = np.add.reduceat(gradients, starts, axis=0) @ inverse
    spread = STANDARD_ERRORS**2 * pulls.T @ pulls * regions / (regions - 6)  # six parameters were fitted
    return np.asarray((spread + np.eye(6) * FLOOR_SD_MM**2) / np.outer(RADIANS, RADIANS))


def settled(solution: Solution, inverse: NDArray[np.float64] | None, spread: NDArray[np.float64]) -> bool:
    """Whether the way that is left, by `inverse_curvature`, is short: in itself, or against the covariance `spread` of the pose.

    Not the last step: where noise makes steps short, or they go to and fro, it is no measure of what is left.
    """
    if inverse is None:
        return False
    way = inverse @ (solution.chunks[:, NORMAL_VECTOR].sum(axis=0) / RADIANS)
    deviations = float(np.sqrt(way @ np.linalg.solve(spread * np.outer(RADIANS, RADIANS), way)))
    return deviations <= SETTLED_SD or float(np.linalg.norm(way[:3]) + np.linalg.norm(way[3:])) <= SETTLED_MM


def largest_displacement_mm(first: RigidMotion, second: RigidMotion, plan_isocentre_mm: NDArray[np.float64]) -> float:
    """Largest distance between where the two motions put a point that the first puts within 80 mm of the plan isocentre.

    It lies on the sphere of that radius: taken over 400 points spread on it.
    """
    n = np.arange(400) + 0.5
    z, turn = 1 - 2 * n / 400, np.pi * (1 + np.sqrt(5)) * n
    ring = np.sqrt(1 - z**2)
    points_mm = plan_isocentre_mm + REACH_MM * np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])
    return float(np.linalg.norm(second.apply(first.inverse().apply(points_mm)) - points_mm, axis=1).max())
