"""Whether the anatomy lies as one rigid body where the plan has it, and which part does not. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.images.records import Plan, Structure, StructureKind
from igrt.registration.match import Match, RegionResidual, measured
from igrt.registration.projection import RadiographMatch
from igrt.verification.codes import found
from igrt.verification.evidence_sentences import off_as_one
from igrt.verification.findings import Finding
from igrt.verification.tolerance import Tolerance

NEAR_MM = 25.0  # a structure this far from the middle of a part of the anatomy says where it is
AS_FAR = 0.6  # of the farthest side, from which a second one is named
AT_MM = 20.0  # and this far from the isocentre it is at it
# Beyond the isocentre along plan LPS x, y, z: towards the positive and the negative end.
_SIDES = (("patient's left", "patient's right"), ("back", "front"), ("head side", "foot side"))


def changed_anatomy(match: Match, plan: Plan, tolerance: Tolerance) -> tuple[Finding, ...]:
    """The part of the anatomy that lies farthest from where the rest has it, at the level that the protocol gives the disagreement.

    Empty where the disagreement is within tolerance, and where no parts were matched by themselves: what could not be
    measured and had to be is refused by its rule.
    """
    disagreement_mm = match.evidence.region_residual_mm
    if isinstance(match, RadiographMatch) or not match.regions or not measured(disagreement_mm):
        return ()
    exceeded = tolerance.exceeded(disagreement_mm)
    if exceeded is None or not np.isfinite(disagreement_mm):
        return ()
    level, limit = exceeded
    together_mm = off_as_one(match.regions)
    if together_mm is not None:
        sentence = f"All of the anatomy lies {together_mm:.1f} mm from where this pose has it, and keeps its shape: the pose is off."
    else:
        part = farthest(match.regions)
        where = f"{place_words(part.centre_mm, plan)} lies {float(np.linalg.norm(part.displacement_mm)):.1f} mm"
        sentence = f"The anatomy {where} from where the rest has it: posture or anatomy has changed."
    return (found("anatomy_changed", sentence, level=level, value=disagreement_mm, limit=limit, unit="mm"),)


def farthest(regions: tuple[RegionResidual, ...]) -> RegionResidual:
    """The one whose displacement exceeds its standard deviation by most."""
    return max(regions, key=lambda region: float(np.linalg.norm(region.displacement_mm)) - region.sd_mm)


def place_words(point_mm: tuple[float, float, float], plan: Plan) -> str:
    """Where a point (plan LPS mm) is: `around Cord`, or from the isocentre, such as `at the head side of the isocentre`."""
    named = [(_distance_mm(structure, point_mm), structure.name) for structure in plan.structures if _is_anatomy(structure)]
    if named and min(named)[0] <= NEAR_MM:
        return f"around {min(named)[1]}"
    offset: NDArray[np.float64] = np.asarray(point_mm) - plan.isocentre_mm
    if float(np.linalg.norm(offset)) <= AT_MM:
        return "at the isocentre"
    away = np.abs(offset)
    sides = [_SIDES[axis][0 if offset[axis] > 0 else 1] for axis in np.argsort(-away) if away[axis] >= AS_FAR * away.max()]
    return f"at the {' and '.join(sides[:2])} of the isocentre"


def _is_anatomy(structure: Structure) -> bool:
    """The skin is everywhere, and a planning target volume is no anatomy."""
    return structure.kind not in (StructureKind.EXTERNAL, StructureKind.PTV)


def _distance_mm(structure: Structure, point_mm: tuple[float, float, float]) -> float:
    """From the point to the nearest corner of the structure's contours."""
    return float(np.linalg.norm(structure.vertices_mm - np.asarray(point_mm), axis=1).min())
