"""What a restricted match must do: follow its region, ignore the rest, keep what it may not move, and show its evidence at any pose."""

import numpy as np
import pytest

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.options import Around, Clipbox, Freedom, Mask, MatchOptions, Mode
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.region import place
from igrt.registration.rigid import match_at, match_near, match_rigid
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol
from tests.answer_cases import box
from tests.registration_cases import ISOCENTRE_MM, anatomy_hu, axis_angle, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
CT = image(grid_about((0, 0, 0)))
PLAN = prepare_plan(CT, VERBS)
TRUTH = motion((4, -6, 5), degrees=3)
DAILY = prepare_daily(image(daily_grid(), TRUTH, noise=8), VERBS)
SETTINGS = {"isocentre_mm": ISOCENTRE_MM, "verbs": VERBS}
SPINE = Clipbox((-45, 15, -20), (45, 79, 60))
ISOCENTRE_BOX = ISOCENTRE_MM + np.stack(np.meshgrid((-30, 0, 30), (0, 25, 50), (-30, 0, 30)), -1).reshape(-1, 3)
RIGHT_MM = 0.3


def off_mm(truth: RigidMotion, found: RigidMotion) -> np.ndarray:
    """Distances between where two motions put points about the regions of these tests."""
    return np.linalg.norm(found.apply(truth.inverse().apply(ISOCENTRE_BOX)) - ISOCENTRE_BOX, axis=1)


def points_of(grid: Grid) -> np.ndarray:
    return grid.position_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij"), -1)[..., ::-1])


def seen(hu_at_plan_points) -> Volume:
    """What the daily grid shows of an anatomy given at plan points, in the pose TRUTH."""
    grid = daily_grid()
    hu = hu_at_plan_points(TRUTH.apply(points_of(grid))) + np.random.default_rng(4).normal(0, 8, grid.shape_kji)
    return Volume(grid, np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def matched(daily=DAILY, start=None, **options):
    return match_rigid(PLAN, daily, start=start or motion(), options=MatchOptions(**options), **SETTINGS)


@pytest.mark.parametrize(
    "options",
    [
        {"region": SPINE},
        {"region": Around((box("Body", "ORGAN", (5, 45, 0), 25.0),), 15.0)},
        {"mode": Mode.BONE},
        {"mode": Mode.BONE, "region": SPINE},
        {"mode": Mode.SOFT},
        {"region": Mask(CT.grid, np.abs(points_of(CT.grid)[..., 0]) < 60)},
    ],
    ids=("box", "structure", "bone", "bone in a box", "soft", "mask"),
)
def test_a_known_motion_is_found_by_every_region_and_tissue(options) -> None:
    match = matched(**options)
    deviation_mm = max(*match.evidence.translation_sd_mm, RIGHT_MM)  # soft tissue shows little of this anatomy, and the evidence says so
    assert off_mm(TRUTH, match.plan_from_daily).mean() < 2 * deviation_mm
    assert off_mm(TRUTH, match.plan_from_daily).max() < 3 * deviation_mm
    assert match.evidence.converged
    assert match.evidence.second_start_difference_mm < 0.1
    assert match.whole_similarity > 0.9


def test_the_whole_bone_can_be_believed() -> None:
    assert not judge_evidence(matched(mode=Mode.BONE), load_protocol().tables.evidence)


def moved_spine(points: np.ndarray) -> np.ndarray:
    """The anatomy with everything behind y = 30 mm shifted by (2, 0, 3) mm against the rest."""
    return np.where(points[..., 1] > 30, anatomy_hu(points - np.array([2.0, 0, 3.0])), anatomy_hu(points))


def test_the_region_decides_where_its_part_moved_against_the_rest() -> None:
    daily = prepare_daily(seen(moved_spine), VERBS)
    expected = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array([-2.0, 0, -3.0])) @ TRUTH
    spine, front = (
        matched(daily, region=box).plan_from_daily
        for box in (Clipbox((-95, 34, -25), (95, 79, 65)), Clipbox((-80, -75, -25), (80, 22, 65)))
    )
    behind, before = np.array([5.0, 52, 20]), np.array([5.0, -10, 20])
    assert np.linalg.norm(spine.apply(expected.inverse().apply(behind)) - behind) < 2 * RIGHT_MM
    assert np.linalg.norm(front.apply(TRUTH.inverse().apply(before)) - before) < 2 * RIGHT_MM


