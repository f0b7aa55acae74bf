"""Regions, second metric and identity on real images at their known poses: quiet on the patient himself, breathing too, loud on another."""

import json

import numpy as np
import pytest
import SimpleITK

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.identity import identity
from igrt.registration.preparation import PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.regions import region_residuals
from igrt.registration.second_metric import second_metric

CASES = {"chest": "chest/chest_a", "head": "head/head_a", "thorax": "thorax4d/thorax_a"}
VERBS = cpu.CpuVerbs(cpu.BEST)


def load(path, frame) -> Volume:
    found = SimpleITK.ReadImage(str(path))
    hu = np.ascontiguousarray(SimpleITK.GetArrayFromImage(found), np.int16)
    direction = np.array(found.GetDirection()).reshape(3, 3)
    return Volume(Grid(frame, hu.shape, np.array(found.GetOrigin()), np.array(found.GetSpacing()), direction), hu)


@pytest.fixture(scope="module")
def pairs(shared_data):
    """Of each case: the prepared plan, the daily image, the true pose, the plan isocentre."""
    found = {}
    for name, case in CASES.items():
        truth = json.loads((shared_data / f"{case}_truth.json").read_text())
        folder = (shared_data / case).parent
        plan = prepare_plan(load(folder / truth["plan"], Frame.PLAN), VERBS)
        pose = RigidMotion.from_matrix(truth["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
        found[name] = plan, load(folder / truth["daily"], Frame.DAILY), pose, np.array(truth["plan_isocentre_lps_mm"], float)
    return found


def measured(plan: PreparedPlan, image: Volume, pose, isocentre_mm):
    daily = prepare_daily(image, VERBS)
    regions = region_residuals(plan, daily, pose, isocentre_mm=isocentre_mm, verbs=VERBS)
    metric = second_metric(plan, daily, pose, isocentre_mm=isocentre_mm, verbs=VERBS)
    return regions, metric, identity(plan, daily, pose, regions, isocentre_mm=isocentre_mm, verbs=VERBS)


def noisy(image: Volume, sd_hu: float) -> Volume:
    hu = image.hu + np.random.default_rng(20).normal(0, sd_hu, image.hu.shape)
    return Volume(image.grid, np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


@pytest.mark.parametrize("noise_hu", [0, 20])
@pytest.mark.parametrize("case", CASES)
def test_quiet_on_the_patient_himself(pairs, case, noise_hu) -> None:
    plan, image, pose, isocentre = pairs[case]
    regions, metric, alike = measured(plan, noisy(image, noise_hu), pose, isocentre)
    assert regions.residual_mm < 1.0  # the thorax breathes between plan and image
    assert regions.target_mm < 1.5
    assert regions.stretch < 0.003
    assert metric.offset_mm < 0.8
    assert metric.value > 0.8
    assert alike > 0.9


@pytest.mark.parametrize("case", CASES)
def test_a_pose_that_is_off_is_told_by_another_metric_and_by_the_regions(pairs, case) -> None:
    plan, image, pose, isocentre = pairs[case]
    moved = RigidMotion(Frame.PLAN, Frame.DAILY, pose.rotation, pose.translation_mm + np.array([2.0, -2.0, 1.0]))
    regions, metric, alike = measured(plan, image, moved, isocentre)
    assert metric.offset_mm == pytest.approx(3.0, abs=0.8)
    assert regions.residual_mm == pytest.approx(3.0, abs=1.0)
    assert regions.target_mm == pytest.approx(3.0, abs=1.5)
    assert alike > 0.85


def test_a_short_image_of_a_rigid_chest_is_not_called_stretched(pairs) -> None:
    plan, image, pose, isocentre = pairs["chest"]
    grid, count = image.grid, 48
    first = (grid.shape_kji[0] - count) // 2
    shape = (count, *grid.shape_kji[1:])
    short = Grid(grid.frame, shape, grid.position_mm((0, 0, first)), grid.spacing_mm, grid.direction)
    regions, _, alike = measured(plan, Volume(short, image.hu[first : first + count]), pose, isocentre)
    assert regions.stretch < 0.003
    assert alike > 0.9


@pytest.mark.parametrize(("plan_of", "image_of"), [("chest", "thorax"), ("thorax", "chest"), ("head", "chest"), ("chest", "head")])
def test_another_patients_image_is_not_his(pairs, plan_of, image_of) -> None:
    plan, _, _, isocentre = pairs[plan_of]
    _, image, pose, their_isocentre = pairs[image_of]
    laid = RigidMotion(Frame.PLAN, Frame.DAILY, pose.rotation, pose.translation_mm + isocentre - their_isocentre)
    _, metric, alike = measured(plan, image, laid, isocentre)
    assert alike < 0.4
    assert metric.value < 0.5
