"""Scores of a level, and samples drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import SCORE_UNIT
from igrt.compute.verbs import Verbs
from igrt.geometry.grid import Grid

BLOCK_MM = 32.0
SEED = 20240229


@dataclass(frozen=True, slots=True, eq=False)
class LevelScores:
    """Local scores of an image on one level's grid; no score beyond the body and its margin."""

    grid: Grid
    scores: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Positions (3, n) in mm about the centre that they were drawn about, in the axes of their image, and local scores (n,) there."""

    positions_mm: NDArray[np.float32]
    values: NDArray[np.float32]


def thinned(samples: Samples, wanted: int) -> Samples:
    """Every n-th sample, about `wanted` of them."""
    step = max(len(samples.values) // wanted, 1)
    return Samples(np.ascontiguousarray(samples.positions_mm[:, ::step]), np.ascontiguousarray(samples.values[::step]))


def at_most(samples: Samples, most: int) -> Samples:
    """Every n-th sample, no more than `most`."""
    step = max(-(-len(samples.values) // most), 1)
    return Samples(np.ascontiguousarray(samples.positions_mm[:, ::step]), np.ascontiguousarray(samples.values[::step]))


def draw_samples(grid: Grid, scores: NDArray[np.int16], wanted: int, centre_mm: NDArray[np.float64], verbs: Verbs) -> Samples:
    """Samples of one level, most where the scores change most; ordered by blocks, so that neighbours lie together in memory."""
    i, j, k = (max(round(BLOCK_MM / step), 1) for step in grid.spacing_mm)
    chosen = verbs.draw(scores, grid.spacing_mm.astype(np.float32), (k, j, i), wanted=wanted, seed=SEED)
    k_index, j_index, i_index = np.ascontiguousarray(chosen.T, dtype=np.intp)
    affine = grid.mm_from_index
    positions = np.empty((3, len(chosen)), np.float32)
    for axis, (a, b, c, origin) in enumerate(affine):
        positions[axis] = a * i_index + b * j_index + c * k_index + (origin - centre_mm[axis])
    values = scores[k_index, j_index, i_index].astype(np.float32) / np.float32(SCORE_UNIT)
    return Samples(positions, values)
