"""From an accepted match to what the couch makes of it and what then remains, with its uncertainty (docs/geometry.md). Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.couch import CouchMove, CouchPosition, couch_move, residuals_mm, scatter_from_points
from igrt.geometry.couch_model import CouchModel
from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.geometry.setup import Correction, require_fixed
from igrt.verification.points import JudgedPoints, JudgedStructure, MatchRule, PointKind

# 95 % of a normal distribution in three dimensions lies within this squared radius of its centre (chi-squared, 3 degrees of freedom).
CHI_SQUARED_95 = 7.815


@dataclass(frozen=True, slots=True, kw_only=True)
class PointResidual:
    """How far a point ends up from where the plan wants it once the couch has moved (mm), and the 95 % radius around that (mm)."""

    name: str
    structure: str
    kind: PointKind
    residual_mm: float
    uncertainty95_mm: float

    @property
    def total_mm(self) -> float:
        """What is held against the tolerance."""
        return self.residual_mm + self.uncertainty95_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchAnswer:
    """What the couch is asked to do: `made` is its real motion; `target` absolute and `delta` in table axes, None without a start."""

    model: str
    degrees_of_freedom: int
    made: Correction
    target: CouchPosition | None
    delta: CouchPosition | None
    limited: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPoint:
    """The point that the couch brings home, plan LPS mm, and the rule that chose it."""

    rule: MatchRule
    position_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """All that follows from a match: the correction, the set-up error behind it, the couch's move, the residuals."""

    correction: Correction
    setup: Correction
    turn_deg: float
    couch: CouchAnswer
    match_point: MatchPoint
    residuals: tuple[PointResidual, ...]


def propose(
    correction: RigidMotion,
    covariance_fixed: NDArray[np.float64],
    *,
    points: JudgedPoints,
    fixed_from_plan: RigidMotion,
    couch: CouchModel,
    couch_start: CouchPosition | None,
    table_angle_deg: float,
    scan_offset_mm: tuple[float, float, float],
) -> Proposal:
    """The proposal for a correction `fixed_from_fixed` whose covariance is (6, 6) in fixed axes about the isocentre.

    `table_angle_deg` is the angle that the turntable stands at, as `couch_move` takes it.
    """
    now_from_goal = correction.inverse()
    move = couch_move(
        correction,
        model=couch,
        reference_mm=now_from_goal.apply(points.match_point_mm),
        scatter_mm2=scatter_from_points(now_from_goal.apply(points.target_points_mm)),
        start=couch_start,
        table_angle_deg=table_angle_deg,
    )
    setup = without_scan_offset(correction, scan_offset_mm)
    x, y, z = fixed_from_plan.inverse().apply(points.match_point_mm).tolist()
    return Proposal(
        correction=Correction.from_motion(correction),
        setup=Correction.from_motion(setup),
        turn_deg=whole_angle_deg(setup.rotation),
        couch=_couch_answer(couch, move),
        match_point=MatchPoint(rule=points.rule, position_mm=(x, y, z)),
        residuals=tuple(r for s in points.structures for r in _residuals(s, correction, move.motion, covariance_fixed)),
    )


def covariance_in_fixed(covariance: ArrayLike, fixed_from_plan: RigidMotion) -> NDArray[np.float64]:
    """(6, 6) covariance of a small motion about the isocentre, from plan LPS axes to fixed axes: `diag(Q, Q) S diag(Q, Q)^T`.

    Translations and rotation vectors turn alike, since a proper rotation keeps the cross product.
    """
    turn = np.kron(np.eye(2), fixed_from_plan.rotation)
    return np.asarray(turn @ frozen_array(covariance, (6, 6), "covariance") @ turn.T)


def uncertainty95_mm(covariance: NDArray[np.float64], points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) radius (mm) that holds the true place of each point (n, 3) in 95 % of cases, whatever the direction.

    `S_x = J S J^T` with `J = [I | -[x]x]`, radius `sqrt(7.815 lambda_max(S_x))`: at least 95 %, exact where `S_x` is isotropic.
    """
    x, y, z = points_mm.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows = [[one, zero, zero, zero, z, -y], [zero, one, zero, -z, zero, x], [zero, zero, one, y, -x, zero]]
    jacobian = np.moveaxis(np.array(rows), 2, 0)
    largest = np.linalg.eigvalsh(jacobian @ covariance @ jacobian.transpose(0, 2, 1))[:, -1]
    return np.asarray(np.sqrt(CHI_SQUARED_95 * np.maximum(largest, 0.0)))


def without_scan_offset(correction: RigidMotion, scan_offset_mm: ArrayLike) -> RigidMotion:
    """What remains of a correction once the couch has made the intended shift (fixed axes, mm): `f -> R (f - offset) + t`."""
    require_fixed(correction, "correction")
    intended = RigidMotion(Frame.FIXED, Frame.FIXED, np.eye(3), np.asarray(scan_offset_mm, float))
    return correction @ intended.inverse()


def whole_angle_deg(rotation: NDArray[np.float64]) -> float:
    """Angle about the axis of a (3, 3) rotation, 0 to 180 degrees, whatever the axes it is written in."""
    twice_axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    return float(np.degrees(np.arctan2(np.linalg.norm(twice_axis), np.trace(rotation) - 1)))


def _couch_answer(model: CouchModel, move: CouchMove) -> CouchAnswer:
    made = Correction.from_motion(move.motion)
    return CouchAnswer(
        model=model.name,
        degrees_of_freedom=model.degrees_of_freedom,
        made=made,
        target=move.target,
        delta=move.delta,
        limited=move.limited,
        words=made.words(),
    )


def _residuals(
    structure: JudgedStructure, correction: RigidMotion, made: RigidMotion, covariance: NDArray[np.float64]
) -> list[PointResidual]:
    """The worst point of a structure by residual and uncertainty together; a target's centroid beside it."""
    goal = structure.points_mm
    residual = np.linalg.norm(residuals_mm(correction, made, correction.inverse().apply(goal)), axis=1)
    radius = uncertainty95_mm(covariance, goal)

    def at(index: int, name: str) -> PointResidual:
        return PointResidual(
            name=name,
            structure=structure.name,
            kind=structure.kind,
            residual_mm=float(residual[index]),
            uncertainty95_mm=float(radius[index]),
        )

    if structure.kind is PointKind.ISOCENTRE:
        return [at(0, "isocentre")]
    worst = at(int(np.argmax(residual + radius)), f"{structure.name}, worst point")
    return [at(-1, f"{structure.name}, centroid"), worst] if structure.kind is PointKind.TARGET else [worst]
