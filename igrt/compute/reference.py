"""The definition of every verb, in float64 NumPy written to be read; the native kernels are tested against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from igrt.compute.volume import Volume

EDGE_VOXELS = 1e-6  # points on the outer voxel centres count as inside


def hold(*arrays: NDArray[Any]) -> None:
    """Nothing: the arrays are where they are read."""


def interpolate(volume: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """HU (n,) by trilinear interpolation at points (n, 3) in mm of the volume's frame; NaN outside the outer voxel centres."""
    index = points_mm @ volume.grid.index_from_mm[:, :3].T + volume.grid.index_from_mm[:, 3]
    size = np.array(volume.hu.shape[::-1])
    inside = np.all((index >= -EDGE_VOXELS) & (index <= size - 1 + EDGE_VOXELS), axis=1)
    index = np.clip(np.where(inside.reshape(-1, 1), index, 0.0), 0, size - 1)
    base = np.clip(np.floor(index).astype(np.int64), 0, np.maximum(size - 2, 0))
    fraction = index - base
    value = np.zeros(len(index))
    for corner in np.ndindex(2, 2, 2):
        i, j, k = np.minimum(base + corner, size - 1).T
        weight = np.where(np.array(corner) == 1, fraction, 1 - fraction).prod(axis=1)
        value += weight * volume.hu[k, j, i]
    return np.where(inside, value, np.nan).astype(np.float32)


NO_SCORE = -32768  # int16 mark of a voxel that has no score
SCORE_UNIT = 2048  # one local standard deviation
LOWEST_HU, HIGHEST_HU, STEP_HU = -1024, 3071, 4
SAMPLES_PER_CHUNK = 1024
MATRIX_TERMS = 21
NORMAL_VECTOR = slice(21, 27)
ROBUST_COST, INSIDE_COUNT, INLIER_COUNT, WEIGHT_SUM, WEIGHTED_SQUARES = 27, 28, 29, 30, 31
TERMS = 32


def shrink(hu: NDArray[np.int16], factors_kji: tuple[int, int, int]) -> NDArray[np.int16]:
    """Means over blocks of voxels, rounded half upward; a remainder at the far end is left out."""
    counts = [n // f for n, f in zip(hu.shape, factors_kji, strict=True)]
    whole = hu[tuple(slice(0, n * f) for n, f in zip(counts, factors_kji, strict=True))]
    blocks = whole.reshape([part for pair in zip(counts, factors_kji, strict=True) for part in pair]).astype(np.float64)
    return np.asarray(np.floor(blocks.mean(axis=(1, 3, 5)) + 0.5), dtype=np.int16)


def box_sums(values: NDArray[np.float64], half_kji: tuple[int, int, int]) -> NDArray[np.float64]:
    """Sums over windows of 2 half + 1 voxels along each axis, cut at the ends."""
    for axis, half in enumerate(half_kji):
        n = values.shape[axis]
        running = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis)], axis)
        here = np.arange(n)
        values = running.take(np.minimum(here + half + 1, n), axis) - running.take(np.maximum(here - half, 0), axis)
    return values


