"""The search finds the right valley from far away."""

import dataclasses

import numpy as np
import pytest

from igrt.compute import cpu
from igrt.compute.reference import NO_SCORE
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.samples import LevelScores, Samples, at_most, thinned
from igrt.registration.search import RIVAL_DEG, RIVAL_MM, Search, apart
from igrt.registration.solver import Centres, Motions, Pose
from tests.anatomy_cases import VERBS as ANATOMY_VERBS
from tests.anatomy_cases import patient
from tests.registration_cases import ISOCENTRE_MM, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
TRUTH = motion((5, -8, 6), degrees=3)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
DAILY = prepare_daily(image(daily_grid(), TRUTH, noise=10), VERBS)


@pytest.mark.parametrize("shift", [(0, 0, 0), (40, 0, 0), (0, -40, 0), (-25, 20, 25)])
@pytest.mark.parametrize("degrees", [-7, 3, 13])
def test_from_40_mm_and_10_degrees_away(shift, degrees) -> None:
    centres = Centres(ISOCENTRE_MM, DAILY.centre_mm)
    start = Pose.of(motion(np.add(shift, (5, -8, 6)), degrees=degrees), centres)
    found = Search(PLAN, DAILY, ISOCENTRE_MM, VERBS, Motions()).best(start)
    assert displacement_mm(TRUTH, found.pose.plan_from_daily(centres)).max() < 3


def test_thinned_keeps_every_nth() -> None:
    samples = Samples(np.arange(30, dtype=np.float32).reshape(3, 10), np.arange(10, dtype=np.float32))
    few = thinned(samples, 4)
    assert few.values.tolist() == [0, 2, 4, 6, 8]
    assert few.positions_mm[1].tolist() == [10, 12, 14, 16, 18]
    assert thinned(samples, 100).values.tolist() == list(range(10))


@pytest.mark.parametrize("degrees", [-7, 3])
def test_a_brief_search_finds_the_same_valley(degrees) -> None:
    centres = Centres(ISOCENTRE_MM, DAILY.centre_mm)
    search = Search(PLAN, DAILY, ISOCENTRE_MM, VERBS, Motions())
    found = search.best(Pose.of(motion((30, -20, 25), degrees=degrees), centres), brief=True)
    assert displacement_mm(TRUTH, found.pose.plan_from_daily(centres)).max() < 4


def test_the_truth_has_no_near_rival_and_a_shifted_pose_has() -> None:
    centres = Centres(ISOCENTRE_MM, DAILY.centre_mm)
    search = Search(PLAN, DAILY, ISOCENTRE_MM, VERBS, Motions())
    search.best(Pose.of(motion(), centres))
    right = search.rival_margin(Pose.of(TRUTH, centres))
    wrong = search.rival_margin(Pose.of(motion((5, -8, 60), degrees=3), centres))
    assert right > 0.2
    assert wrong < 0 < right


@pytest.mark.parametrize(("shift", "degrees", "other"), [(0.9, 0.9, False), (1.1, 0.0, True), (0.0, 1.1, True)])
def test_what_is_another_answer(shift, degrees, other) -> None:
    centres = Centres(ISOCENTRE_MM, DAILY.centre_mm)
    moved = motion((5 + shift * RIVAL_MM / np.sqrt(3), -8 + shift * RIVAL_MM / np.sqrt(3), 6 + shift * RIVAL_MM / np.sqrt(3)), degrees=3)
    turned = motion((5, -8, 6), degrees=3 + degrees * RIVAL_DEG)
    assert (apart(Pose.of(moved, centres), Pose.of(TRUTH, centres)) or apart(Pose.of(turned, centres), Pose.of(TRUTH, centres))) is other


def test_at_most_keeps_every_nth() -> None:
    samples = Samples(np.arange(30, dtype=np.float32).reshape(3, 10), np.arange(10, dtype=np.float32))
    assert at_most(samples, 4).values.tolist() == [0, 3, 6, 9]
    assert at_most(samples, 10).values.tolist() == list(range(10))


@pytest.mark.parametrize(("site", "beyond_mm"), [("thorax", 40), ("pelvis", 70), ("head", 40)])
@pytest.mark.parametrize("brief", [False, True])
def test_an_image_that_reaches_below_its_plan_is_not_sought_where_it_overlaps_most(site, beyond_mm, brief) -> None:
    case = patient(site, 3)
    bottom_mm = case.isocentre_mm[2] - 174 / 2 + beyond_mm  # the image is 174 mm long
    cut = [cut_below(level, bottom_mm) for level in case.plan.levels]
    plan, centres = dataclasses.replace(case.plan, levels=tuple(cut)), Centres(case.isocentre_mm, case.daily.centre_mm)
    found = Search(plan, case.daily, case.isocentre_mm, ANATOMY_VERBS, Motions()).best(Pose.of(case.start, centres), brief=brief)
    assert largest_displacement_mm(case.truth, found.pose.plan_from_daily(centres), case.isocentre_mm) < 4


def cut_below(level: LevelScores, bottom_mm: float) -> LevelScores:
    """Scores of a CT that begins at a height."""
    scores = level.scores.copy()
    scores[level.grid.origin_mm[2] + np.arange(len(scores)) * level.grid.spacing_mm[2] < bottom_mm] = NO_SCORE
    return LevelScores(level.grid, scores)
