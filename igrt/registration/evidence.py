"""How far a pose can be believed, measured at the pose itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR, ROBUST_COST
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.levels import FLOOR_HU, half_window
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.solver import RADIANS, REACH_MM, LevelProblem, Pose, Solution

SIMILARITY_WINDOW_MM = 12.0
PROBE_MM = 3.0  # at 80 mm from the isocentre, for rotations
REGIONS, LEAST_REGIONS = 16, 8
FLOOR_SD_MM = 0.01  # interpolation and voxel size leave this much, whatever the regions say
UNKNOWN_VARIANCE = 1e6  # mm^2, of a pose that the samples do not determine


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


def covariance(solution: Solution) -> NDArray[np.float64]:
    """(6, 6) covariance of the pose about the plan isocentre (mm, rad): how far regions of the patient disagree about it.

    The samples, ordered by place, fall into 16 regions (fewer, down to 8, where there are few samples); g is the gradient of
    one region and H the whole normal matrix, so that H^-1 g is that region's pull on the pose. Were regions independent, the
    pose would vary by H^-1 (sum of g g^T) H^-1. What they disagree about (breathing, bending, artefacts) does not average out: the
    spread of single regions is stated, as many times that, and not the standard error of their mean
    (docs/decisions/rigid-uncertainty.md has the measurements).
    """
    matrix = solution.matrix / np.outer(RADIANS, RADIANS)
    values, vectors = np.linalg.eigh(matrix)
    regions = min(REGIONS, len(solution.chunks))
    if regions < LEAST_REGIONS or not values[-1] > 0:
        return np.asarray(np.eye(6) * UNKNOWN_VARIANCE / np.outer(RADIANS, RADIANS))
    gradients = solution.chunks[:, NORMAL_VECTOR] / RADIANS
    starts = np.linspace(0, len(gradients), regions, endpoint=False).astype(np.intp)
    pulls = np.add.reduceat(gradients, starts, axis=0)
    inverse = vectors / np.maximum(values, values[-1] * 1e-9) @ vectors.T
    spread = inverse @ (pulls.T @ pulls) @ inverse * regions * regions / (regions - 6)  # six parameters were fitted
    spread *= min(1.0, UNKNOWN_VARIANCE / max(float(np.trace(spread)), 1e-300))
    return np.asarray((spread + np.eye(6) * FLOOR_SD_MM**2) / np.outer(RADIANS, RADIANS))


def observability(problem: LevelProblem, solution: Solution, scale: float) -> float:
    """How clearly the images show the worst of the six motions: least over largest rise of the cost, 3 mm to either side of the pose.

    The motions are the eigenvectors of the normal matrix, rotations as mm at 80 mm. The matrix itself cannot say: noise has slopes
    too, in every direction. The cost can, for the noise of one image fits that of the other nowhere. 0 where a motion is not shown.
    """
    _, vectors = np.linalg.eigh(solution.matrix / np.outer(RADIANS, RADIANS))
    steps = PROBE_MM * vectors.T / RADIANS

    def cost(pose: Pose) -> float:
        """Mean over the samples that fall on the plan: those that leave it show nothing."""
        sums = problem.evaluate(pose, scale).sum(axis=0)
        return float(sums[ROBUST_COST]) / max(float(sums[INSIDE_COUNT]), 1.0)

    here = cost(solution.pose)
    rises = [(cost(solution.pose.moved(step)) + cost(solution.pose.moved(-step))) / 2 - here for step in steps]
    largest = max(rises)
    return max(min(rises), 0.0) / largest if largest > 0 else 0.0


def largest_displacement_mm(first: RigidMotion, second: RigidMotion, plan_isocentre_mm: NDArray[np.float64]) -> float:
    """Largest distance between where the two motions put a point that the first puts within 80 mm of the plan isocentre.

    It lies on the sphere of that radius: taken over 400 points spread on it.
    """
    n = np.arange(400) + 0.5
    z, turn = 1 - 2 * n / 400, np.pi * (1 + np.sqrt(5)) * n
    ring = np.sqrt(1 - z**2)
    points_mm = plan_isocentre_mm + REACH_MM * np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])
    return float(np.linalg.norm(second.apply(first.inverse().apply(points_mm)) - points_mm, axis=1).max())
