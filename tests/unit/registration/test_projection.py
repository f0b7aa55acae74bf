"""Radiographs to planning CT: the pose that was, its uncertainty, and what one image can and cannot tell."""

from functools import lru_cache

import numpy as np
import pytest

from igrt.compute.radiographs import RadiographVerbs
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import correction_motion
from igrt.registration.projection import RadiographMatch, match_radiographs, receptor_axes
from igrt.registration.radiograph_levels import prepare_radiograph_plan, prepare_radiographs
from tests.radiograph_cases import ISOCENTRE_MM, POSITION, START, Room, camera, integrals, largest_error_mm, motion, patient

PAIR = (0.0, 90.0)


@lru_cache(maxsize=4)
def prepared(seed: int = 1, slices: int = 64):
    return prepare_radiograph_plan(patient(seed, slices=slices), RadiographVerbs())


def ready(ct, pose, angles, **options):
    cameras = [camera(angle) for angle in angles]
    images = [(image, np.ones(image.shape, bool)) for image in integrals(ct, pose, cameras, **options)]
    return prepare_radiographs(cameras, images, kvps=[100.0] * len(cameras), daily_from_fixed=Room().daily_from_fixed)


def match(daily, *, plan=None, start=START) -> RadiographMatch:
    return match_radiographs(plan or prepared(), daily, start=start, isocentre_mm=ISOCENTRE_MM, verbs=RadiographVerbs())


@pytest.mark.parametrize("angles", [PAIR, (30.0, 140.0, 275.0)])
def test_the_pose_that_was(angles) -> None:
    found = match(ready(patient(), motion(), angles))
    assert largest_error_mm(found.plan_from_daily, motion()) < 0.15
    evidence = found.evidence
    assert evidence.converged
    assert evidence.similarity > 0.9
    assert evidence.second_start_difference_mm < 0.05
    assert max(evidence.translation_sd_mm) < 0.2
    assert found.leave_one_out_mm < 0.5
    assert not found.partial
    assert [view.source_angle_deg for view in found.views] == pytest.approx([a - 360 * (a > 180) for a in angles])


def test_far_away() -> None:
    far = motion(shift_mm=(30.0, -25.0, 28.0), pitch=4, roll=-5, yaw=6)
    assert largest_error_mm(match(ready(patient(), far, PAIR)).plan_from_daily, far) < 0.25


def test_the_error_is_within_its_uncertainty() -> None:
    found = match(ready(patient(), motion(), PAIR, noise=0.05))
    off = motion() @ found.plan_from_daily.inverse()
    turn = off.rotation
    error = np.r_[off.apply(ISOCENTRE_MM) - ISOCENTRE_MM, turn[2, 1], turn[0, 2], turn[1, 0]]
    assert error @ np.linalg.solve(found.covariance, error) < 12.6  # 95 % of chi-square with 6 degrees of freedom


@pytest.mark.parametrize(("source_deg", "sign"), [(0.0, 1), (180.0, -1)])
def test_one_image_tells_the_plane_and_not_the_depth(source_deg, sign) -> None:
    """About LPS y, which runs down through a patient who lies supine: +2 degrees are -2 about the room's vertical axis."""
    one = camera(source_deg)
    pose = motion(pitch=0.0, roll=2.0, yaw=0.0)
    found = match(ready(patient(), pose, [source_deg]))
    assert found.partial
    assert found.in_plane is not None
    place = {"plan_isocentre_mm": ISOCENTRE_MM, "daily_isocentre_mm": ISOCENTRE_MM, "plan_position": POSITION, "daily_position": POSITION}
    right = correction_motion(pose, **place)
    across, along = receptor_axes(one)
    assert abs(found.in_plane.across_mm - across @ right.translation_mm) < 0.3
    assert abs(found.in_plane.along_mm - along @ right.translation_mm) < 0.3
    assert abs(found.in_plane.turn_deg - sign * np.degrees(np.arctan2(right.rotation[1, 0], right.rotation[0, 0]))) < 0.3
    assert abs(found.in_plane.turn_deg + sign * 2.0) < 0.3
    assert found.in_plane.across_sd_mm < 0.5
    depth = correction_motion(found.plan_from_daily, **place).translation_mm @ one.view_axis_fixed
    assert abs(depth) < 1e-9  # as at the start
    assert max(found.evidence.translation_sd_mm) > 100


def test_opposed_images_do_not_show_the_depth() -> None:
    found = match(ready(patient(), motion(), (0.0, 180.0)))
    crossed = match(ready(patient(), motion(), PAIR))
    assert found.evidence.observability < 0.2 * crossed.evidence.observability


def test_another_patient_does_not_resemble() -> None:
    stranger = match(ready(patient(seed=7), motion(), PAIR))
    assert stranger.evidence.similarity < 0.75


def test_rays_beyond_the_ends_of_the_ct_are_left_out() -> None:
    """The radiographs show 63 mm more of the patient at each end than a CT of 24 slices."""
    long, short = patient(slices=64), prepared(1, 64)
    cut = patient(slices=64)
    middle = slice(16, 48)
    grid = Grid(cut.grid.frame, (32, *cut.grid.shape_kji[1:]), cut.grid.position_mm([0, 0, 16]), cut.grid.spacing_mm, cut.grid.direction)
    plan = prepare_radiograph_plan(Volume(grid, np.ascontiguousarray(cut.hu[middle])), RadiographVerbs())
    found = match(ready(long, motion(), PAIR), plan=plan)
    assert found.evidence.overlap < 0.8
    assert largest_error_mm(found.plan_from_daily, motion()) < 0.5
    assert match(ready(long, motion(), PAIR), plan=short).evidence.overlap > found.evidence.overlap


def test_pixels_beyond_the_collimator_do_not_count() -> None:
    cameras = [camera(angle) for angle in PAIR]
    images = integrals(patient(), motion(), cameras)
    valid = np.zeros(images[0].shape, bool)
    valid[20:130, 20:170] = True
    for image in images:
        image[~valid] = 9.0
    daily = prepare_radiographs(cameras, [(image, valid) for image in images], kvps=[100.0] * 2, daily_from_fixed=Room().daily_from_fixed)
    assert largest_error_mm(match(daily).plan_from_daily, motion()) < 0.3


def test_a_blank_image_is_refused() -> None:
    one = camera(0.0)
    blank = (np.zeros(one.shape, np.float32), np.ones(one.shape, bool))
    daily = prepare_radiographs([one], [blank], kvps=[None], daily_from_fixed=Room().daily_from_fixed)
    with pytest.raises(InputError, match="too little to match"):
        match(daily)


def test_the_start_is_a_pose_of_the_plan() -> None:
    wrong = RigidMotion.identity(target=Frame.DAILY, source=Frame.PLAN)
    with pytest.raises(ValueError, match="plan_from_daily"):
        match(ready(patient(), motion(), PAIR), start=wrong)


def test_same_bits_for_any_number_of_threads() -> None:
    verbs, daily, results = RadiographVerbs(), ready(patient(), motion(), PAIR), []
    before = verbs.threads
    for threads in (1, 3):
        verbs.set_threads(threads)
        found = match_radiographs(prepared(), daily, start=START, isocentre_mm=ISOCENTRE_MM, verbs=verbs)
        results.append(found.plan_from_daily.matrix)
    verbs.set_threads(before)
    assert np.array_equal(*results)


def test_a_prepared_frame_is_the_daily_one() -> None:
    with pytest.raises(ValueError, match="daily frame"):
        prepare_radiographs([camera(0.0)], [], kvps=[], daily_from_fixed=Room().fixed_from_daily)
