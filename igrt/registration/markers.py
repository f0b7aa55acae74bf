"""The match of implanted markers: the same kind of answer from a cone-beam CT and from two or more radiographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.assembly import triple
from igrt.registration.marker_fit import ITERATIONS, largest_apart_mm, left_out_mm
from igrt.registration.marker_kind import MarkerKind
from igrt.registration.marker_pattern import LEAST_MARKERS, Assignment, Candidate, Pattern, PatternLimits
from igrt.registration.marker_views import ViewSpots, candidates_of
from igrt.registration.marker_volume import DAILY_PEAK_HU, VolumeMarker, find_in_volume
from igrt.registration.match import Evidence, Match
from igrt.registration.options import Freedom, MatchOptions

Doubles = NDArray[np.float64]

MIGRATED_WITHIN_MM = 20.0  # of where the others put a marker: what looks like one there is taken for it
EXTRA_WITHIN_MM = 20.0  # of a planned marker: what looks like a marker there and is none of the plan's is told
STANDS_OUT_ALIKE = 0.5  # of the least clear matched marker: what stands out less is no marker
BESIDE_MM = 10.0  # about pattern and reach


class Problem(StrEnum):
    """Why the markers give no pose."""

    TOO_FEW = "too few"
    AMBIGUOUS = "ambiguous"
    CLUTTERED = "cluttered"


class State(StrEnum):
    """What became of a planned marker."""

    MATCHED = "matched"
    MIGRATED = "migrated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, eq=False)
class PlannedMarkers:
    """The markers of a plan: places (n, 3) in plan LPS mm with their covariances (n, 3, 3)."""

    kind: MarkerKind
    positions_mm: Doubles
    covariances_mm2: Doubles

    def __post_init__(self) -> None:
        count = len(self.positions_mm)
        object.__setattr__(self, "positions_mm", frozen_array(self.positions_mm, (count, 3), "marker positions_mm"))
        object.__setattr__(self, "covariances_mm2", frozen_array(self.covariances_mm2, (count, 3, 3), "marker covariances_mm2"))

    @property
    def centre_mm(self) -> Doubles:
        """Their centroid."""
        return np.asarray(self.positions_mm.mean(axis=0))

    @property
    def radius_mm(self) -> float:
        """From the centroid to the farthest."""
        return float(np.linalg.norm(self.positions_mm - self.centre_mm, axis=1).max())


@dataclass(frozen=True, slots=True)
class MarkerState:
    """A planned marker (plan LPS mm): matched, migrated or missing; `off_mm` (x, y, z) is found less planned by a match of the others."""

    planned_mm: tuple[float, float, float]
    state: State
    off_mm: tuple[float, float, float] | None

    @property
    def distance_mm(self) -> float | None:
        """How far it lies from its planned place; None where it was not found."""
        return None if self.off_mm is None else math.hypot(*self.off_mm)


@dataclass(frozen=True, slots=True, eq=False)
class MarkerMatch(Match):
    """A match by markers. `fre_mm` is the fiducial registration error: the root mean square of what remains at those matched.

    `leave_one_out_mm` is how far from its planned place the others would put a marker, the largest. `extra_mm` are places (plan LPS mm) of
    what looks like a marker that the plan does not have. Of the evidence, overlap is the share of planned markers that is matched,
    samples their number; similarity, second start and observability are NaN, for images were not compared.
    """

    markers: tuple[MarkerState, ...] = ()
    fre_mm: float = math.nan
    leave_one_out_mm: float = math.nan
    extra_mm: tuple[tuple[float, float, float], ...] = ()

    @property
    def matched(self) -> int:
        """How many markers hold the pose."""
        return sum(marker.state is State.MATCHED for marker in self.markers)


@dataclass(frozen=True, slots=True, eq=False)
class MarkerSight:
    """What was seen: how many candidates, and the match, or the problem that there is none; `rival_mm` is how far apart two answers lie."""

    planned: PlannedMarkers
    candidates: int
    match: MarkerMatch | None = None
    problem: Problem | None = None
    rival_mm: float | None = None


def plan_markers(ct: Volume, kind: MarkerKind, *, centre_mm: ArrayLike, reach_mm: float) -> PlannedMarkers:
    """All markers of a kind in the planning CT within reach of a place."""
    found = find_in_volume(ct, kind, centre_mm=centre_mm, reach_mm=reach_mm)
    positions = np.array([m.position_mm for m in found]).reshape(-1, 3)
    return PlannedMarkers(kind, positions, np.array([m.covariance_mm2 for m in found]).reshape(-1, 3, 3))


def match_in_volume(
    planned: PlannedMarkers,
    daily: Volume,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    limits: PatternLimits,
    turn: bool = True,
) -> MarkerSight:
    """The markers of a cone-beam CT against the plan's, around `start` (`plan_from_daily`); without `turn` the start's rotation is kept."""
    if len(planned.positions_mm) < LEAST_MARKERS:
        return MarkerSight(planned, 0, problem=Problem.TOO_FEW)
    centre = start.inverse().apply(planned.centre_mm)
    try:
        found = find_in_volume(daily, planned.kind, centre_mm=centre, reach_mm=reach_mm(planned, limits), peak_hu=DAILY_PEAK_HU)
    except InputError:  # the image does not show the place
        found = ()
    return match_candidates(planned, _candidates(found), start=start, isocentre_mm=isocentre_mm, limits=limits, turn=turn)


def match_in_views(
    planned: PlannedMarkers,
    views: Sequence[ViewSpots],
    *,
    daily_from_fixed: RigidMotion,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    limits: PatternLimits,
    turn: bool = True,
) -> MarkerSight:
    """The spots of two or more radiographs against the plan's markers; of one radiograph there is no place, and the problem says so."""
    if len(planned.positions_mm) < LEAST_MARKERS or len(views) < 2:
        return MarkerSight(planned, 0, problem=Problem.TOO_FEW)
    centre = in_room(planned, daily_from_fixed, start)
    reach = reach_mm(planned, limits)
    candidates = candidates_of(views, daily_from_fixed=daily_from_fixed, centre_fixed_mm=centre, reach_mm=reach)
    return match_candidates(planned, candidates, start=start, isocentre_mm=isocentre_mm, limits=limits, turn=turn)


