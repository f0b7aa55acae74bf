"""What a registration hands to verification: a pose, how sure it is, and the evidence. No judgement here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.options import MatchOptions


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


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """`plan_from_daily`, its evidence, and its covariance (6, 6) in mm and rad.

    Order (tx, ty, tz, wx, wy, wz): a small change x -> x + t + w x (x - c) of plan LPS points, c the plan isocentre; nothing varies
    along motions that the options did not seek. `whole_similarity` is that of the whole body, where a region or tissue decided.
    """

    plan_from_daily: RigidMotion
    covariance: NDArray[np.float64]
    evidence: Evidence
    options: MatchOptions = field(default_factory=MatchOptions)
    whole_similarity: float | None = None

    def __post_init__(self) -> None:
        if (self.plan_from_daily.target, self.plan_from_daily.source) != (Frame.PLAN, Frame.DAILY):
            raise ValueError(f"a match is plan_from_daily; this one is {self.plan_from_daily.name}")
        object.__setattr__(self, "covariance", frozen_array(self.covariance, (6, 6), "match covariance"))
