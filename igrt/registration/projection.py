"""Match of radiographs to the planning CT: 6 degrees of freedom from two or more images, from one what one can tell."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.compute.radiographs import RadiographVerbs
from igrt.errors import InputError
from igrt.geometry.camera import XrayCamera
from igrt.geometry.motion import Frame, RigidMotion, frozen_array
from igrt.registration.assembly import triple
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.match import Evidence, Match
from igrt.registration.radiograph_evidence import (
    covariance,
    curvature,
    inverse_along,
    largest_pull_mm,
    leave_one_out_mm,
    observability,
    total,
    view_evidence,
)
from igrt.registration.radiograph_levels import LEVELS, SEARCH, RadiographDaily, RadiographPlan
from igrt.registration.radiograph_solver import Doubles, RadiographProblem, RadiographSolution
from igrt.registration.rigid import SECOND_START_AXIS, SECOND_START_DEG, SECOND_START_MM, SECOND_START_SHIFT
from igrt.registration.solver import RADIANS, REACH_MM, Centres, Pose, rotation_of

Progress = Callable[[str, float], None]

SEARCH_REACH_MM, SEARCH_STEP_MM = 48.0, 16.0
SEARCH_TURN_DEG = 15.0
TURNED, KEPT, FOLLOWED = 12, 8, 4
PROBING_LEVEL = 1  # the level on which the curvature is taken
SETTLED_MM = 0.1
LEAST_PIXELS = 400


@dataclass(frozen=True, slots=True)
class ViewEvidence:
    """One image at the final pose: similarity (mean local correlation), share of its pixels that the CT shows, and how far it alone pulls.

    `pull_mm` is the largest displacement within 80 mm of the isocentre by which this image alone would move the pose along what it shows.
    """

    source_angle_deg: float
    similarity: float
    overlap: float
    pull_mm: float


@dataclass(frozen=True, slots=True)
class InPlane:
    """What one radiograph tells, in its receptor's axes at the isocentre: the shift of the patient that sets it right, and the turn.

    `across_mm` along receptor +x, `along_mm` along receptor +y, `turn_deg` counter-clockwise seen from the source; their standard
    deviations beside them. The depth, along the beam, is not measured.
    """

    across_mm: float
    along_mm: float
    turn_deg: float
    across_sd_mm: float
    along_sd_mm: float
    turn_sd_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class RadiographMatch(Match):
    """A match with evidence by image; `leave_one_out_mm` is how far the pose would move without the image that holds it most.

    `in_plane` is there for a single image alone: then `plan_from_daily` keeps the start's depth and is no pose of the patient.
    """

    views: tuple[ViewEvidence, ...] = ()
    leave_one_out_mm: float = 0.0
    in_plane: InPlane | None = None

    @property
    def partial(self) -> bool:
        """Whether one image alone was matched."""
        return self.in_plane is not None


class RadiographCoarseToFine:
    """The levels of radiographs and planning CT, and the way down them."""

    def __init__(self, plan: RadiographPlan, daily: RadiographDaily, centres: Centres, verbs: RadiographVerbs) -> None:
        self.search = RadiographProblem(plan.search, plan.beyond, daily.search, SEARCH, centres, verbs)
        self.levels = [
            RadiographProblem(field, plan.beyond, views, level, centres, verbs)
            for level, field, views in zip(LEVELS, plan.levels, daily.levels, strict=True)
        ]

    def run(self, start: Pose, directions: Doubles) -> tuple[RadiographSolution, int]:
        """From a start to the finest level: translations and turns around it, the best followed downhill, the very best to the end."""
        found = [self.search.solve(pose, directions=directions) for pose in (*self._judged(start, directions), start)]
        found.sort(key=lambda solution: solution.cost)
        coarse = [self.levels[0].solve(solution.pose, directions=directions) for solution in found[:FOLLOWED]]
        solution = min(coarse, key=lambda other: other.cost)
        iterations = solution.iterations
        for level in self.levels[1:]:
            solution = level.solve(solution.pose, directions=directions)
            iterations += solution.iterations
        return solution, iterations

    def _judged(self, start: Pose, directions: Doubles) -> list[Pose]:
        """The best of the translations around a start, and of the best of them turned."""
        masks = self.search.within(start)

        def best(poses: list[Pose], count: int) -> list[Pose]:
            order = np.argsort([self.search.cost(pose, masks) for pose in poses], kind="stable")[:count]
            return [poses[n] for n in order]

        steps = np.arange(-SEARCH_REACH_MM, SEARCH_REACH_MM + 1, SEARCH_STEP_MM)
        shifts = directions[:, np.abs(directions[:3]).max(axis=0) > 0]
        translated = best([start.moved(shifts @ np.array(s) / RADIANS) for s in itertools.product(steps, repeat=shifts.shape[1])], TURNED)
        turns = [rotation_of(sign * np.radians(SEARCH_TURN_DEG) * axis) for axis in np.eye(3) for sign in (1, -1)]
        turned = [Pose(turn @ pose.rotation, pose.shift_mm) for pose in translated for turn in turns]
        return best(translated + turned, KEPT)


def match_radiographs(
    plan: RadiographPlan,
    daily: RadiographDaily,
    *,
    start: RigidMotion,
    isocentre_mm: ArrayLike,
    verbs: RadiographVerbs,
    progress: Progress | None = None,
) -> RadiographMatch:
    """`plan_from_daily` with its evidence, sought around `start` (the radiographs' daily frame has the isocentre at the plan's).

    From one image the depth is held at the start's and the answer is partial. The whole match runs a second time from a start 25 mm and 6
    degrees away. InputError where an image has too few valid pixels. The same bits for any number of threads.
    """
    if (start.target, start.source) != (Frame.PLAN, Frame.DAILY):
        raise ValueError(f"a match starts from plan_from_daily; this start is {start.name}")
    for camera, view in zip(daily.cameras, daily.levels[-1], strict=True):
        if int(view.valid.sum()) < LEAST_PIXELS or not float(view.integrals[view.valid].std()) > 0:
            raise InputError(
                f"the radiograph at source angle {camera.source_angle_deg:g} shows too little to match: it is blank or collimated away"
            )
    told = progress or (lambda _stage, _fraction: None)
    isocentre = frozen_array(isocentre_mm, (3,), "isocentre_mm")
    centres = Centres(isocentre, isocentre)
    levels = RadiographCoarseToFine(plan, daily, centres, verbs)
    first = Pose.of(start, centres)
    directions = seen_directions(daily, start)
    told("match", 0.0)
    solution, iterations = levels.run(first, directions)
    told("second start", 0.45)
    second, _ = levels.run(first.moved(_second_start(directions)), directions)
    told("evidence", 0.9)
    match = _with_evidence(levels, daily, solution, second, iterations, centres, directions, start)
    told("evidence", 1.0)
    return match


def seen_directions(daily: RadiographDaily, start: RigidMotion) -> NDArray[np.float64]:
    """(6, n) motions that are sought, rotations as mm at 80 mm: all six, but of one image none along its beam."""
    if len(daily.cameras) > 1:
        return np.eye(6)
    across = [start.turn(daily.daily_from_fixed.turn(axis)) for axis in receptor_axes(daily.cameras[0])]
    directions = np.zeros((6, 5))
    directions[:3, :2] = np.column_stack(across)
    directions[3:, 2:] = np.eye(3)
    return directions


def receptor_axes(camera: XrayCamera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of receptor +x and +y in the room."""
    receptor = camera.fixed_from_receptor
    return receptor.turn([1.0, 0.0, 0.0]), receptor.turn([0.0, 1.0, 0.0])


