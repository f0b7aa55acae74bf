"""Where an answer is judged: the match point, and points of targets and organs, in the room where the plan wants them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.images.masks import centroid_mm
from igrt.images.records import Plan, Structure, StructureKind
from igrt.verification.protocol import OrganTable, TargetTable

DIRECTIONS = 200  # the farthest vertex in each of these directions stands for a structure's surface: a cone of about 8 degrees each
MOST_VERTICES = 10_000
BALL_STEPS = 1000  # centre of the smallest ball to about 0.1 % of its radius


class PointKind(StrEnum):
    """What a judged point belongs to."""

    TARGET = "target"
    ORGAN = "organ"
    ISOCENTRE = "isocentre"


class MatchRule(StrEnum):
    """How the match point was chosen: the point that the couch brings home exactly."""

    CENTROID = "centroid of the target"
    SEVERAL = "centre of the smallest ball around all targets"
    PTV = "centroid of the PTV, for want of a CTV, ITV or GTV"
    SEVERAL_PTV = "centre of the smallest ball around all PTVs, for want of a CTV, ITV or GTV"
    ISOCENTRE = "isocentre, for want of a target structure"


@dataclass(frozen=True, slots=True, eq=False)
class JudgedStructure:
    """Surface points (n, 3) of one structure, fixed mm, where the plan wants them; a target's centroid is the last point."""

    name: str
    kind: PointKind
    points_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_mm", frozen_array(self.points_mm, (len(self.points_mm), 3), f"points of {self.name!r}"))
        if len(self.points_mm) == 0:
            raise ValueError(f"structure {self.name!r} has no point to judge; leave it out")


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPoints:
    """The match point (3,) and the structures that are judged, at least one, fixed mm, where the plan wants them."""

    rule: MatchRule
    match_point_mm: NDArray[np.float64]
    structures: tuple[JudgedStructure, ...]

    @property
    def target_points_mm(self) -> NDArray[np.float64]:
        """(n, 3) points that decide the yaw of a couch of four degrees of freedom: the targets', or the isocentre."""
        return np.concatenate([s.points_mm for s in self.structures if s.kind is not PointKind.ORGAN])


def judged_points(plan: Plan, fixed_from_plan: RigidMotion, target: TargetTable, organs: OrganTable) -> JudgedPoints:
    """What is judged of this plan under this protocol, by `fixed_from_plan` in the room."""
    if (fixed_from_plan.target, fixed_from_plan.source) != (Frame.FIXED, Frame.PLAN):
        raise ValueError(f"points are judged in the room; give fixed_from_plan, not {fixed_from_plan.name}")
    targets, is_ptv = select_targets(plan.structures, target)
    if not targets:
        match_point = fixed_from_plan.apply(plan.isocentre_mm)
        judged = [JudgedStructure("isocentre", PointKind.ISOCENTRE, match_point[None])]
        rule = MatchRule.ISOCENTRE
    else:
        judged = [_target(structure, plan, fixed_from_plan) for structure in targets]
        several = len(targets) > 1
        rule = (MatchRule.SEVERAL_PTV if several else MatchRule.PTV) if is_ptv else (MatchRule.SEVERAL if several else MatchRule.CENTROID)
        match_point = smallest_ball_centre(np.concatenate([s.points_mm for s in judged])) if several else judged[0].points_mm[-1]
    for structure in plan.structures:
        if structure.kind is StructureKind.ORGAN and _named(structure, organs.names):
            vertices = fixed_from_plan.apply(structure.vertices_mm)
            near = vertices[np.linalg.norm(vertices - match_point, axis=1) <= organs.reach_mm]  # a long organ's ends are not its worst
            if len(near):
                judged.append(JudgedStructure(structure.name, PointKind.ORGAN, extreme_points(near)))
    return JudgedPoints(rule, frozen_array(match_point, (3,), "match point"), _told_apart(judged))


def select_targets(structures: Iterable[Structure], table: TargetTable) -> tuple[tuple[Structure, ...], bool]:
    """The structures of the first kind of the protocol that the plan has, and whether a PTV had to stand in."""
    named = [structure for structure in structures if _named(structure, table.names)]
    kinds = [(StructureKind(kind), False) for kind in table.kinds] + ([(StructureKind.PTV, True)] if table.ptv_fallback else [])
    for kind, is_ptv in kinds:
        chosen = tuple(structure for structure in named if structure.kind is kind)
        if chosen:
            return chosen, is_ptv
    return (), False


def extreme_points(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of points (n, 3) the farthest in each of `DIRECTIONS` directions, in their own order: at most that many.

    What remains after a rigid motion grows outward, so the worst point lies on the convex hull, and these are its corners
    within a cone of a few degrees. Of very many vertices every second, third, ... is looked at: contours are drawn finer than what a
    residual changes over. The same points always give the same choice.
    """
    thinned = points_mm[:: -(-len(points_mm) // MOST_VERTICES) or 1]
    farthest = {int(np.argmax(thinned @ direction)) for direction in _directions()}
    return thinned[sorted(farthest)]


def smallest_ball_centre(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre (3,) of the smallest ball that holds points (n, 3): no point is farther from it than it must be.

    Steps of 1/(i + 1) toward the farthest point (Badoiu and Clarkson 2003) converge as one over the number of steps.
    """
    centre = points_mm.mean(axis=0)
    for step in range(1, BALL_STEPS + 1):
        farthest = points_mm[np.argmax(((points_mm - centre) ** 2).sum(axis=1))]
        centre = centre + (farthest - centre) / (step + 1)
    return np.asarray(centre)


def _told_apart(structures: list[JudgedStructure]) -> tuple[JudgedStructure, ...]:
    """The same structures; the second and later of one name are numbered, for an answer lists points by name."""
    distinct: list[JudgedStructure] = []
    for structure in structures:
        name, taken = structure.name, {other.name for other in distinct}
        count = 2
        while name in taken:
            name, count = f"{structure.name} ({count})", count + 1
        distinct.append(replace(structure, name=name))
    return tuple(distinct)


def _target(structure: Structure, plan: Plan, fixed_from_plan: RigidMotion) -> JudgedStructure:
    centroid = fixed_from_plan.apply(centroid_mm(structure, plan.ct.grid))
    surface = extreme_points(fixed_from_plan.apply(structure.vertices_mm))
    return JudgedStructure(structure.name, PointKind.TARGET, np.vstack([surface, centroid]))


def _named(structure: Structure, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(structure.name.casefold(), pattern.casefold()) for pattern in patterns)


def _directions() -> NDArray[np.float64]:
    """(n, 3) unit vectors spread evenly over the sphere (Fibonacci lattice)."""
    index = np.arange(DIRECTIONS) + 0.5
    height = 1 - 2 * index / DIRECTIONS
    azimuth = np.pi * (1 + np.sqrt(5)) * index
    radius = np.sqrt(1 - height**2)
    return np.column_stack([radius * np.cos(azimuth), radius * np.sin(azimuth), height])
