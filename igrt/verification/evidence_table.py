"""The table `[evidence]` of a protocol: what a match must show before its numbers are looked at."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from igrt.verification.schema import Table
from igrt.verification.tolerance import Tolerance

Fraction = Annotated[float, Meta(ge=0, le=1)]


class EvidenceTable(Table, frozen=True):
    """What a match must show before its numbers are looked at; a match that does not is refused."""

    overlap_min: Annotated[Fraction, Meta(description="Share of the anatomy in the daily image that lies inside the planning CT")]
    similarity_min: Annotated[
        float, Meta(ge=-1, le=1, description="Mean local correlation of the two images inside the body at the final pose")
    ]
    inliers_min: Annotated[Fraction, Meta(description="Share of the samples that the robust metric still trusts")]
    second_start_offset_min_mm: Annotated[
        float, Meta(ge=20, le=200, description="How far from the first the second start must lie (mm); at least 20")
    ]
    second_start_offset_min_deg: Annotated[
        float, Meta(ge=5, le=45, description="How far from the first the second start must be turned (degrees); at least 5")
    ]
    second_start_difference_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest distance between the two answers within 80 mm of the isocentre (mm)")
    ]
    translation_sd_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest standard deviation of the pose along any axis at the isocentre (mm)")
    ]
    rotation_sd_max_deg: Annotated[float, Meta(gt=0, le=10, description="Largest standard deviation of the pose about any axis (degrees)")]
    observability_min: Annotated[
        Fraction,
        Meta(description="Curvature of the cost at the pose, least motion over clearest, turns as mm at 80 mm: 0 where one is not seen"),
    ]
    samples_min: Annotated[int, Meta(ge=1, le=10_000_000, description="Least number of samples that the match rests on")]
    swap_difference_max_mm: Annotated[
        float,
        Meta(gt=0, le=10, description="Largest distance within 80 mm of the isocentre to the match with plan and image exchanged (mm)"),
    ]
    second_metric_offset_max_mm: Annotated[
        float,
        Meta(
            gt=0,
            le=20,
            description="Largest distance within 80 mm to where another measure of likeness, of grey values, sees the patient (mm)",
        ),
    ]
    rival_margin_min: Annotated[
        float, Meta(ge=-1, le=10, description="Least lead over the best other position, as a share of the cost of a sample")
    ]
    vertebra_margin_min: Annotated[
        float, Meta(ge=0, le=2, description="Least lead in score over the best match one or two vertebrae up or down")
    ]
    mirror_margin_min: Annotated[
        float, Meta(ge=0, le=2, description="Least lead in score over the daily image mirrored left to right; nobody can set it aside")
    ]
    stretch_max: Annotated[
        float,
        Meta(
            gt=0,
            le=0.5,
            description="Largest share by which the anatomy may be longer or shorter than planned; nobody can set it aside",
        ),
    ]
    region_residual_max_mm: Annotated[
        float, Meta(gt=0, le=50, description="Largest disagreement of parts of the anatomy with one rigid pose; beyond it, refused (mm)")
    ]
    region_residual_mm: Tolerance
    target_residual_max_mm: Annotated[
        float,
        Meta(gt=0, le=20, description="Largest distance of what lies at the isocentre, matched alone, from where the rest has it (mm)"),
    ]
    identity_min: Annotated[
        float, Meta(ge=-1, le=1, description="Least identity: how surely this is the patient of the plan; nobody can set it aside")
    ]
    derived_by: Annotated[
        str, Meta(min_length=1, description="The run that set these limits, as one sentence; shown with what was checked")
    ]
