"""What is drawn from the planning CT at plan load, to be looked up in the daily image: samples of all tissue, and of bone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import NO_SCORE
from igrt.compute.verbs import Verbs
from igrt.compute.volume import Volume
from igrt.registration.body import grow
from igrt.registration.levels import nearest_index
from igrt.registration.samples import LevelScores, Samples, draw_samples

BONE_FROM_HU = 150  # of a calibrated CT
EDGE_MM = 4.0  # what lies this near to a tissue shows its surface
ALL = {2: 8_000, 3: 16_000}  # levels of the match and how many samples of all tissue are drawn there
BONE = {1: 980, 2: 980}  # one chunk: no second thread is worth waking
POINTS_LEVEL, POINTS = 2, 4_000  # of bone, for its HU
GROUP = 64  # points: neighbours, about 30 mm wide


@dataclass(frozen=True, slots=True, eq=False)
class BonePoints:
    """Points (n, 3) in plan mm on bone and its surface, neighbours together, and the HU (n,) of the CT there."""

    positions_mm: NDArray[np.float64]
    hu: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PlanSamples:
    """Samples by level, in plan axes about `centre_mm`, of all tissue (`whole`) and of bone alone, and points of bone."""

    centre_mm: NDArray[np.float64]
    whole: dict[int, Samples]
    bone: dict[int, Samples]
    points: BonePoints


def draw_plan(levels: Sequence[LevelScores], fine: Volume, verbs: Verbs) -> PlanSamples:
    """Always the same samples of the same CT: the seed is fixed."""
    centre = fine.grid.centre_mm
    skeleton = grow(fine.hu > BONE_FROM_HU, fine.grid, EDGE_MM)
    on_bone = {
        n: np.where(skeleton[np.ix_(*nearest_index(levels[n].grid, fine.grid))], levels[n].scores, np.int16(NO_SCORE))
        for n in {*BONE, POINTS_LEVEL}
    }
    whole = {n: draw_samples(levels[n].grid, levels[n].scores, wanted, centre, verbs) for n, wanted in ALL.items()}
    bone = {n: draw_samples(levels[n].grid, on_bone[n], wanted, centre, verbs) for n, wanted in BONE.items()}
    drawn = draw_samples(levels[POINTS_LEVEL].grid, on_bone[POINTS_LEVEL], POINTS, centre, verbs)
    positions = np.ascontiguousarray(drawn.positions_mm.T, dtype=np.float64) + centre
    hu = verbs.interpolate(fine, positions)
    shown = np.isfinite(hu)
    return PlanSamples(centre, whole, bone, BonePoints(positions[shown], hu[shown]))
