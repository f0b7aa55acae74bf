"""The rigid motion that puts found markers where the plan has them, weighted by how well each is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.solver import RADIANS, rotation_of

Doubles = NDArray[np.float64]

ITERATIONS = 12
LEAST_CURVATURE = 1e-7  # of the largest, rotations as mm at 80 mm: below it nothing holds a motion
UNKNOWN_VARIANCE = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class RigidFit:
    """`plan_from_daily` of markers; `residuals_mm` (n, 3) is planned less found, in plan axes, and `fre_mm` their root mean square.

    `covariance` (6, 6) in mm and rad as that of a `Match`: where the residuals are larger than the markers' own deviations explain, it
    grows with them. Motions that were not sought have none, motions that nothing holds a huge one.
    """

    plan_from_daily: RigidMotion
    covariance: Doubles
    residuals_mm: Doubles
    fre_mm: float

    @property
    def largest_residual_mm(self) -> float:
        """Of the marker that fits least."""
        return float(np.linalg.norm(self.residuals_mm, axis=1).max())


def fit_rigid(planned_mm: Doubles, found_mm: Doubles, variances_mm2: Doubles, *, centre_mm: Doubles, hold: RigidMotion | None) -> RigidFit:
    """Least squares of `planned = R found + t` over markers (n, 3), each residual weighed by its own covariance (n, 3, 3) in plan axes.

    Begins with the closed form (Kabsch; Arun and others, 1987) and goes on by Gauss-Newton, since the errors of markers seen from few
    angles are not the same along all axes. `hold` is a pose whose rotation is kept: then the shift alone is sought. `centre_mm` is the
    plan isocentre, about which the covariance is. ValueError without a marker.
    """
    if len(planned_mm) < 1 or planned_mm.shape != found_mm.shape:
        raise ValueError(f"{len(planned_mm)} planned and {len(found_mm)} found markers make no fit; give pairs, at least one")
    free = np.eye(6) if hold is None else np.eye(6)[:, :3]
    rotation, shift = _closed_form(planned_mm, found_mm) if hold is None else (hold.rotation, np.zeros(3))
    if hold is not None:
        shift = (planned_mm - found_mm @ rotation.T).mean(axis=0)
    weights = np.asarray(np.linalg.inv(variances_mm2), np.float64)
    for _ in range(ITERATIONS):
        placed = found_mm @ rotation.T + shift
        normal, pull = _normal(planned_mm - placed, placed - centre_mm, weights)
        step = free @ (_inverse(free.T @ normal @ free) @ (free.T @ pull)) / RADIANS
        turn = rotation_of(step[3:])
        rotation, shift = turn @ rotation, turn @ (shift - centre_mm) + centre_mm + step[:3]
    residuals = planned_mm - found_mm @ rotation.T - shift
    normal, _ = _normal(residuals, planned_mm - residuals - centre_mm, weights)
    surplus = 3 * len(planned_mm) - free.shape[1]
    misfit = float(np.einsum("ni,nij,nj->", residuals, weights, residuals)) / surplus if surplus > 0 else 1.0
    known = free @ _inverse(free.T @ normal @ free, unknown=UNKNOWN_VARIANCE) @ free.T
    u, _, v = np.linalg.svd(rotation)
    return RigidFit(
        RigidMotion(Frame.PLAN, Frame.DAILY, u @ v, shift),
        max(misfit, 1.0) * known / np.outer(RADIANS, RADIANS),
        residuals,
        float(np.sqrt((residuals**2).sum(axis=1).mean())),
    )


def left_out_mm(
    planned_mm: Doubles, found_mm: Doubles, variances_mm2: Doubles, *, centre_mm: Doubles, fit: RigidFit, turn: bool
) -> Doubles:
    """(n, 3) found less planned (plan axes) of each marker after a fit of all others; NaN for a single marker.

    A marker pulls the fit of all towards itself, so that what remains of it there is less than it is off. Three markers less one hold no
    rotation: that of all is kept and the others place by their shift alone.
    """
    count = len(planned_mm)
    if count < 2:
        return np.full((count, 3), math.nan)
    hold = None if turn and count > 3 else fit.plan_from_daily
    off = np.empty((count, 3))
    for n in range(count):
        rest = np.arange(count) != n
        other = fit_rigid(planned_mm[rest], found_mm[rest], variances_mm2[rest], centre_mm=centre_mm, hold=hold)
        off[n] = other.plan_from_daily.apply(found_mm[n]) - planned_mm[n]
    return off


def largest_apart_mm(one: RigidMotion, other: RigidMotion, planned_mm: Doubles) -> float:
    """The largest distance between what two poses make of places of the plan (n, 3)."""
    return float(np.linalg.norm(other.apply(one.inverse().apply(planned_mm)) - planned_mm, axis=1).max())


def _closed_form(planned_mm: Doubles, found_mm: Doubles) -> tuple[Doubles, Doubles]:
    middle, centre = planned_mm.mean(axis=0), found_mm.mean(axis=0)
    u, _, v = np.linalg.svd((planned_mm - middle).T @ (found_mm - centre))
    rotation = u @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ v)))]) @ v
    return rotation, middle - rotation @ centre


def _normal(residuals: Doubles, arms_mm: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Normal matrix (6, 6) and right side (6,) of a small motion t + w x arm, rotations as mm at 80 mm."""
    motion = np.zeros((len(arms_mm), 3, 6))
    motion[:, :, :3] = np.eye(3)
    x, y, z = (arms_mm / RADIANS[3]).T
    motion[:, 0, 4], motion[:, 0, 5] = z, -y
    motion[:, 1, 3], motion[:, 1, 5] = -z, x
    motion[:, 2, 3], motion[:, 2, 4] = y, -x
    weighted = np.einsum("nij,njk->nik", weights, motion)
    return np.einsum("nji,njk->ik", motion, weighted), np.einsum("nij,ni->j", weighted, residuals)


def _inverse(matrix: Doubles, *, unknown: float = 0.0) -> Doubles:
    """Inverse of a symmetric matrix; `unknown` along what it does not hold."""
    values, vectors = np.linalg.eigh(matrix)
    held = values > LEAST_CURVATURE * max(float(values[-1]), 1e-300)
    inverse = np.where(held, 1 / np.where(held, values, 1.0), unknown)
    return np.asarray(vectors * inverse @ vectors.T)
