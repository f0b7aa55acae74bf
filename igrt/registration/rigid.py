"""Rigid match of a daily volume to the planning CT: coarse to fine, from two starts, on what the options let it look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from igrt.compute.verbs import Verbs
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.assembly import Measured, OtherStarts
from igrt.registration.descent import CoarseToFine, Descent
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.match import Match
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan
from igrt.registration.search import NEXT
from igrt.registration.solver import Pose

Progress = Callable[[str, float], None]

SECOND_START_MM = 25.0
SECOND_START_DEG = 6.0
SECOND_START_SHIFT = np.array([2.0, -1.0, 2.0]) / 3.0  # unit vectors, along no axis of the images
SECOND_START_AXIS = np.array([-1.0, 2.0, 2.0]) / 3.0
COMPARED = 2  # the level that the second start ends on, of 4 mm: two ways that meet there do not part on finer ones
LEAST_SAMPLES = 200


def match_rigid(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    options: MatchOptions | None = None,
    progress: Progress | None = None,
) -> Match:
    """`plan_from_daily` with its evidence, sought around `start` as `options` say (by default the whole body, all six motions).

    `isocentre_mm` is the plan isocentre (plan LPS mm): rotations and the covariance are about it. The whole match runs a second
    time from a start 25 mm and 6 degrees away (of the motions that are free). `progress` is told a stage and a fraction. InputError
    where the daily image shows too little to match, or the region holds nothing. The same bits for any number of threads.
    """
    levels = _levels(plan, daily, start, isocentre_mm, verbs, options)
    told = progress or (lambda _stage, _fraction: None)
    told("match", 0.0)
    first = levels.run(Pose.of(start, levels.centres))
    told("second start", 0.45)
    # The evidence is of the first start's samples, so they are used before the second may draw others.
    measured = Measured.finished(levels, first.solution)
    others = _other_starts(levels, start, first)
    told("evidence", 0.7)
    match = measured.match(levels, others, first.iterations)
    told("evidence", 1.0)
    return match


def match_alone(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    options: MatchOptions | None = None,
) -> RigidMotion:
    """`plan_from_daily` from one start and without any evidence: for comparisons, never to be acted upon."""
    levels = _levels(plan, daily, start, isocentre_mm, verbs, options)
    return levels.run(Pose.of(start, levels.centres)).solution.pose.plan_from_daily(levels.centres)


def match_at(
    plan: PreparedPlan,
    daily: PreparedDaily,
    *,
    pose: RigidMotion,
    automatic: Match,
    isocentre_mm: ArrayLike,
    verbs: Verbs,
    options: MatchOptions | None = None,
) -> Match:
    """The match that someone made by hand: all evidence measured at `pose`, but that of other starts, which is the automatic match's.

    A pose that the images do not bear out has not converged, and its samples do not agree.
    """
    levels = _levels(plan, daily, pose, isocentre_mm, verbs, options)
    found = automatic.evidence
    others = OtherStarts(found.second_start_offset_mm, found.second_start_offset_deg, found.second_start_difference_mm, found.rival_margin)
    return Measured.at(levels, levels.at(Pose.of(pose, levels.centres))).match(levels, others, 0)


def match_near(
    plan: PreparedPlan, daily: PreparedDaily, *, start: RigidMotion, isocentre_mm: ArrayLike, verbs: Verbs, options: MatchOptions
) -> Match:
    """The match of a part that lies within a few millimetres of where `start` has it, without a search and a second start.

    The second start's offset and difference are 0: nothing is proven by them. What asks for other answers is not measured.
    """
    levels = _levels(plan, daily, start, isocentre_mm, verbs, options)
    found = levels.refine(Pose.of(start, levels.centres), NEXT)
    return Measured.finished(levels, found.solution).match(levels, OtherStarts(0.0, 0.0, 0.0), found.iterations, alone=True)


def _other_starts(levels: CoarseToFine, start: RigidMotion, first: Descent) -> OtherStarts:
    """The match from the second start, down to the level where it is told apart from the first, and the rivals of both."""
    motions, centres = levels.motions, levels.centres
    shift = SECOND_START_MM * SECOND_START_SHIFT * motions.translate
    turn = np.radians(SECOND_START_DEG) * SECOND_START_AXIS * motions.turn
    second = levels.run(Pose.of(start, centres).moved(np.concatenate([shift, turn]), motions.about_mm), COMPARED)
    one, other = (found.ends[COMPARED].pose.plan_from_daily(centres) for found in (first, second))
    return OtherStarts(
        SECOND_START_MM * motions.translate,
        SECOND_START_DEG * motions.turn,
        largest_displacement_mm(one, other, centres.plan_mm),
        levels.search.rival_margin(first.solution.pose),
    )


def _levels(
    plan: PreparedPlan, daily: PreparedDaily, start: RigidMotion, isocentre_mm: ArrayLike, verbs: Verbs, options: MatchOptions | None
) -> CoarseToFine:
    if (start.target, start.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"a match starts from plan_from_daily; this start is {start.name}")
    if min(len(samples.values) for samples in daily.levels[NEXT:]) < LEAST_SAMPLES:
        raise InputError(
            "the daily image shows too little to match: it is blank, or too few slices to hold contrast; check the image that was sent"
        )
    return CoarseToFine(plan, daily, frozen_array(isocentre_mm, (3,), "isocentre_mm"), verbs, options or MatchOptions())
