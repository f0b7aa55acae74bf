"""Regions of the patient, each matched by itself from the answer: where the anatomy is not the rigid body that the match takes it for.

Regions are of the whole body, whatever the options of the match (docs/decisions/match-evidence.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INSIDE_COUNT, MATRIX_TERMS, NORMAL_VECTOR, ROBUST_COST, WEIGHT_SUM, WEIGHTED_SQUARES
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.blocks import TARGET_MM, Blocks
from igrt.registration.match import NOT_KNOWN, RegionResidual
from igrt.registration.options import Point
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.solver import COST_OF_THE_UNSEEN, REACH_MM

Array = NDArray[np.float64]

UPPER = np.triu_indices(6)
COARSE, FINE = 2, 3  # levels: voxels of 4 mm, where a stretch is seen from afar, and of 2.5 mm, where regions are matched
COARSE_REGIONS, FINE_REGIONS = 8, 16
AFFINE_STEPS, TARGET_STEPS, FINE_STEPS = 4, 3, 4  # more together would stretch a stranger until he fits
ARRIVED_MM = 0.1  # a step all together shorter than this, 80 mm away, ends them
COARSE_SCALE, FINE_SCALE = 1.5, 1.0  # robust scales
FAR_TARGET_MM = 60.0
LEAST_SAMPLES = 64  # in a region; with fewer it shows nothing
PRIOR_MM, PRIOR_RAD, PRIOR_STRAIN = 10.0, 0.15, 0.15  # SD of what a region, or all together, may do
NEAR_MM = 0.7  # a start this near to the answer leads to the same place
LONGEST_STEP_MM = 5.0
CORRELATED = 8.0  # neighbouring samples that share one residual
LEAST_NOISE = 1e-6
FARTHEST_MM = 25.0  # a region farther off found another place to lie
QUANTILE, TRUSTED_MM = 0.9, 0.5  # regions weigh 1 / (0.5^2 + SD^2)
LEAST_REGIONS = 4
LEAST_FOR_STRETCH = 8
STRAIN_PRIOR = np.diag([4.0**-2] * 3 + [1e-6])  # SD of 5 %, as mm at 80 mm: a thin image does not show its own thickness
STANDARD_ERRORS = 2.0
AGREEING_MM, ROBUST_STEPS = 0.7, 8  # robust scale of displacements about their affine part


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """What brings each region onto the plan: shifts of centres and their SD (mm), rotations; samples that fall on it, mean robust cost."""

    shifts_mm: Array
    rotations: Array
    sd_mm: Array
    samples: Array
    cost: Array

    def or_better(self, other: Moves) -> Moves:
        """Region by region, the one whose samples cost less."""
        chosen = other.cost < self.cost

        def pick(name: str) -> Array:
            mine, others = getattr(self, name), getattr(other, name)
            return np.asarray(np.where(chosen.reshape(-1, *[1] * (mine.ndim - 1)), others, mine))

        return Moves(*(pick(field.name) for field in fields(Moves)))


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What regions say of a pose; NOT_KNOWN where too few of them show anything.

    `residual_mm`: nine tenths of the regions (by their weight) lie no farther from their planned place than this, their standard
    deviation taken off. `stretch`: the largest |principal strain| of the affine part of their displacements (0.05: the image is 5 % too
    large or too small along some axis), times the share of their disagreement that it explains, so that bending and breathing,
    which are no stretch, count little. `target_mm`: the residual of the last region, the one at the isocentre. `blocks` and `moves`
    are what they are made of.
    """

    residuals: tuple[RegionResidual, ...]
    residual_mm: float
    stretch: float
    target_mm: float
    blocks: Blocks
    moves: Moves


