"""How far a pose can be believed, measured at the pose itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.levels import FLOOR_HU, half_window, nearest_index
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.region import bounds, composed, looked_up, part, region_mask
from igrt.registration.solver import RADIANS, REACH_MM, LevelProblem, Motions, Pose, Solution

SIMILARITY_WINDOW_MM = 12.0
PROBE_MM = 1.5  # to either side of the pose, coarse enough to lie beyond the noise of a voxel
FINE_PROBE_MM = 0.75  # half a voxel of the finest level
REGIONS, LEAST_REGIONS = 16, 8
FLOOR_SD_MM = 0.01  # interpolation and voxel size leave this much, whatever the regions say
LEAST_CURVATURE = 1e-4  # of the largest: what noise leaves of nothing, or less
UNKNOWN_VARIANCE = 1e6  # mm^2, of a pose that the samples do not determine
STANDARD_ERRORS = 2.0  # stated as the standard deviation
SETTLED_SD, SETTLED_MM = 0.5, 0.1  # in six dimensions at once; 80 mm from the isocentre, where a kink of the cost can leave 0.07


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Shares of voxels and mean local correlations, over every voxel: `overlap` and `similarity` of the body, the others of a region."""

    overlap: float
    similarity: float
    region_shown: float
    region_similarity: float


def resemblance(
    plan: PreparedPlan, daily: PreparedDaily, plan_from_daily: RigidMotion, verbs: Verbs, *, options: MatchOptions
) -> Resemblance:
    """How far the two images show the same, and how alike they are there.

    Over every voxel of the daily body on the coarse grid: the CT is interpolated at each, means and variances are of what windows
    of about 12 mm hold of the body, and voxels weigh by how much contrast both images have: v / (v + (60 HU)^2), v the product of
    the standard deviations. The air around the body is left out: every patient has an outline, and it would make any two alike.
    """
    shown = daily.region.body & daily.region.valid
    box = bounds(shown)
    grid, body = part(daily.region.volume.grid, box), shown[box]
    k, j, i = np.nonzero(body)
    points_mm = np.empty((len(i), 3))
    for axis, row in enumerate(composed(plan_from_daily, grid)):
        along_i, along_j, along_k = (step * np.arange(count) for step, count in zip(row[:3], grid.size_ijk, strict=True))
        points_mm[:, axis] = along_i[i] + along_j[j] + (along_k + row[3])[k]
    hu = verbs.interpolate(plan.region.volume, points_mm)
    inside = np.isfinite(hu)
    ct, seen = np.zeros(grid.shape_kji, np.int16), np.zeros(grid.shape_kji, bool)
    ct[body], seen[body] = np.rint(np.where(inside, hu, 0)), inside
    overlap = float(inside.sum()) / max(float(len(inside)), 1.0)
    daily_hu = np.ascontiguousarray(daily.region.volume.hu[box])
    correlation, weight = verbs.correlate(ct, daily_hu, seen, half_window(grid, SIMILARITY_WINDOW_MM), floor_hu=FLOOR_HU)
    similarity = weighted_mean(correlation[seen], weight[seen])
    if not options.restricted:
        return Resemblance(overlap, similarity, overlap, similarity)
    within = seen & looked_up(region_mask(plan, options), plan.fine.grid, composed(plan_from_daily, grid), grid)
    there = share_shown(plan, options, float(within.sum()) * float(grid.spacing_mm.prod()))
    return Resemblance(overlap, similarity, overlap if there is None else there, weighted_mean(correlation[within], weight[within]))


def weighted_mean(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """Mean in [-1, 1]; 0 where nothing weighs."""
    total = float(weights.sum(dtype=np.float64))
    return float(np.clip((weights.astype(np.float64) * values).sum() / total, -1.0, 1.0)) if total > 0 else 0.0


def share_shown(plan: PreparedPlan, options: MatchOptions, shown_mm3: float) -> float | None:
    """Share of the region's part of the patient that the daily image shows; None without a region: bone is everywhere in a CT."""
    if options.region is None:
        return None
    body = plan.region.body[np.ix_(*nearest_index(plan.fine.grid, plan.region.volume.grid))]
    whole_mm3 = float((region_mask(plan, options) & body).sum()) * float(plan.fine.grid.spacing_mm.prod())
    return min(shown_mm3 / whole_mm3, 1.0)


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
    """(k, k): the inverse of a curvature; huge along what nothing shows, None where nothing is shown at all."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors / np.maximum(values, values[-1] * LEAST_CURVATURE) @ vectors.T) if values[-1] > 0 else None


def covariance(solution: Solution, inverse: NDArray[np.float64] | None, motions: Motions | None = None) -> NDArray[np.float64]:
    """(6, 6) covariance of the pose about the plan isocentre (mm, rad): how far regions of the patient disagree about it.

    `inverse` is `inverse_curvature` at the solution, H^-1, of the motions that are free (by default all). The
    samples, ordered by place, fall into 16 regions (fewer, down to 8, where
    there are few samples); with g the gradient of one region, H^-1 g is its pull on the pose. Were regions independent, the pose would
    vary by H^-1 (sum of g g^T) H^-1. They share what breathes, bends and streaks: twice that deviation is stated
    (docs/decisions/rigid-uncertainty.md has the measurements).
    """
    basis = (motions or Motions()).basis
    free = basis.shape[1]
    regions = min(REGIONS, len(solution.chunks))
    if regions < LEAST_REGIONS or inverse is None:
        return np.asarray(basis @ basis.T * UNKNOWN_VARIANCE / np.outer(RADIANS, RADIANS))
    gradients = solution.chunks[:, NORMAL_VECTOR] / RADIANS @ basis
    starts = np.linspace(0, len(gradients), regions, endpoint=False).astype(np.intp)
    pulls = np.add.reduceat(gradients, starts, axis=0) @ inverse
    spread = STANDARD_ERRORS**2 * pulls.T @ pulls * regions / (regions - free)  # so many parameters were fitted
    return np.asarray(basis @ (spread + np.eye(free) * FLOOR_SD_MM**2) @ basis.T / np.outer(RADIANS, RADIANS))


def way_left(solution: Solution, inverse: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) how far beyond the minimum a solution lies along the free motions, by `inverse_curvature` (mm, rotations as mm at 80 mm)."""
    return np.asarray(inverse @ (basis.T @ (solution.chunks[:, NORMAL_VECTOR].sum(axis=0) / RADIANS)))


def settled(solution: Solution, inverse: NDArray[np.float64] | None, spread: NDArray[np.float64], motions: Motions | None = None) -> bool:
    """Whether the way that is left, by `inverse_curvature`, is short: in itself, or against the covariance `spread` of the pose.

    Not the last step: where noise makes steps short, or they go to and fro, it is no measure of what is left.
    """
    if inverse is None:
        return False
    basis = (motions or Motions()).basis
    way_free = way_left(solution, inverse, basis)
    along = np.linalg.pinv(basis)
    deviations = float(np.sqrt(way_free @ np.linalg.solve(along @ (spread * np.outer(RADIANS, RADIANS)) @ along.T, way_free)))
    way = basis @ way_free
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
