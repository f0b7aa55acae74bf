"""Which found candidate is which planned marker: decided by the pattern as a whole, and never where two answers fit alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.motion import RigidMotion
from igrt.registration.marker_fit import RigidFit, fit_rigid, largest_apart_mm

Doubles = NDArray[np.float64]

LEAST_MARKERS = 3  # fewer hold no pose
SAME_PLACE_MM = 1.0  # two assignments whose poses are closer than this at every marker are one answer
RIVAL_FRE_MM = 1.0  # an assignment of as many markers that fits no worse than by this is a rival
MOST_STEPS = 40_000  # of the search; more candidates than that make no pattern


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Something that looks like a marker: place (daily LPS mm), covariance (mm²), how much it stands out, and what was seen where.

    `sources` are the (image, number) pairs of the spots that it was triangulated from; two candidates never share one. Empty in a volume.
    """

    position_mm: Doubles
    covariance_mm2: Doubles
    strength: float
    sources: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class PatternLimits:
    """How far a patient may be from the start (mm, degrees), and how far a marker from where the others put it and still belong to them."""

    shift_mm: float = 50.0
    turn_deg: float = 12.0
    slack_mm: float = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Pairs (planned, candidate) and their fit."""

    pairs: tuple[tuple[int, int], ...]
    fit: RigidFit


@dataclass(frozen=True, slots=True, eq=False)
class Correspondence:
    """The assignment of most markers, and a `rival` that puts as many as well, elsewhere; `exhausted`: too much to try."""

    best: Assignment | None
    rival: Assignment | None = None
    exhausted: bool = False


class Pattern:
    """The planned markers (n, 3) in plan mm with their covariances, about a centre."""

    def __init__(self, planned_mm: Doubles, variances_mm2: Doubles, centre_mm: Doubles, *, turn: bool = True) -> None:
        self.planned_mm, self.variances_mm2, self.centre_mm, self.turn = planned_mm, variances_mm2, centre_mm, turn

    def fit(self, pairs: tuple[tuple[int, int], ...], candidates: tuple[Candidate, ...], start: RigidMotion) -> RigidFit:
        """The pose of an assignment."""
        planned, found, variances = self.matched(pairs, candidates, start)
        return fit_rigid(planned, found, variances, centre_mm=self.centre_mm, hold=None if self.turn else start)

    def matched(
        self, pairs: tuple[tuple[int, int], ...], candidates: tuple[Candidate, ...], start: RigidMotion
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Planned places (n, 3), found ones, and the covariances of their differences in plan axes."""
        planned = np.array([a for a, _ in pairs])
        chosen = [candidates[i] for _, i in pairs]
        turned = [start.rotation @ c.covariance_mm2 @ start.rotation.T for c in chosen]
        return self.planned_mm[planned], np.array([c.position_mm for c in chosen]), self.variances_mm2[planned] + np.array(turned)

    def sought_in(self, candidates: tuple[Candidate, ...], *, start: RigidMotion, limits: PatternLimits) -> Correspondence:
        """The assignment of most markers whose distances and directions agree with the plan's, from three up.

        Every maximal set of mutually consistent pairs is looked at; a set whose fit leaves a marker farther off than the slack gives up
        that marker. What agrees no less than the best, but elsewhere, is its rival.
        """
        if not candidates:
            return Correspondence(None)
        nodes, consistent = self._consistent(candidates, start, limits)
        found: dict[tuple[tuple[int, int], ...], Assignment] = {}
        for clique in _maximal_cliques(consistent, LEAST_MARKERS):
            if clique is None:
                return Correspondence(None, exhausted=True)
            pairs = tuple(sorted(nodes[n] for n in clique))
            assignment = self._within_slack(pairs, candidates, start, limits)
            if assignment is not None:
                found[assignment.pairs] = assignment
        ordered = sorted(found.values(), key=lambda a: (-len(a.pairs), a.fit.fre_mm))
        if not ordered:
            return Correspondence(None)
        best = ordered[0]
        rivals = (a for a in ordered[1:] if self._rivals(a, best))
        return Correspondence(best, next(rivals, None))

    def _rivals(self, other: Assignment, best: Assignment) -> bool:
        if len(other.pairs) < len(best.pairs) or not other.fit.fre_mm <= best.fit.fre_mm + RIVAL_FRE_MM:
            return False
        return largest_apart_mm(best.fit.plan_from_daily, other.fit.plan_from_daily, self.planned_mm) > SAME_PLACE_MM

    def _within_slack(
        self, pairs: tuple[tuple[int, int], ...], candidates: tuple[Candidate, ...], start: RigidMotion, limits: PatternLimits
    ) -> Assignment | None:
        while len(pairs) >= LEAST_MARKERS:
            fit = self.fit(pairs, candidates, start)
            if fit.largest_residual_mm <= limits.slack_mm:
                return Assignment(pairs, fit) if _whole_turn_deg(fit, start) <= limits.turn_deg else None
            worst = int(np.linalg.norm(fit.residuals_mm, axis=1).argmax())
            pairs = pairs[:worst] + pairs[worst + 1 :]
        return None

    def _consistent(
        self, candidates: tuple[Candidate, ...], start: RigidMotion, limits: PatternLimits
    ) -> tuple[list[tuple[int, int]], NDArray[np.bool_]]:
        """Pairs (planned, candidate) within reach, and which two of them can be true together."""
        placed = start.apply(np.array([c.position_mm for c in candidates]))
        away = np.linalg.norm(self.planned_mm[:, None] - placed, axis=2)
        a, i = np.nonzero(away <= limits.shift_mm + limits.slack_mm)
        nodes = list(zip(a.tolist(), i.tolist(), strict=True))
        planned, found = self.planned_mm[a], placed[i]
        apart, seen = planned[:, None] - planned, found[:, None] - found
        length, seen_length = np.linalg.norm(apart, axis=2), np.linalg.norm(seen, axis=2)
        turned = 2 * math.sin(math.radians(limits.turn_deg) / 2) * np.minimum(length, seen_length)
        close = np.abs(length - seen_length) <= limits.slack_mm
        close &= np.linalg.norm(apart - seen, axis=2) <= turned + limits.slack_mm
        shared = np.array([[bool(one.sources & other.sources) for other in candidates] for one in candidates])
        close &= (a[:, None] != a) & (i[:, None] != i) & ~shared[i[:, None], i]
        return nodes, close