def region_residuals(
    plan: PreparedPlan, daily: PreparedDaily, plan_from_daily: RigidMotion, *, isocentre_mm: Array, verbs: Verbs
) -> Regions:
    """Every region's best place near a pose: first what shift, turn and stretch they want together, then each by itself."""
    coarse, fine = levels_of_blocks(plan, daily, plan_from_daily, isocentre_mm, verbs, TARGET_MM)
    if fine.counts[-1] < LEAST_SAMPLES:  # amid a lung nothing lies near
        coarse, fine = levels_of_blocks(plan, daily, plan_from_daily, isocentre_mm, verbs, FAR_TARGET_MM)
    together = affine_of_all(coarse)
    starts, from_afar = (blocks.centres_mm @ together[:, :3].T + together[:, 3] for blocks in (fine, coarse))
    starts[-1] = matched(coarse, from_afar, COARSE_SCALE, TARGET_STEPS).shifts_mm[-1]  # a target may move farther than what is around it
    moves = matched(fine, starts, FINE_SCALE, FINE_STEPS)
    if float(np.abs(starts).max()) > NEAR_MM:  # what moves a part should not lead the rest astray
        moves = matched(fine, np.zeros_like(starts), FINE_SCALE, FINE_STEPS).or_better(moves)
    shown = (moves.samples >= LEAST_SAMPLES) & (np.linalg.norm(moves.shifts_mm, axis=1) <= FARTHEST_MM)
    residuals = {int(n): residual(fine, moves, int(n), isocentre_mm) for n in np.flatnonzero(shown)}
    target = residuals.get(FINE_REGIONS)
    others = [one for n, one in residuals.items() if n != FINE_REGIONS]
    target_mm = NOT_KNOWN if target is None else beyond_doubt_mm(target)
    return Regions(tuple(residuals.values()), disagreement_mm(others), stretch(others), target_mm, fine, moves)


def levels_of_blocks(
    plan: PreparedPlan, daily: PreparedDaily, plan_from_daily: RigidMotion, isocentre_mm: Array, verbs: Verbs, target_mm: float
) -> tuple[Blocks, Blocks]:
    """The regions of the coarse and of the fine level; the one at the isocentre is of what lies within `target_mm`."""
    coarse, fine = (
        Blocks(
            plan.levels[level],
            daily.levels[level],
            plan_from_daily,
            daily_centre_mm=daily.centre_mm,
            isocentre_mm=isocentre_mm,
            regions=regions,
            verbs=verbs,
            target_mm=target_mm,
        )
        for level, regions in ((COARSE, COARSE_REGIONS), (FINE, FINE_REGIONS))
    )
    return coarse, fine


def affine_of_all(blocks: Blocks) -> Array:
    """(3, 4) G, t of the motion y -> y + G y + t that brings all regions onto the plan: Gauss-Newton, from the shift that each would like.

    The prior keeps finite what they do not show.
    """
    centre = blocks.centres_mm[:-1].mean(axis=0)
    arms = np.concatenate([(blocks.centres_mm - centre) / REACH_MM, np.ones((len(blocks.centres_mm), 1))], axis=1)
    prior = np.concatenate([np.full((3, 3), (PRIOR_STRAIN * REACH_MM) ** -2), np.full((3, 1), PRIOR_MM**-2)], axis=1)
    wanted = np.zeros((3, 4))  # strains as mm at 80 mm
    for _ in range(AFFINE_STEPS):
        linear = np.tile(np.eye(3) + wanted[:, :3] / REACH_MM, (len(arms), 1, 1))
        sums = blocks.sums(linear, arms @ wanted.T, COARSE_SCALE)
        sums[-1] = 0.0  # its samples are in the others
        noise = CORRELATED * max(float(sums[:, WEIGHTED_SQUARES].sum() / max(sums[:, WEIGHT_SUM].sum(), 1.0)), LEAST_NOISE)
        matrix = np.einsum("nab,nc,nd->acbd", normal_matrices(sums)[:, :3, :3], arms, arms).reshape(12, 12) / noise
        vector = np.einsum("na,nc->ac", sums[:, NORMAL_VECTOR][:, :3], arms) / noise + prior * wanted
        step = np.linalg.solve(matrix + np.diag(prior.ravel()), vector.ravel()).reshape(3, 4)
        wanted = wanted - step
        if float(np.abs(step).sum(axis=1).max()) <= ARRIVED_MM:
            break
    strain = wanted[:, :3] / REACH_MM
    return np.column_stack([strain, wanted[:, 3] - strain @ centre])


