"""Everything that is measured about an answer, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import RigidMotion
from igrt.registration.descent import FINEST, CoarseToFine
from igrt.registration.evidence import (
    FINE_PROBE_MM,
    PROBE_MM,
    covariance,
    inverse_curvature,
    largest_displacement_mm,
    observability,
    resemblance,
    settled,
    way_left,
)
from igrt.registration.hypotheses import alternatives
from igrt.registration.identity import identity
from igrt.registration.match import NOT_SCORED, Evidence, Match
from igrt.registration.regions import region_residuals
from igrt.registration.second_metric import second_metric
from igrt.registration.solver import Solution
from igrt.registration.swap import Exchanged, swapped_match

PROBED = (2, 3)  # the levels that tell which motions the images show; a finer one's voxels are too noisy
FINISHING, LONGEST_FINISH_MM = 2, 1.0  # steps by the curvature, where those by the normal matrix became too short to arrive
FINISHING_SHARES = (1.0, 0.5, 0.25, 0.125)  # the cost has kinks: the lowest decides


@dataclass(frozen=True, slots=True)
class OtherStarts:
    """How far away the second start lay and how far apart the two answers are; how much worse the best other optimum is."""

    offset_mm: float
    offset_deg: float
    difference_mm: float
    rival_margin: float = NOT_SCORED


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What samples tell about a solution: its pose, covariance, and whether it has settled."""

    solution: Solution
    answer: RigidMotion
    spread: NDArray[np.float64]
    observability: float
    converged: bool
    way_mm: NDArray[np.float64] | None

    @classmethod
    def finished(cls, levels: CoarseToFine, solution: Solution) -> Measured:
        """At the solution, or nearer to the minimum where it has not settled: noise makes the steps of Gauss-Newton too short."""
        measured = cls.at(levels, solution)
        for _ in range(FINISHING):
            way = measured.way_mm
            if measured.converged or way is None or not float(np.linalg.norm(way)) <= LONGEST_FINISH_MM:
                break
            steps = [levels.motions.small(-share * way) for share in FINISHING_SHARES]
            nearer = min((levels.at(measured.solution.pose.moved(s, levels.motions.about_mm)) for s in steps), key=lambda end: end.cost)
            if not nearer.cost < measured.solution.cost:
                break
            measured = cls.at(levels, nearer)
        return measured

    @classmethod
    def at(cls, levels: CoarseToFine, solution: Solution) -> Measured:
        """At the solution as it is."""
        *coarser, fine = levels.curvatures(solution.pose, dict.fromkeys(PROBED, PROBE_MM) | {FINEST: FINE_PROBE_MM})
        inverse = inverse_curvature(solution.inside * fine)
        spread = covariance(solution, inverse, levels.motions)
        converged = settled(solution, inverse, spread, levels.motions)
        way = None if inverse is None else way_left(solution, inverse, levels.motions.basis)
        return cls(solution, solution.pose.plan_from_daily(levels.centres), spread, observability(coarser), converged, way)

    def match(self, levels: CoarseToFine, others: OtherStarts, iterations: int, *, alone: bool = False) -> Match:
        """With what every voxel tells and, unless `alone`, with the answers that might be right instead."""
        options, deviations = levels.options, np.sqrt(np.diag(self.spread))
        alike = resemblance(levels.plan, levels.daily, self.answer, levels.verbs, options=options)
        evidence = Evidence(
            overlap=min(alike.overlap, alike.region_shown),
            similarity=alike.region_similarity,
            inliers=self.solution.inliers,
            second_start_offset_mm=others.offset_mm,
            second_start_offset_deg=others.offset_deg,
            second_start_difference_mm=others.difference_mm,
            translation_sd_mm=triple(deviations[:3]),
            rotation_sd_deg=triple(np.degrees(deviations[3:])),
            observability=self.observability,
            samples=int(self.solution.inside) if options.restricted else len(levels.daily.levels[-1].values),
            iterations=iterations,
            converged=self.converged,
            rival_margin=others.rival_margin,
        )
        match = Match(self.answer, self.spread, evidence, options, alike.similarity if options.restricted else None)
        return match if alone else with_alternatives(match, levels)


def with_alternatives(match: Match, levels: CoarseToFine) -> Match:
    """A match with what tells of other answers, parts of the anatomy, and other patients.

    Of the whole body and with all six motions, whatever the match looked at: a region or a tissue says nothing about who lies there or
    which vertebra it is. Only the exchanged match and the second metric leave out the motions that the match did.
    """
    isocentre_mm, answer, verbs = levels.centres.plan_mm, match.plan_from_daily, levels.verbs
    exchanged = Exchanged(levels.plan, levels.daily, verbs)
    swapped = swapped_match(exchanged, answer, levels.motions, isocentre_mm)
    other = alternatives(exchanged, answer, isocentre_mm, verbs)
    metric = second_metric(levels.plan, levels.daily, answer, isocentre_mm=isocentre_mm, verbs=verbs, motions=levels.motions)
    regions = region_residuals(levels.plan, levels.daily, answer, isocentre_mm=isocentre_mm, verbs=verbs)
    evidence = replace(
        match.evidence,
        swap_difference_mm=largest_displacement_mm(answer, swapped, isocentre_mm),
        second_metric_offset_mm=metric.offset_mm,
        second_metric=metric.value,
        vertebra_score=other.vertebra_score,
        vertebra_margin=other.vertebra_margin,
        mirror_margin=other.mirror_margin,
        stretch=regions.stretch,
        region_residual_mm=regions.residual_mm,
        target_residual_mm=regions.target_mm,
        identity=identity(levels.plan, levels.daily, answer, regions, isocentre_mm=isocentre_mm, verbs=verbs),
    )
    return replace(match, evidence=evidence, hypotheses=other.hypotheses, regions=regions.residuals)


def triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Three floats."""
    x, y, z = (float(value) for value in values)
    return x, y, z
