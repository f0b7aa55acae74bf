"""Whether a device computes what the processor does, on a small problem, before a patient depends on it."""

from __future__ import annotations

import numpy as np

from igrt.compute.verbs import Verbs

SHAPE = (12, 20, 24)
HALF = (1, 2, 2)
SAMPLES = 3000
ROUNDING = 1  # of a score
SUMS = 1e-4  # of the largest sum


def disagreement(verbs: Verbs, other: Verbs) -> str | None:
    """Names the first verb of the match on which two devices differ; None where they agree."""
    rng = np.random.default_rng(20240229)
    hu = rng.integers(-1000, 2000, SHAPE).astype(np.int16)
    valid = np.ones(SHAPE, bool)
    if not np.array_equal(verbs.shrink(hu, (2, 2, 2)), other.shrink(hu, (2, 2, 2))):
        return "shrink"
    mine, theirs = (v.normalise(hu, valid, HALF, least=10, floor_hu=60.0) for v in (verbs, other))
    if not np.abs(mine.astype(np.int32) - theirs).max() <= ROUNDING:
        return "normalise"
    if not all(
        np.allclose(a, b, atol=1e-5)
        for a, b in zip(*(v.correlate(hu, -hu, valid, HALF, floor_hu=60.0) for v in (verbs, other)), strict=True)
    ):
        return "correlate"
    spacing = np.ones(3, np.float32)
    drawn = [v.draw(theirs, spacing, (8, 8, 8), wanted=500.0, seed=1) for v in (verbs, other)]
    if not abs(len(drawn[0]) - len(drawn[1])) <= 1:
        return "draw"
    positions = rng.uniform(-12, 12, (3, SAMPLES)).astype(np.float32)
    values = rng.normal(size=SAMPLES).astype(np.float32)
    affine = np.column_stack([np.eye(3), np.array(SHAPE[::-1]) / 2])
    sums = [
        v.accumulate(theirs, affine, positions, values, rotation=np.eye(3), translation_mm=np.full(3, 0.3), scale=1.0)
        for v in (verbs, other)
    ]
    if not np.abs(sums[0] - sums[1]).max() <= SUMS * np.abs(sums[1]).max():
        return "accumulate"
    return None
