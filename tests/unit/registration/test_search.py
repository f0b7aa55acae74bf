"""The search finds the right valley from far away."""

import numpy as np
import pytest

from igrt.compute import cpu
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.samples import Samples, thinned
from igrt.registration.search import Search
from igrt.registration.solver import Centres, Motions, Pose
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
