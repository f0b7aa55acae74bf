"""Other answers than the match's: the vertebrae one and two levels up and down, and the daily image mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import INSIDE_COUNT, ROBUST_COST
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.levels import LEVELS
from igrt.registration.match import NOT_SCORED, Hypothesis
from igrt.registration.plan_samples import GROUP, BonePoints
from igrt.registration.preparation import PreparedDaily
from igrt.registration.samples import Samples, at_most
from igrt.registration.solver import LevelProblem, Motions, Pose
from igrt.registration.swap import Exchanged

SCAN_LEVEL = 1  # windows of 30 mm, about a vertebra
SCAN_STEP_MM, SCAN_REACH_MM = 5.0, 95.0
ONE_LEVEL_MM, TWO_LEVELS_MM = (12.0, 45.0), (30.0, 90.0)  # from the cervical to the lumbar spine
APART_MM = 12.0  # between the first and the second
SLID_MM = 10.0  # nearer than this a hypothesis has become the answer
LEAST_SEEN = 0.3  # of the answer's: where too little is seen, nothing is compared
ALONG_HELD = Motions((0, 1, 3, 4, 5))
ACROSS, ALONG = ((SCAN_LEVEL, 4),), ((2, 3),)  # levels and most steps: first beside the spine's axis, then along it too
MIRRORED = ((0, 2.0, 8), (1, 1.0, 6), (2, 1.0, 4))  # levels, robust scales and most steps
MIRRORED_SAMPLES = 1_024
LEAST_TURNED = float(np.cos(np.radians(15.0)))  # left to right against the daily x: turned farther, it is mirrored as the patient lies
LEAST_POINTS, LEAST_SPREAD_HU = 8, 20.0  # of a group that is correlated
FEWEST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What was tried besides the answer, by one measure: fields as of `Evidence` and `Match`."""

    vertebra_score: float
    vertebra_margin: float
    mirror_margin: float
    hypotheses: tuple[Hypothesis, ...]


def alternatives(exchanged: Exchanged, answer: RigidMotion, isocentre_mm: NDArray[np.float64], verbs: Verbs) -> Alternatives:
    """Vertebrae and mirror image against an answer, of the whole body and with all six motions, whatever the match was of."""
    points, daily = exchanged.plan.samples.points, exchanged.daily
    score, seen = bone_score(points, daily, answer, verbs)
    if seen < FEWEST_POINTS:
        return Alternatives(NOT_SCORED, NOT_SCORED, NOT_SCORED, ())
    found = vertebrae(exchanged, answer, isocentre_mm, LEAST_SEEN * seen, verbs)
    vertebra = min((score - other.score for other in found), default=NOT_SCORED)
    mirrored, seen_mirrored = mirror_score(exchanged, answer, verbs)
    return Alternatives(score, vertebra, score - mirrored if seen_mirrored >= LEAST_SEEN * seen else NOT_SCORED, found)


def bone_score(points: BonePoints, daily: PreparedDaily, plan_from_daily: RigidMotion, verbs: Verbs) -> tuple[float, int]:
    """How alike bones are at a pose, and how many of the points the daily image shows.

    Points on and beside the planning CT's bone fall into groups of neighbours; covariances of the HU of both images within
    the groups, added up, over what they would be were the images alike but for scale: in [-1, 1]. Shading and scale of the
    daily image do not count.
    """
    return score_at(points.hu, plan_from_daily.inverse().apply(points.positions_mm), daily, verbs)


