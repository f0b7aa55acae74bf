"""What is drawn from a plan is always the same, lies on the plan, and on bone where it is to."""

import numpy as np
import pytest

from igrt.registration.plan_samples import ALL, BONE, BONE_FROM_HU, EDGE_MM, POINTS, draw_plan
from tests.anatomy_cases import VERBS, patient

PLAN = patient("head", 3).plan
SAMPLES = PLAN.samples


def test_the_same_plan_gives_the_same_samples() -> None:
    again = draw_plan(PLAN.levels, PLAN.fine, VERBS)
    for one, other in ((SAMPLES.whole, again.whole), (SAMPLES.bone, again.bone)):
        for n, drawn in one.items():
            np.testing.assert_array_equal(drawn.positions_mm, other[n].positions_mm)
            np.testing.assert_array_equal(drawn.values, other[n].values)
    np.testing.assert_array_equal(SAMPLES.points.positions_mm, again.points.positions_mm)
    np.testing.assert_array_equal(SAMPLES.points.hu, again.points.hu)


def test_as_many_as_asked_for_and_bone_in_one_chunk() -> None:
    for n, wanted in ALL.items():
        assert len(SAMPLES.whole[n].values) == pytest.approx(wanted, rel=0.1)
    for drawn in SAMPLES.bone.values():
        assert 500 < len(drawn.values) <= 1024
    assert len(SAMPLES.points.hu) == pytest.approx(POINTS, rel=0.2)
    assert set(BONE) <= {0, 1, 2}


@pytest.mark.parametrize("kind", ["bone", "points"])
def test_bone_is_near(kind) -> None:
    positions = SAMPLES.points.positions_mm if kind == "points" else SAMPLES.bone[2].positions_mm.T.astype(float) + SAMPLES.centre_mm
    grid = PLAN.fine.grid
    bone_mm = grid.position_mm(np.argwhere(PLAN.fine.hu > BONE_FROM_HU)[:, ::-1])
    reach_mm = EDGE_MM * np.sqrt(3) + float(np.linalg.norm(grid.spacing_mm)) + 6.0  # a box of whole voxels, looked up on coarser ones
    some = positions[::40]
    nearest_mm = np.sqrt(((some[:, None] - bone_mm[None, ::3]) ** 2).sum(axis=-1)).min(axis=1)
    assert nearest_mm.max() < reach_mm
    assert np.median(nearest_mm) < 6


def test_the_points_carry_the_hu_that_the_plan_has_there() -> None:
    np.testing.assert_allclose(VERBS.interpolate(PLAN.fine, SAMPLES.points.positions_mm), SAMPLES.points.hu)
    assert np.isfinite(SAMPLES.points.hu).all()