def normalise(
    hu: NDArray[np.int16], valid: NDArray[np.bool_], half_kji: tuple[int, int, int], *, least: int, floor_hu: float
) -> NDArray[np.int16]:
    """Local scores (hu - mean) / sqrt(variance + floor^2) in int16 units of 1/2048, over windows of 2 half + 1 voxels.

    Only `valid` voxels count; NO_SCORE where a voxel is not valid or fewer than `least` of its window are. HU beyond
    [-1024, 3071] count as the nearer end; in the window sums they enter rounded to 4 HU.
    """
    bounded = np.clip(hu.astype(np.int64), LOWEST_HU, HIGHEST_HU)
    stepped = np.where(valid, (bounded + STEP_HU // 2) // STEP_HU, 0).astype(np.float64)
    count = np.maximum(box_sums(valid.astype(np.float64), half_kji), 1)
    mean = box_sums(stepped, half_kji) / count
    variance = np.maximum(box_sums(stepped**2, half_kji) / count - mean**2, 0)
    score = (bounded / STEP_HU - mean) / np.sqrt(variance + (floor_hu / STEP_HU) ** 2) * SCORE_UNIT
    rounded = np.floor(np.clip(score, NO_SCORE + 1, -NO_SCORE - 1) + 0.5)
    return np.where(valid & (count >= least), rounded, NO_SCORE).astype(np.int16)


def correlate(
    first: NDArray[np.int16], second: NDArray[np.int16], valid: NDArray[np.bool_], half_kji: tuple[int, int, int], *, floor_hu: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Local correlation of two images on one grid over windows of 2 half + 1 voxels, and its weight, both float32 (k, j, i).

    Only `valid` voxels count. The weight is v / (v + floor^2), v the product of the standard deviations: how much contrast
    there is to judge by; 0 where a voxel is not valid or an image is flat. HU enter as in `normalise`.
    """
    a, b = (
        np.where(valid, (np.clip(hu.astype(np.int64), LOWEST_HU, HIGHEST_HU) + STEP_HU // 2) // STEP_HU, 0).astype(np.float64)
        for hu in (first, second)
    )
    count = np.maximum(box_sums(valid.astype(np.float64), half_kji), 1)
    mean_a, mean_b, squares_a, squares_b, products = (box_sums(x, half_kji) / count for x in (a, b, a**2, b**2, a * b))
    contrast = np.sqrt(np.maximum(squares_a - mean_a**2, 0) * np.maximum(squares_b - mean_b**2, 0))
    textured = contrast > 1e-6
    correlation = np.where(textured, (products - mean_a * mean_b) / np.where(textured, contrast, 1), 0)
    weight = np.where(valid & textured, contrast / (contrast + (floor_hu / STEP_HU) ** 2), 0)
    return np.clip(correlation, -1, 1).astype(np.float32), weight.astype(np.float32)


def hash_uniform(index: NDArray[np.uint32], seed: int) -> NDArray[np.float64]:
    """Uniform in [0, 1) with 24 bits, by the finaliser of MurmurHash3."""
    x = index ^ np.uint32(seed)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return ((x ^ (x >> np.uint32(16))) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def slopes(scores: NDArray[np.int16], spacing_ijk_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Length of the gradient of the scores by mm, from the neighbours; 0 where a voxel or a neighbour has no score."""
    value = np.where(scores == NO_SCORE, np.nan, scores / SCORE_UNIT)
    squared = np.zeros(scores.shape)
    for axis, step in enumerate(spacing_ijk_mm[::-1].astype(np.float64)):
        here = np.arange(scores.shape[axis])
        low, high = np.maximum(here - 1, 0), np.minimum(here + 1, len(here) - 1)
        distance = np.maximum(high - low, 1).reshape([-1 if a == axis else 1 for a in range(3)]) * step
        squared += ((value.take(high, axis) - value.take(low, axis)) / distance) ** 2
    return np.where(np.isfinite(squared + value), np.sqrt(squared), 0.0)


def draw(
    scores: NDArray[np.int16], spacing_ijk_mm: NDArray[np.float32], block_kji: tuple[int, int, int], *, wanted: float, seed: int
) -> NDArray[np.int32]:
    """Voxels (n, 3) in the order k, j, i, drawn with probability wanted * slope / sum of slopes, block by block.

    The draw is by a hash of the voxel's index: the same in any order. `wanted` is the expected number.
    """
    slope = slopes(scores, spacing_ijk_mm)
    total = slope.sum()
    index = np.arange(scores.size, dtype=np.uint32).reshape(scores.shape)
    chosen = np.argwhere(hash_uniform(index, seed) < (slope * (wanted / total) if total > 0 else 0.0)).astype(np.int32)
    blocks = chosen // np.array(block_kji, np.int32)
    return chosen[np.lexsort((*chosen.T[::-1], *blocks.T[::-1]))]


def accumulate(
    scores: NDArray[np.int16],
    index_from_mm: NDArray[np.float64],
    positions_mm: NDArray[np.float32],
    values: NDArray[np.float32],
    *,
    rotation: NDArray[np.float64],
    translation_mm: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float64]:
    """Normal equations of the match by chunks of 1024 samples: (chunks, 32), the terms as named above.

    Samples lie at `positions_mm` (3, n) about the daily centre and carry daily scores `values` (n,); at the pose they fall
    at y = rotation s + translation (mm about the plan centre), where `index_from_mm` (3, 4) leads to i, j, k of `scores`.
    The residual is plan minus daily; its derivative by a small motion y -> y + dt + dw x y is (g, y x g). Weights are
    Geman-McClure with `scale`. Samples beyond the outer voxel centres, or beside a voxel without a score, do not count.
    """
    y = rotation @ positions_mm.astype(np.float64) + translation_mm[:, None]
    index = index_from_mm[:, :3] @ y + index_from_mm[:, 3:]
    size = np.array(scores.shape[::-1])[:, None]
    valid = ((index >= 0) & (index <= size - 1)).all(axis=0)
    index = np.where(valid, index, 0.0)
    base = np.clip(np.floor(index).astype(np.int64), 0, np.maximum(size - 2, 0))
    fraction = index - base
    value, gradient = np.zeros(len(values)), np.zeros((3, len(values)))
    for corner in np.ndindex(2, 2, 2):
        i, j, k = np.minimum(base + np.array(corner)[:, None], size - 1)
        at_corner = scores[k, j, i]
        valid &= at_corner != NO_SCORE
        sides = [(f, 1.0) if upper else (1 - f, -1.0) for f, upper in zip(fraction, corner, strict=True)]
        value += at_corner / SCORE_UNIT * np.prod([side[0] for side in sides], axis=0)
        for axis in range(3):
            others = np.prod([side[0] for a, side in enumerate(sides) if a != axis], axis=0)
            gradient[axis] += at_corner / SCORE_UNIT * sides[axis][1] * others
    gradient = index_from_mm[:, :3].T @ gradient
    jacobian = np.concatenate([gradient, np.cross(y, gradient, axis=0)])
    residual = value - values
    weight = np.where(valid, (scale**2 / (scale**2 + residual**2)) ** 2, 0.0)
    upper = np.triu_indices(6)
    rows = np.empty((TERMS, len(values)))
    rows[:MATRIX_TERMS] = weight * jacobian[upper[0]] * jacobian[upper[1]]
    rows[NORMAL_VECTOR] = weight * jacobian * residual
    rows[ROBUST_COST] = np.where(valid, residual**2 / (scale**2 + residual**2), 0.0)
    rows[INSIDE_COUNT], rows[INLIER_COUNT] = valid, valid & (np.abs(residual) < scale)
    rows[WEIGHT_SUM], rows[WEIGHTED_SQUARES] = weight, weight * residual**2
    starts = np.arange(0, len(values), SAMPLES_PER_CHUNK)
    return np.add.reduceat(rows, starts, axis=1).T if len(starts) else np.zeros((0, TERMS))