def score_at(hu: NDArray[np.float32], at_mm: NDArray[np.float64], daily: PreparedDaily, verbs: Verbs) -> tuple[float, int]:
    """As `bone_score`, of points (n, 3) in daily mm that carry HU of the planning CT."""
    other = verbs.interpolate(daily.fine, at_mm)
    grid = daily.region.volume.grid
    index = np.rint(at_mm @ grid.index_from_mm[:, :3].T + grid.index_from_mm[:, 3]).astype(np.intp)
    i, j, k = np.clip(index, 0, grid.size_ijk - 1).T
    shown = np.isfinite(other) & daily.region.valid[k, j, i]
    starts = np.arange(0, len(hu), GROUP)
    if not len(starts):
        return 0.0, 0
    first, second = (np.where(shown, values, 0.0).astype(np.float64) for values in (hu, other))
    terms = np.stack([shown.astype(np.float64), first, second, first * first, second * second, first * second])
    count, a, b, aa, bb, ab = np.add.reduceat(terms, starts, axis=1)
    n = np.maximum(count, 1.0)
    spread_a, spread_b = (np.sqrt(np.maximum(squares / n - (sums / n) ** 2, 0.0)) for squares, sums in ((aa, a), (bb, b)))
    weight = np.where((count >= LEAST_POINTS) & (spread_a > 0), count, 0.0)
    together = (weight * (ab / n - a * b / n**2)).sum()
    apart = (weight * spread_a * np.maximum(spread_b, LEAST_SPREAD_HU)).sum()
    return (float(np.clip(together / apart, -1.0, 1.0)) if apart > 0 else 0.0), int(shown.sum())


def vertebrae(
    exchanged: Exchanged, answer: RigidMotion, isocentre_mm: NDArray[np.float64], least_seen: float, verbs: Verbs
) -> tuple[Hypothesis, ...]:
    """The best poses one and two vertebrae up and down, those that the daily image shows enough of, in the order of levels."""
    shifts_mm, costs = scan(exchanged, answer)
    found = []
    for side in (-1, 1):
        first = best_in(shifts_mm, costs, side, ONE_LEVEL_MM)
        near = ONE_LEVEL_MM[0] if first is None else abs(first) + APART_MM
        second = best_in(shifts_mm, costs, side, (max(near, TWO_LEVELS_MM[0]), TWO_LEVELS_MM[1]))
        for levels, shift_mm in ((side, first), (2 * side, second)):
            if shift_mm is None:
                continue
            pose = refined(exchanged, answer, shift_mm, isocentre_mm)
            score, seen = bone_score(exchanged.plan.samples.points, exchanged.daily, pose, verbs)
            if seen >= max(least_seen, FEWEST_POINTS):
                found.append(Hypothesis(levels, along_mm(answer, pose, isocentre_mm), pose, score))
    return tuple(sorted(found, key=lambda hypothesis: hypothesis.levels))


