"""Other vertebrae and the mirrored image score worse than what is right, and better than what is wrong."""

import dataclasses
import itertools

import numpy as np
import pytest

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.hypotheses import ONE_LEVEL_MM, TWO_LEVELS_MM, along_mm, alternatives, best_in, bone_score, mirror, score_at, shifted
from igrt.registration.match import NOT_SCORED
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import prepare_daily
from igrt.registration.rigid import match_near, match_rigid
from igrt.registration.samples import Samples
from igrt.registration.swap import Exchanged
from tests.anatomy_cases import VERBS, patient
from tests.registration_cases import axis_angle

SITES = [("head", 3), ("thorax", 3), ("pelvis", 3)]


def tried(case, answer, daily=None):
    return alternatives(Exchanged(case.plan, daily or case.daily, VERBS), answer, case.isocentre_mm, VERBS)


@pytest.mark.parametrize(("site", "seed"), SITES)
def test_what_is_right_beats_every_other_vertebra_and_the_mirror(site, seed) -> None:
    case = patient(site, seed)
    found = tried(case, case.truth)
    assert found.vertebra_score > 0.9
    assert found.vertebra_margin > 0.3
    assert found.mirror_margin > 0.1
    assert found.vertebra_margin == found.vertebra_score - max(other.score for other in found.hypotheses)
    assert {other.levels for other in found.hypotheses} <= {-2, -1, 1, 2}
    for other in found.hypotheses:
        nearest, farthest = ONE_LEVEL_MM if abs(other.levels) == 1 else TWO_LEVELS_MM
        assert nearest - 11 <= other.shift_mm * np.sign(other.levels) <= farthest + 11
        assert other.shift_mm == pytest.approx(along_mm(case.truth, other.plan_from_daily, case.isocentre_mm), abs=1e-9)
        assert -1 <= other.score <= 1
        assert type(other.score) is type(other.shift_mm) is float


@pytest.mark.parametrize(("site", "seed"), SITES)
@pytest.mark.parametrize("side", [-1, 1])
def test_an_answer_one_vertebra_off_is_beaten_by_the_right_one(site, seed, side) -> None:
    case = patient(site, seed)
    options, start = MatchOptions(), case.moved_along(24.0 * side)
    wrong = match_near(case.plan, case.daily, start=start, isocentre_mm=case.isocentre_mm, verbs=VERBS, options=options).plan_from_daily
    off_mm = along_mm(case.truth, wrong, case.isocentre_mm)
    if abs(off_mm) < ONE_LEVEL_MM[0]:  # nothing keeps the match there: it went home
        wrong = start
    found = tried(case, wrong)
    assert found.vertebra_margin < -0.2
    best = max(found.hypotheses, key=lambda other: other.score)
    assert best.levels == -side
    assert largest_displacement_mm(case.truth, best.plan_from_daily, case.isocentre_mm) < 5


@pytest.mark.parametrize(("site", "seed"), [("head", 3), ("pelvis", 3)])
def test_a_mirrored_image_matches_better_as_its_mirror_image(site, seed) -> None:
    case = patient(site, seed)
    daily = case.mirrored()
    match = match_rigid(case.plan, daily, start=case.start, isocentre_mm=case.isocentre_mm, verbs=VERBS)
    assert match.evidence.mirror_margin < -0.1


@pytest.mark.parametrize("degrees", [20, 90])
@pytest.mark.parametrize("mirrored", [False, True], ids=["right", "mirrored"])
def test_left_and_right_are_the_patients_in_an_image_that_is_turned(degrees, mirrored) -> None:
    case, turn = patient("head", 3), axis_angle((0, 1, 0), degrees)  # about the patient's front and back, as at a table angle
    grid, hu = case.image.grid, case.image.hu
    seen = np.ascontiguousarray(hu[:, :, ::-1]) if mirrored else hu
    daily = prepare_daily(
        Volume(Grid(grid.frame, grid.shape_kji, turn @ grid.origin_mm, grid.spacing_mm, turn @ grid.direction), seen), VERBS
    )
    start = RigidMotion(Frame.PLAN, Frame.DAILY, case.start.rotation @ turn.T, case.start.translation_mm)
    found = match_rigid(case.plan, daily, start=start, isocentre_mm=case.isocentre_mm, verbs=VERBS).evidence.mirror_margin
    assert found < -0.1 if mirrored else found > 0.15


