"""What a registration hands to verification: a pose, how sure it is, and the evidence. No judgement here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.options import MatchOptions

Point = tuple[float, float, float]

NOT_SCORED = -9.0  # no score: worse than any score or margin is
NOT_KNOWN = 999.0  # no difference (mm) or stretch: worse than any that a match has


def measured(value: float) -> bool:
    """Whether a measure of the evidence was taken at all: a rule that asks where it was not would refuse."""
    return value not in (NOT_SCORED, NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measured at the final pose over the full region, never over the samples alone.

    `overlap` is the share of the daily image's anatomy (its body inside its field of view) that falls inside the
    planning CT; `similarity` the mean local correlation of the two images in it, in [-1, 1]; `inliers` the share of
    samples whose residual the robust metric still trusts. The second start lies `second_start_offset_mm` and
    `_deg` away from the first; `second_start_difference_mm` is the largest displacement between the two answers within
    80 mm of the isocentre. Standard deviations are of the pose about the plan isocentre in plan LPS axes (x, y, z).
    With a region, `overlap` is the share of the region that the daily image shows where that is less, and `similarity` is over every
    voxel of the region. Motions that were not sought have a deviation of 0.
    `observability` is the curvature of the cost along the motion that the images show least over that along the one they show best,
    rotations scaled to mm at 80 mm. `converged` says that the way left to the minimum is short, in itself or against the deviations.

    What follows asks whether another answer would do as well. Where a measure cannot be taken (`measured`), it has the value that
    is worse than any: NOT_SCORED for scores and margins, NOT_KNOWN for differences.
    `swap_difference_mm`: largest displacement within 80 mm of the isocentre between the answer and the inverse of the match of the
    exchanged images. `second_metric_offset_mm`: the same between the answer and where a metric of another kind, on HU, has its optimum
    nearby; `second_metric` is its value at the answer. `rival_margin`: how much more a sample costs in the best other optimum
    that the search found (over 10 mm or 5 degrees away), as a share of its cost in the answer's.
    `vertebra_score`: how alike the bones are at the answer, in [-1, 1]; `vertebra_margin`: that less the best score one or two
    vertebrae up and down; `mirror_margin`: that less the score of the best match of the daily image mirrored left to right.
    `stretch`: largest principal stretch (1 is 100 %) of the affine part of the region displacements; `region_residual_mm`: how far
    regions of the anatomy disagree with one rigid pose; `target_residual_mm`: how far what lies within 40 mm of the isocentre is
    from where the pose has it, by itself. `identity`: how surely this is the patient of the plan; higher is surer.
    """

    overlap: float
    similarity: float
    inliers: float
    second_start_offset_mm: float
    second_start_offset_deg: float
    second_start_difference_mm: float
    translation_sd_mm: tuple[float, float, float]
    rotation_sd_deg: tuple[float, float, float]
    observability: float
    samples: int
    iterations: int
    converged: bool
    swap_difference_mm: float = NOT_KNOWN
    second_metric_offset_mm: float = NOT_KNOWN
    second_metric: float = NOT_SCORED
    rival_margin: float = NOT_SCORED
    vertebra_score: float = NOT_SCORED
    vertebra_margin: float = NOT_SCORED
    mirror_margin: float = NOT_SCORED
    stretch: float = NOT_KNOWN
    region_residual_mm: float = NOT_KNOWN
    target_residual_mm: float = NOT_KNOWN
    identity: float = NOT_SCORED


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """Another answer: the daily image shows the vertebra `levels` (-2, -1, 1, 2; + towards the head) above the one that the match says.

    `plan_from_daily` is the best pose of that kind, `shift_mm` how far it lies from the answer along the spine (plan z, +
    towards the head), `score` how alike the bones are there, by the measure of `Evidence.vertebra_score`.
    """

    levels: int
    shift_mm: float
    plan_from_daily: RigidMotion
    score: float


@dataclass(frozen=True, slots=True)
class RegionResidual:
    """Where a part of the anatomy about `centre_mm` (plan LPS) lies at the answer, from its planned place (plan LPS axes).

    `turn_deg` is its rotation about the plan axes, `sd_mm` the standard deviation of the displacement.
    """

    centre_mm: Point
    displacement_mm: Point
    turn_deg: Point
    sd_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """`plan_from_daily`, its evidence, and its covariance (6, 6) in mm and rad.

    Order (tx, ty, tz, wx, wy, wz): a small change x -> x + t + w x (x - c) of plan LPS points, c the plan isocentre; nothing varies
    along motions that the options did not seek. `whole_similarity` is that of the whole body, where a region or tissue decided.
    `hypotheses` are the other vertebrae that were tried, `regions` the parts of the anatomy that were matched by themselves.
    """

    plan_from_daily: RigidMotion
    covariance: NDArray[np.float64]
    evidence: Evidence
    options: MatchOptions = field(default_factory=MatchOptions)
    whole_similarity: float | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    regions: tuple[RegionResidual, ...] = ()

    def __post_init__(self) -> None:
        if (self.plan_from_daily.target, self.plan_from_daily.source) != (Frame.PLAN, Frame.DAILY):
            raise ValueError(f"a match is plan_from_daily; this one is {self.plan_from_daily.name}")
        object.__setattr__(self, "covariance", frozen_array(self.covariance, (6, 6), "match covariance"))