def scan(exchanged: Exchanged, answer: RigidMotion) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shifts of the answer along the spine (mm, plan z), and what a sample of bone costs there in the mean; 1 where too few are seen."""
    problem = exchanged.problem(SCAN_LEVEL, exchanged.plan.samples.bone[SCAN_LEVEL])
    steps = round(SCAN_REACH_MM / SCAN_STEP_MM)
    shifts_mm, pose = SCAN_STEP_MM * np.arange(-steps, steps + 1), exchanged.pose(answer)
    sums = np.stack([problem.evaluate(shifted(pose, z), LEVELS[SCAN_LEVEL].scale).sum(axis=0) for z in shifts_mm])
    inside = sums[:, INSIDE_COUNT]
    enough = inside >= max(LEAST_SEEN * inside[steps], 1.0)
    return np.asarray(shifts_mm), np.where(enough, sums[:, ROBUST_COST] / np.maximum(inside, 1.0), 1.0)


def best_in(shifts_mm: NDArray[np.float64], costs: NDArray[np.float64], side: int, band_mm: tuple[float, float]) -> float | None:
    """The shift of the lowest valley in a band, of its lowest place where it has no valley; None where nothing is seen there."""
    inside = (side * shifts_mm >= band_mm[0]) & (side * shifts_mm <= band_mm[1]) & (costs < 1.0)
    around = np.pad(costs, 1, constant_values=np.inf)
    valley = inside & (costs <= around[:-2]) & (costs <= around[2:])
    for places in (valley, inside):
        if places.any():
            return float(shifts_mm[np.where(places, costs, np.inf).argmin()])
    return None


def refined(exchanged: Exchanged, answer: RigidMotion, shift_mm: float, isocentre_mm: NDArray[np.float64]) -> RigidMotion:
    """Downhill from a shift of the answer, first with the place along the spine held; held for good where it would slide back."""
    bone = exchanged.plan.samples.bone
    held = exchanged.refine(shifted(exchanged.pose(answer), shift_mm), ACROSS, bone, ALONG_HELD)
    free = exchanged.plan_from_daily(exchanged.refine(held, ALONG, bone))
    moved_mm = along_mm(answer, free, isocentre_mm)
    apart = moved_mm * np.sign(shift_mm) >= SLID_MM and abs(moved_mm - shift_mm) <= SLID_MM
    return free if apart else exchanged.plan_from_daily(held)


def mirror_score(exchanged: Exchanged, answer: RigidMotion, verbs: Verbs) -> tuple[float, int]:
    """`bone_score` of the best match of the mirrored image near the answer, mirrored about the middle of the body that it shows."""
    plan, daily, centres = exchanged.plan, exchanged.daily, exchanged.match_centres
    middle_mm, across = body_middle_mm(daily), left_to_right(answer)
    pose = Pose.of(answer, centres)
    for n, scale, steps in MIRRORED:
        samples = mirror(at_most(daily.levels[n], MIRRORED_SAMPLES), middle_mm - centres.daily_mm, across)
        problem = LevelProblem(plan.levels[n], samples, centres.plan_mm, verbs)
        pose = problem.solve(pose, scale=scale, iterations=steps, tolerance_mm=LEVELS[n].tolerance_mm).pose
    points = plan.samples.points
    at_mm = pose.plan_from_daily(centres).inverse().apply(points.positions_mm)
    if across is None:
        at_mm[:, 0] = 2 * float(middle_mm[0]) - at_mm[:, 0]
    else:
        at_mm -= 2 * ((at_mm - middle_mm) @ across)[:, None] * across
    return score_at(points.hu, at_mm, daily, verbs)


def left_to_right(answer: RigidMotion) -> NDArray[np.float64] | None:
    """(3,) the patient's left in axes of a daily image that is turned by 15 degrees and more, as at a table angle; None for its own x."""
    across = answer.rotation[0]
    return None if abs(across[0]) >= LEAST_TURNED else across


def mirror(samples: Samples, about_mm: NDArray[np.float64], across: NDArray[np.float64] | None = None) -> Samples:
    """Samples mirrored about a place (mm about the daily centre), along x or a unit vector."""
    positions = samples.positions_mm.copy()
    if across is None:
        positions[0] = np.float32(2 * float(about_mm[0])) - positions[0]
    else:
        away = across @ (positions - about_mm[:, None])
        positions -= (2 * across[:, None] * away).astype(np.float32)
    return Samples(positions, samples.values)


def body_middle_mm(daily: PreparedDaily) -> NDArray[np.float64]:
    """The middle (daily mm) of the body that the daily image shows: the mean of its voxels."""
    grid, body = daily.region.volume.grid, daily.region.body
    total = max(int(body.sum()), 1)
    middle = [float((body.sum(axis=tuple(a for a in range(3) if a != axis)) @ np.arange(body.shape[axis])) / total) for axis in (2, 1, 0)]
    return np.asarray(grid.position_mm(np.array(middle)))


def shifted(pose: Pose, along_mm: float) -> Pose:
    """The exchanged pose of an answer moved along plan z."""
    return Pose(pose.rotation, pose.shift_mm - along_mm * pose.rotation[:, 2])


def along_mm(answer: RigidMotion, other: RigidMotion, isocentre_mm: NDArray[np.float64]) -> float:
    """How far along plan z another answer puts what the answer puts at the isocentre."""
    return float((other.apply(answer.inverse().apply(isocentre_mm)) - isocentre_mm)[2])