def _second_start(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """25 mm along what is sought and 6 degrees away."""
    away = np.concatenate([SECOND_START_SHIFT, np.zeros(3)])
    shift = (directions @ (directions.T @ away))[:3]
    return np.concatenate([SECOND_START_MM * shift / np.linalg.norm(shift), np.radians(SECOND_START_DEG) * SECOND_START_AXIS])


def _with_evidence(
    levels: RadiographCoarseToFine,
    daily: RadiographDaily,
    solution: RadiographSolution,
    second: RadiographSolution,
    iterations: int,
    centres: Centres,
    directions: NDArray[np.float64],
    start: RigidMotion,
) -> RadiographMatch:
    fine, coarse = levels.levels[-1], levels.levels[PROBING_LEVEL]
    masks = fine.within(solution.pose)
    sums = fine.evaluate(solution.pose, masks)
    probed = curvature(coarse, solution.pose)
    matrix, gradient = total(sums)
    inverse = inverse_along(matrix, directions)
    spread = covariance(sums, inverse, directions)
    deviations = np.sqrt(np.diag(spread))
    answer, other = (found.pose.plan_from_daily(centres) for found in (solution, second))
    views = tuple(
        ViewEvidence(camera.source_angle_deg, similarity, overlap, pull)
        for camera, (similarity, overlap, pull) in zip(daily.cameras, view_evidence(fine, solution.pose, masks, sums), strict=True)
    )
    seen = sum(part.seen for part in sums)
    evidence = Evidence(
        overlap=seen / max(sum(part.pixels for part in sums), 1.0),
        similarity=min(view.similarity for view in views),
        inliers=sum(part.inliers for part in sums) / max(seen, 1.0),
        second_start_offset_mm=SECOND_START_MM,
        second_start_offset_deg=SECOND_START_DEG,
        second_start_difference_mm=_difference_mm(daily, answer, other, centres.plan_mm),
        translation_sd_mm=triple(deviations[:3]),
        rotation_sd_deg=triple(np.degrees(deviations[3:])),
        observability=observability(probed, directions),
        samples=int(seen),
        iterations=iterations,
        converged=largest_pull_mm(inverse @ gradient) <= SETTLED_MM,
    )
    single = len(daily.cameras) == 1
    return RadiographMatch(
        answer,
        spread,
        evidence,
        views=views,
        leave_one_out_mm=0.0 if single else leave_one_out_mm(sums),
        in_plane=_in_plane(daily, answer, start, spread) if single else None,
    )


def _difference_mm(daily: RadiographDaily, answer: RigidMotion, other: RigidMotion, isocentre_mm: NDArray[np.float64]) -> float:
    """The largest distance between two answers within 80 mm of the isocentre; of one image, within its plane and seen along its beam."""
    if len(daily.cameras) > 1:
        return largest_displacement_mm(answer, other, isocentre_mm)
    across = np.stack([answer.turn(daily.daily_from_fixed.turn(axis)) for axis in receptor_axes(daily.cameras[0])])
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    points_mm = isocentre_mm + REACH_MM * np.column_stack([np.cos(turns), np.sin(turns)]) @ across
    moved = other.apply(answer.inverse().apply(points_mm)) - points_mm
    return float(np.linalg.norm(moved @ across.T, axis=1).max())


def _in_plane(daily: RadiographDaily, answer: RigidMotion, start: RigidMotion, spread: NDArray[np.float64]) -> InPlane:
    """The motion that sets right what the image shows, from the change of the pose against the start, in receptor axes."""
    camera, fixed_from_daily = daily.cameras[0], daily.daily_from_fixed.inverse()
    moved = fixed_from_daily @ start.inverse() @ answer @ daily.daily_from_fixed
    axes = np.column_stack([*receptor_axes(camera), camera.view_axis_fixed])
    shift, turn = axes.T @ moved.translation_mm, axes.T @ moved.rotation @ axes
    to_room = axes.T @ fixed_from_daily.rotation @ start.rotation.T
    sd_mm = np.sqrt(np.diag(to_room @ spread[:3, :3] @ to_room.T))
    sd_deg = np.degrees(np.sqrt(np.diag(to_room @ spread[3:, 3:] @ to_room.T)))
    turn_deg = float(np.degrees(np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])))
    return InPlane(float(shift[0]), float(shift[1]), turn_deg, float(sd_mm[0]), float(sd_mm[1]), float(sd_deg[2]))