def _whole_turn_deg(fit: RigidFit, start: RigidMotion) -> float:
    turn = fit.plan_from_daily.rotation @ start.rotation.T
    return math.degrees(math.acos(min(max((float(np.trace(turn)) - 1) / 2, -1.0), 1.0)))


def _maximal_cliques(adjacent: NDArray[np.bool_], least: int) -> Iterator[tuple[int, ...] | None]:
    """Every maximal clique of at least `least` nodes (Bron and Kerbosch with Tomita's pivot); None once the search is too long."""
    masks = [sum(1 << int(n) for n in np.flatnonzero(row)) for row in adjacent]
    steps = 0
    stack: list[tuple[tuple[int, ...], int, int]] = [((), (1 << len(masks)) - 1, 0)]
    while stack:
        steps += 1
        if steps > MOST_STEPS:
            yield None
            return
        chosen, open_, closed = stack.pop()
        if not open_:
            if not closed and len(chosen) >= least:
                yield chosen
            continue
        if len(chosen) + open_.bit_count() < least:
            continue
        pivot = max(_bits(open_ | closed), key=lambda n: (open_ & masks[n]).bit_count())
        for node in _bits(open_ & ~masks[pivot]):
            stack.append(((*chosen, node), open_ & masks[node], closed & masks[node]))
            open_ &= ~(1 << node)
            closed |= 1 << node
    return


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