def test_where_no_bone_is_seen_nothing_is_scored() -> None:
    case = patient("head", 3)
    far = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), case.truth.translation_mm + np.array([0.0, 0.0, 500.0]))
    found = tried(case, far)
    assert (found.vertebra_score, found.vertebra_margin, found.mirror_margin) == (NOT_SCORED,) * 3
    assert found.hypotheses == ()


def test_the_score_falls_with_distance_and_does_not_ask_for_the_scale() -> None:
    case = patient("thorax", 3)
    points = case.plan.samples.points
    scores = [bone_score(points, case.daily, case.moved_along(shift), VERBS)[0] for shift in (0.0, 2.0, 5.0, 10.0)]
    assert all(nearer - farther > 0.05 for nearer, farther in itertools.pairwise(scores))
    half = prepare_daily(Volume(case.image.grid, (case.image.hu // 2 + 300).astype(np.int16)), VERBS)
    assert bone_score(points, half, case.truth, VERBS)[0] == pytest.approx(scores[0], abs=0.02)


def test_an_image_is_wholly_like_itself_and_wholly_unlike_its_negative() -> None:
    case = patient("head", 3)
    grid = case.daily.fine.grid
    rng = np.random.default_rng(0)
    inner = grid.position_mm(rng.uniform(0.3, 0.7, (640, 3)) * (np.array(grid.size_ijk) - 1))
    hu = VERBS.interpolate(case.daily.fine, inner)
    for sign in (1, -1):
        score, seen = score_at(np.float32(sign) * hu, inner, case.daily, VERBS)
        assert seen == 640
        assert score == pytest.approx(sign, abs=0.05)
    assert score_at(hu[:0], inner[:0], case.daily, VERBS) == (0.0, 0)


def test_points_beyond_the_field_of_view_do_not_count() -> None:
    case = patient("head", 3)
    blind = dataclasses.replace(case.daily, region=dataclasses.replace(case.daily.region, valid=np.zeros_like(case.daily.region.valid)))
    assert bone_score(case.plan.samples.points, blind, case.truth, VERBS)[1] == 0


def test_the_lowest_valley_of_a_band() -> None:
    shifts = np.arange(-40.0, 41.0, 5.0)
    costs = 0.5 + 0.001 * np.abs(shifts)
    costs[shifts == 25] = 0.3
    costs[shifts == 0] = 0.1
    assert best_in(shifts, costs, 1, (12, 45)) == 25
    assert best_in(shifts, costs, -1, (12, 45)) == -15  # no valley: the lowest place
    assert best_in(shifts, np.ones_like(costs), 1, (12, 45)) is None


def test_a_shift_along_the_spine_is_one_of_the_answer() -> None:
    case = patient("head", 3)
    exchanged = Exchanged(case.plan, case.daily, VERBS)
    moved = exchanged.plan_from_daily(shifted(exchanged.pose(case.truth), 17.0))
    np.testing.assert_allclose(moved.matrix, case.moved_along(17.0).matrix, atol=1e-9)


@pytest.mark.parametrize("across", [None, np.array([0.6, 0.0, -0.8])])
def test_a_mirror_twice_is_none(across) -> None:
    samples = Samples(np.arange(30, dtype=np.float32).reshape(3, 10), np.arange(10, dtype=np.float32))
    about = np.array([4.0, 1.0, -2.0])
    once = mirror(samples, about, across)
    np.testing.assert_allclose(mirror(once, about, across).positions_mm, samples.positions_mm, atol=1e-5)
    normal = np.array([1.0, 0.0, 0.0]) if across is None else across
    np.testing.assert_allclose(normal @ (once.positions_mm - about[:, None]), -normal @ (samples.positions_mm - about[:, None]), atol=1e-5)
    moved = once.positions_mm - samples.positions_mm
    np.testing.assert_allclose(moved - np.outer(normal, normal @ moved), 0.0, atol=1e-5)