def matched(blocks: Blocks, start_mm: Array, scale: float, steps: int) -> Moves:
    """Damped Gauss-Newton of every region about its own centre, from shifts (n, 3)."""
    n = len(blocks.centres_mm)
    rotations, shifts = np.tile(np.eye(3), (n, 1, 1)), start_mm
    prior = np.diag([PRIOR_MM**-2] * 3 + [PRIOR_RAD**-2] * 3)
    for _ in range(steps):
        vectors, matrices, _ = local_equations(blocks, shifts, rotations, scale)
        vectors[:, :3] += (shifts - start_mm) * PRIOR_MM**-2
        small = -np.linalg.solve(matrices + prior, vectors[..., None])[..., 0]
        length = np.linalg.norm(small[:, :3], axis=1, keepdims=True)
        small *= np.minimum(1.0, LONGEST_STEP_MM / np.maximum(length, LEAST_NOISE))
        shifts = shifts + small[:, :3]
        rotations = rotations_of(np.asarray(small[:, 3:], np.float64)) @ rotations
    _, matrices, sums = local_equations(blocks, shifts, rotations, scale)
    spread = np.linalg.eigvalsh(np.linalg.inv(matrices + prior)[:, :3, :3])[:, -1]
    inside = sums[:, INSIDE_COUNT]
    unseen = COST_OF_THE_UNSEEN * (blocks.counts - inside)
    return Moves(shifts, rotations, np.sqrt(spread), inside, (sums[:, ROBUST_COST] + unseen) / np.maximum(blocks.counts, 1))


def local_equations(blocks: Blocks, shifts_mm: Array, rotations: Array, scale: float) -> tuple[Array, Array, Array]:
    """Normal vectors (n, 6) and matrices (n, 6, 6) by (t, w) about each region's centre, over its residual variance; the sums."""
    sums = blocks.sums(rotations, shifts_mm, scale)
    about = np.tile(np.eye(6), (len(sums), 1, 1))
    about[:, :3, 3:] = cross_matrices(blocks.centres_mm + shifts_mm)  # t + w x (y - c) is, about the isocentre, t + c x w
    noise = CORRELATED * np.maximum(sums[:, WEIGHTED_SQUARES] / np.maximum(sums[:, WEIGHT_SUM], 1.0), LEAST_NOISE)
    back = about.transpose(0, 2, 1)
    vectors = (back @ sums[:, NORMAL_VECTOR, None])[..., 0] / noise[:, None]
    return vectors, back @ normal_matrices(sums) @ about / noise[:, None, None], sums


def normal_matrices(sums: Array) -> Array:
    """(n, 6, 6) of rows of sums (n, 32)."""
    full = np.zeros((len(sums), 6, 6))
    full[:, UPPER[0], UPPER[1]] = full[:, UPPER[1], UPPER[0]] = sums[:, :MATRIX_TERMS]
    return full


def cross_matrices(vectors: Array) -> Array:
    """(n, 3, 3) that take w to v x w."""
    crosses = np.zeros((len(vectors), 3, 3))
    crosses[:, [2, 0, 1], [1, 2, 0]] = vectors
    return np.asarray(crosses - crosses.transpose(0, 2, 1))


def rotations_of(vectors: Array) -> Array:
    """(n, 3, 3) rotations by |w| rad about each w (Rodrigues)."""
    cross = cross_matrices(vectors)
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * cross + np.sinc(angle / (2 * np.pi)) ** 2 / 2 * cross @ cross)


def residual(blocks: Blocks, moves: Moves, n: int, isocentre_mm: Array) -> RegionResidual:
    """Where the anatomy of a region lies, from its planned place: against what brings it there."""
    turn = moves.rotations[n]
    planned = blocks.centres_mm[n] + moves.shifts_mm[n] + isocentre_mm
    axis = np.array([turn[1, 2] - turn[2, 1], turn[2, 0] - turn[0, 2], turn[0, 1] - turn[1, 0]]) / 2
    return RegionResidual(point(planned), point(-moves.shifts_mm[n]), point(np.degrees(axis)), float(moves.sd_mm[n]))