def with_gas(points: np.ndarray) -> np.ndarray:
    """Gas in front, where there was none."""
    hu = anatomy_hu(points)
    for centre in ((10, -50, 30), (-25, -35, -20), (40, -45, -40)):
        hu = np.where(np.linalg.norm(points - np.array(centre), axis=-1) < 14, -950.0, hu)
    return hu


def test_moving_gas_outside_the_region_changes_nothing() -> None:
    calm, stirred = (matched(prepare_daily(seen(hu), VERBS), region=SPINE) for hu in (anatomy_hu, with_gas))
    assert displacement_mm(calm.plan_from_daily, stirred.plan_from_daily).max() < 0.02
    assert stirred.whole_similarity < calm.whole_similarity - 0.005  # the whole body shows it


def test_translations_only_leave_the_rotation_of_the_start() -> None:
    turned = motion((0, 0, 0), (1, -1, 2), 1.5)
    match = matched(start=turned, freedom=Freedom.TRANSLATIONS)
    np.testing.assert_allclose(match.plan_from_daily.rotation, turned.rotation, atol=1e-12)
    assert match.evidence.rotation_sd_deg == (0.0, 0.0, 0.0)
    assert match.evidence.second_start_offset_deg == 0.0
    assert match.evidence.second_start_offset_mm >= 20.0


def test_translations_alone_find_a_shift_whatever_the_start() -> None:
    daily = prepare_daily(image(daily_grid(), motion((4, -6, 5)), noise=8), VERBS)
    answers = [matched(daily, start=motion(shift), freedom=Freedom.TRANSLATIONS) for shift in ((0, 0, 0), (20, -15, 30))]
    for match in answers:
        assert displacement_mm(motion((4, -6, 5)), match.plan_from_daily).max() < RIGHT_MM
        assert not judge_evidence(match, load_protocol().tables.evidence)
    assert displacement_mm(answers[0].plan_from_daily, answers[1].plan_from_daily).max() < 0.02


def test_rotations_alone_leave_their_centre_where_it_was() -> None:
    centre = np.array([-20.0, 15.0, 35.0])
    turn = axis_angle((1, 2, -1), 3.0)
    about = RigidMotion(Frame.PLAN, Frame.PLAN, turn, centre - turn @ centre)
    truth = about @ motion()
    daily = prepare_daily(image(daily_grid(), truth, noise=8), VERBS)
    match = matched(daily, freedom=Freedom.ROTATIONS, rotation_centre_mm=tuple(centre))
    assert displacement_mm(truth, match.plan_from_daily).max() < RIGHT_MM
    np.testing.assert_allclose(match.plan_from_daily.apply(motion().inverse().apply(centre)), centre, atol=1e-9)
    lever = np.array([[0, centre[2] - 20, -(centre[1] + 12)], [-(centre[2] - 20), 0, centre[0] - 8], [centre[1] + 12, -(centre[0] - 8), 0]])
    jacobian = np.hstack([np.eye(3), lever])  # of the motion of the centre by a small pose error about the isocentre
    assert np.abs(jacobian @ match.covariance @ jacobian.T).max() < 1e-12
    assert not judge_evidence(match, load_protocol().tables.evidence)


def test_a_manual_pose_where_the_match_ended_has_its_evidence() -> None:
    automatic = matched()
    manual = match_at(PLAN, DAILY, pose=automatic.plan_from_daily, automatic=automatic, **SETTINGS)
    found, expected = manual.evidence, automatic.evidence
    np.testing.assert_allclose(manual.covariance, automatic.covariance, rtol=1e-6)
    for name in ("overlap", "similarity", "inliers", "observability", "samples", "second_start_difference_mm", "converged"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6), name
    assert found.iterations == 0