def match_candidates(
    planned: PlannedMarkers,
    candidates: tuple[Candidate, ...],
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    limits: PatternLimits,
    turn: bool = True,
) -> MarkerSight:
    """The pose by the pattern: none where fewer than three belong together, or where another assignment fits as well."""
    if (start.target, start.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"a match starts from plan_from_daily; this start is {start.name}")
    pattern = Pattern(planned.positions_mm, planned.covariances_mm2, frozen_array(isocentre_mm, (3,), "isocentre_mm"), turn=turn)
    found = pattern.sought_in(candidates, start=start, limits=limits)
    count = len(candidates)
    if found.best is None:
        return MarkerSight(planned, count, problem=Problem.CLUTTERED if found.exhausted else Problem.TOO_FEW)
    if found.rival is not None:
        poses = (found.best.fit.plan_from_daily, found.rival.fit.plan_from_daily)
        return MarkerSight(planned, count, problem=Problem.AMBIGUOUS, rival_mm=largest_apart_mm(*poses, planned.positions_mm))
    return MarkerSight(planned, count, match=_match(pattern, found.best, candidates, start))


def _match(pattern: Pattern, best: Assignment, candidates: tuple[Candidate, ...], start: RigidMotion) -> MarkerMatch:
    fit = best.fit
    placed, found, variances = pattern.matched(best.pairs, candidates, start)
    deviations = np.sqrt(np.diag(fit.covariance))
    off = left_out_mm(placed, found, variances, centre_mm=pattern.centre_mm, fit=fit, turn=pattern.turn)
    states, extra = _states(pattern, best, candidates, off)
    freedom = Freedom.SIX if pattern.turn else Freedom.TRANSLATIONS
    share = len(best.pairs) / len(pattern.planned_mm)
    evidence = Evidence(
        overlap=share,
        similarity=math.nan,
        inliers=share,
        second_start_offset_mm=math.nan,
        second_start_offset_deg=math.nan,
        second_start_difference_mm=math.nan,
        translation_sd_mm=triple(deviations[:3]),
        rotation_sd_deg=triple(np.degrees(deviations[3:])),
        observability=math.nan,
        samples=len(best.pairs),
        iterations=ITERATIONS,
        converged=True,
    )
    return MarkerMatch(
        fit.plan_from_daily,
        fit.covariance,
        evidence,
        MatchOptions(freedom=freedom),
        markers=states,
        fre_mm=fit.fre_mm,
        leave_one_out_mm=float(np.linalg.norm(off, axis=1).max()),
        extra_mm=extra,
    )


def _states(
    pattern: Pattern, best: Assignment, candidates: tuple[Candidate, ...], off_mm: Doubles
) -> tuple[tuple[MarkerState, ...], tuple[tuple[float, float, float], ...]]:
    """What became of every planned marker, and what else looks like one; `off_mm` is how far each that matched is off by the others."""
    fit, used = best.fit, {i for _, i in best.pairs}
    seen = frozenset().union(*(candidates[i].sources for i in used))
    weakest = STANDS_OUT_ALIKE * min(candidates[i].strength for i in used)
    free = [n for n, c in enumerate(candidates) if n not in used and not c.sources & seen and c.strength >= weakest]
    at = {n: fit.plan_from_daily.apply(candidates[n].position_mm) for n in free}
    states: dict[int, MarkerState] = {}
    for (a, _), off in zip(best.pairs, off_mm, strict=True):
        states[a] = MarkerState(_point(pattern.planned_mm[a]), State.MATCHED, _point(off))
    lost = [a for a in range(len(pattern.planned_mm)) if a not in states]
    near = sorted((float(np.linalg.norm(place - pattern.planned_mm[a])), a, n) for a in lost for n, place in at.items())
    for distance, a, n in near:
        if distance <= MIGRATED_WITHIN_MM and a not in states and n in at:
            states[a] = MarkerState(_point(pattern.planned_mm[a]), State.MIGRATED, _point(at.pop(n) - pattern.planned_mm[a]))
    for a in lost:
        states.setdefault(a, MarkerState(_point(pattern.planned_mm[a]), State.MISSING, None))
    close = [p for p in at.values() if np.linalg.norm(pattern.planned_mm - p, axis=1).min() <= EXTRA_WITHIN_MM]
    return tuple(states[a] for a in sorted(states)), tuple(_point(p) for p in close)


def _candidates(found: Sequence[VolumeMarker]) -> tuple[Candidate, ...]:
    return tuple(Candidate(m.position_mm, m.covariance_mm2, m.contrast_hu) for m in found)


def reach_mm(planned: PlannedMarkers, limits: PatternLimits) -> float:
    """How far from where their centre would be markers are sought."""
    return planned.radius_mm + limits.shift_mm + BESIDE_MM


def in_room(planned: PlannedMarkers, daily_from_fixed: RigidMotion, start: RigidMotion) -> Doubles:
    """Where the planned markers' centre would be in the room."""
    return (daily_from_fixed.inverse() @ start.inverse()).apply(planned.centre_mm)


def _point(values: Doubles) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