def point(values: Array) -> Point:
    """Three floats."""
    x, y, z = (float(value) for value in values)
    return x, y, z


def beyond_doubt_mm(one: RegionResidual) -> float:
    """Length of the displacement less its standard deviation, at least 0."""
    return max(float(np.linalg.norm(one.displacement_mm)) - one.sd_mm, 0.0)


def disagreement_mm(residuals: Sequence[RegionResidual]) -> float:
    """The weighted 90th percentile of what lies beyond doubt; NOT_KNOWN with fewer than four regions."""
    if len(residuals) < LEAST_REGIONS:
        return NOT_KNOWN
    sizes = np.array([beyond_doubt_mm(one) for one in residuals])
    weights = np.array([1 / (TRUSTED_MM**2 + one.sd_mm**2) for one in residuals])
    order = np.argsort(sizes, kind="stable")
    reached = np.searchsorted(np.cumsum(weights[order]), QUANTILE * float(weights.sum()))
    return float(sizes[order][min(int(reached), len(sizes) - 1)])


def stretch(residuals: Sequence[RegionResidual]) -> float:
    """As `Regions.stretch`; NOT_KNOWN with fewer than eight regions."""
    if len(residuals) < LEAST_FOR_STRETCH:
        return NOT_KNOWN
    centres, moved = np.array([one.centre_mm for one in residuals]), np.array([one.displacement_mm for one in residuals])
    variance = AGREEING_MM**2 + np.array([one.sd_mm for one in residuals]) ** 2
    arms = np.concatenate([(centres - centres.mean(axis=0)) / REACH_MM, np.ones((len(centres), 1))], axis=1)
    found = (affine_part(arms, moved, variance, start) for start in (np.zeros((4, 3)), None))
    fit, weights, cost = min(found, key=lambda one: one[2])
    _, _, rigid_cost = affine_part(arms, moved, variance, np.zeros((4, 3)), rigid=True)
    strains, axes = np.linalg.eigh((fit[:3] + fit[:3].T) / 2)
    spread = np.linalg.inv((arms * weights[:, None]).T @ arms + STRAIN_PRIOR)[:3, :3]
    left = float((weights * ((moved - arms @ fit) ** 2).sum(axis=1)).sum() / 3 / max(len(arms) - 4, 1))
    errors = np.sqrt(left * np.einsum("ak,ab,bk->k", axes, spread, axes))
    sure = np.maximum(np.abs(strains) - STANDARD_ERRORS * errors, 0.0) / REACH_MM
    return max(1.0 - cost / max(rigid_cost, LEAST_NOISE), 0.0) * float(sure.max())


def affine_part(arms: Array, moved_mm: Array, variance: Array, start: Array | None, *, rigid: bool = False) -> tuple[Array, Array, float]:
    """(4, 3) robust affine of displacements (n, 3) from a start, or from what all regions want on average, their weights, and its cost.

    Not stretched where `rigid`: only the part that turns and shifts is kept.
    """
    weights = 1 / variance if start is None else 1 / variance / (1 + misfit(arms, moved_mm, variance, start)) ** 2
    fit = np.zeros((4, 3))
    for _ in range(ROBUST_STEPS):
        weighted = arms * weights[:, None]
        fit = np.asarray(np.linalg.solve(weighted.T @ arms + STRAIN_PRIOR, weighted.T @ moved_mm), np.float64)
        if rigid:
            fit[:3] = (fit[:3] - fit[:3].T) / 2
        weights = 1 / variance / (1 + misfit(arms, moved_mm, variance, fit)) ** 2
    squares = misfit(arms, moved_mm, variance, fit)
    return fit, weights, float((squares / (1 + squares)).sum())


def misfit(arms: Array, moved_mm: Array, variance: Array, fit: Array) -> Array:
    """(n,) squared distance from an affine over the variance."""
    return np.asarray(((moved_mm - arms @ fit) ** 2).sum(axis=1) / variance)