@pytest.mark.parametrize("shift", [(3, 0, 0), (0, 8, 0), (0, 0, 20)])
def test_a_manual_pose_elsewhere_is_no_better_than_its_evidence(shift) -> None:
    automatic = matched()
    away = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array(shift, float)) @ automatic.plan_from_daily
    manual = match_at(PLAN, DAILY, pose=away, automatic=automatic, **SETTINGS)
    assert manual.evidence.similarity < automatic.evidence.similarity - 0.05
    assert not manual.evidence.converged
    np.testing.assert_allclose(manual.plan_from_daily.matrix, away.matrix, atol=1e-9)


def with_tumour(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """A tumour of 28 mm in the left lung."""
    hu = anatomy_hu(points)
    share = 1 / (1 + np.exp(np.clip(np.linalg.norm(points - centre, axis=-1) - 14.0, -40, 40)))
    return hu + share * (40.0 - hu)


def test_the_soft_tissue_of_a_target_that_moved_is_found_beside_the_bones() -> None:
    centre, shift = np.array([46.0, -6, 10]), np.array([1.0, 4.0, -3.0])
    plan = prepare_plan(Volume(CT.grid, np.rint(with_tumour(points_of(CT.grid), centre)).astype(np.int16)), VERBS)
    daily = prepare_daily(seen(lambda points: with_tumour(points, centre + shift)), VERBS)
    bone = match_rigid(plan, daily, start=motion(), options=MatchOptions(mode=Mode.BONE), **SETTINGS)
    soft = MatchOptions(region=Around((box("CTV", "CTV", centre, 14.0),), 6.0), mode=Mode.SOFT, freedom=Freedom.TRANSLATIONS)
    target = match_near(plan, daily, start=bone.plan_from_daily, options=soft, **SETTINGS)
    np.testing.assert_allclose(bone.plan_from_daily.apply(target.plan_from_daily.inverse().apply(centre)) - centre, shift, atol=0.6)


def test_a_region_that_holds_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="holds nothing of the patient"):
        matched(region=Clipbox((150, 150, 0), (160, 160, 10)))


def test_a_region_that_the_image_does_not_show_is_refused() -> None:
    match = matched(region=Clipbox((-60, -60, 62), (60, 60, 78)))
    codes = {finding.code for finding in judge_evidence(match, load_protocol().tables.evidence)}
    assert "evidence_overlap" in codes


def test_another_anatomy_is_refused_whatever_the_region() -> None:
    grid = daily_grid()
    points = points_of(grid)
    hu = np.where(np.linalg.norm(points / (70, 90, 200), axis=-1) < 1, 30, -1000)
    for x, y, z in np.random.default_rng(3).uniform(-50, 50, (12, 3)):
        hu[np.linalg.norm(points - (x, y, z), axis=-1) < 14] = 600
    other = prepare_daily(Volume(grid, hu.astype(np.int16)), VERBS)
    for options in ({"region": SPINE}, {"mode": Mode.BONE}, {"freedom": Freedom.TRANSLATIONS}):
        assert judge_evidence(matched(other, **options), load_protocol().tables.evidence)


def test_the_same_bits_from_any_number_of_threads() -> None:
    answers = []
    for threads in (1, 3):
        VERBS.set_threads(threads)
        answers.append(matched(region=SPINE, mode=Mode.BONE))
    VERBS.set_threads(2)
    np.testing.assert_array_equal(answers[0].plan_from_daily.matrix, answers[1].plan_from_daily.matrix)
    assert answers[0].evidence == answers[1].evidence


def test_a_margin_is_the_same_in_every_direction() -> None:
    grid = Grid.aligned(Frame.PLAN, shape_kji=(60, 60, 60), origin_mm=(-60.0, -60.0, -75.0), spacing_mm=(2.0, 2.0, 2.5))
    inside = place(Around((box("CTV", "CTV", (0.0, 0.0, 0.0), 10.0),), 12.0), grid)
    distance = np.linalg.norm(np.maximum(np.abs(points_of(grid)) - [10, 10, 11.25], 0), axis=-1)
    assert inside[distance < 8].all()
    assert not inside[distance > 13].any()
