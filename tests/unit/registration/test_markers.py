"""Markers found, matched and fitted: the same pose from a cone-beam CT and from radiographs, and nothing where it is not determined."""

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.marker_fit import largest_apart_mm
from igrt.registration.marker_image import find_in_image
from igrt.registration.marker_pattern import Candidate, PatternLimits
from igrt.registration.markers import (
    PlannedMarkers,
    Problem,
    State,
    in_room,
    match_candidates,
    match_in_views,
    match_in_volume,
    plan_markers,
    reach_mm,
)
from tests.marker_cases import FIXED_FROM_DAILY, ISOCENTRE_MM, KIND, PLACES_MM, camera, integrals, motion, seeds, volume

START = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
LIMITS = PatternLimits(shift_mm=30.0, turn_deg=8.0)
POSE = motion(shift_mm=(4.0, -5.0, 3.0), pitch=2.0, roll=-1.5, yaw=2.5)


@pytest.fixture(scope="module")
def planned() -> PlannedMarkers:
    return plan_markers(volume(Frame.PLAN), KIND, centre_mm=ISOCENTRE_MM, reach_mm=40.0)


def in_views(planned, pose, angles=(0.0, 90.0), markers=None, seen=None, spoil=None):
    cameras = [camera(angle) for angle in angles]
    views = []
    for one, image in zip(cameras, integrals(pose, cameras, markers), strict=True):
        if spoil is not None:
            spoil(image)
        where = {"centre_fixed_mm": in_room(planned, FIXED_FROM_DAILY.inverse(), START), "reach_mm": reach_mm(planned, LIMITS)}
        views.append(find_in_image(image, np.ones(image.shape, bool) if seen is None else seen, one, KIND, **where))
    daily_from_fixed = FIXED_FROM_DAILY.inverse()
    return match_in_views(planned, views, daily_from_fixed=daily_from_fixed, start=START, isocentre_mm=ISOCENTRE_MM, limits=LIMITS)


def in_volume(planned, pose, markers=None, turn=True):
    daily = volume(Frame.DAILY, pose, markers)
    return match_in_volume(planned, daily, start=START, isocentre_mm=ISOCENTRE_MM, limits=LIMITS, turn=turn)


def states(sight):
    return sorted(str(marker.state) for marker in sight.match.markers)


def given(places_mm, spread=0.2, sources=None) -> tuple[Candidate, ...]:
    of = sources or [frozenset()] * len(places_mm)
    return tuple(Candidate(np.asarray(p, float), np.eye(3) * spread**2, 10.0, s) for p, s in zip(places_mm, of, strict=True))


def plan_of(places_mm) -> PlannedMarkers:
    return PlannedMarkers(KIND, np.asarray(places_mm, float), np.tile(np.eye(3) * 0.04, (len(places_mm), 1, 1)))


def matched(planned, candidates, limits=LIMITS):
    return match_candidates(planned, candidates, start=START, isocentre_mm=ISOCENTRE_MM, limits=limits)


def test_the_planning_ct_shows_every_seed_and_nothing_else(planned) -> None:
    true = ISOCENTRE_MM + PLACES_MM
    apart = np.linalg.norm(planned.positions_mm[:, None] - true, axis=2)
    assert planned.positions_mm.shape == (4, 3)
    assert sorted(apart.argmin(axis=0)) == [0, 1, 2, 3]
    assert apart.min(axis=0).max() < 0.6


@pytest.mark.parametrize("look", [in_views, in_volume])
def test_a_known_pose_is_found_from_either(planned, look) -> None:
    sight = look(planned, POSE)
    assert sight.problem is None
    assert states(sight) == ["matched"] * 4
    assert largest_apart_mm(POSE, sight.match.plan_from_daily, ISOCENTRE_MM + PLACES_MM) < 0.7
    assert sight.match.fre_mm < 0.6
    assert sight.match.leave_one_out_mm < 1.5


@pytest.mark.parametrize("look", [in_views, in_volume])
def test_a_missing_seed_is_told_and_the_others_match(planned, look) -> None:
    sight = look(planned, POSE, markers=seeds()[1:])
    assert states(sight) == ["matched", "matched", "matched", "missing"]
    lost = next(marker for marker in sight.match.markers if marker.state is State.MISSING)
    assert np.linalg.norm(np.array(lost.planned_mm) - seeds()[0].centre_mm) < 0.6
    assert largest_apart_mm(POSE, sight.match.plan_from_daily, ISOCENTRE_MM + PLACES_MM[1:]) < 0.8


@pytest.mark.parametrize("look", [in_views, in_volume])
def test_a_migrated_seed_is_told_with_its_distance_and_does_not_pull(planned, look) -> None:
    away = seeds()
    away[0] = away[0].displaced((0.0, 5.0, 6.0))
    sight = look(planned, POSE, markers=away)
    assert states(sight) == ["matched", "matched", "matched", "migrated"]
    gone = next(marker for marker in sight.match.markers if marker.state is State.MIGRATED)
    np.testing.assert_allclose(gone.off_mm, (0.0, 5.0, 6.0), atol=1.0)
    assert largest_apart_mm(POSE, sight.match.plan_from_daily, ISOCENTRE_MM + PLACES_MM[1:]) < 0.8


def test_a_marker_that_has_moved_within_the_slack_is_told_as_far_off_as_the_others_say() -> None:
    places = ISOCENTRE_MM + PLACES_MM
    found = places + np.array([[0, 0, 0], [0, 0, 0], [2.5, 0, 0], [0, 0, 0]])
    sight = matched(plan_of(places), given(found))
    assert states(sight) == ["matched"] * 4
    np.testing.assert_allclose(sight.match.markers[2].off_mm, (2.5, 0.0, 0.0), atol=1e-6)  # what remains after the fit of all is less
    assert sight.match.leave_one_out_mm >= sight.match.markers[2].distance_mm > 2 * sight.match.fre_mm


def test_an_extra_seed_is_told(planned) -> None:
    more = [*seeds(), seeds()[0].displaced((-12.0, 4.0, 10.0))]
    sight = in_volume(planned, POSE, markers=more)
    assert states(sight) == ["matched"] * 4
    assert len(sight.match.extra_mm) == 1
    assert np.linalg.norm(np.array(sight.match.extra_mm[0]) - more[-1].centre_mm) < 1.0


def test_one_radiograph_places_nothing(planned) -> None:
    assert in_views(planned, POSE, angles=(0.0,)).problem is Problem.TOO_FEW


def test_three_radiographs_agree(planned) -> None:
    sight = in_views(planned, POSE, angles=(0.0, 60.0, 120.0))
    assert largest_apart_mm(POSE, sight.match.plan_from_daily, ISOCENTRE_MM + PLACES_MM) < 0.6


def test_dead_and_collimated_pixels_hold_no_spot(planned) -> None:
    one = camera(0.0)
    image = integrals(POSE, [one])[0]
    where = {"centre_fixed_mm": in_room(planned, FIXED_FROM_DAILY.inverse(), START), "reach_mm": reach_mm(planned, LIMITS)}
    open_ = np.ones(image.shape, bool)
    places = find_in_image(image, open_, one, KIND, **where).pixels
    open_[:, : image.shape[1] // 2] = False
    image[100:110, 200:210] = np.nan
    kept = find_in_image(image, open_, one, KIND, **where)
    assert (kept.pixels[:, 0] > image.shape[1] // 2).all()
    assert 0 < len(kept.pixels) < len(places)
    assert np.isfinite(kept.pixels).all()


def test_without_turn_the_rotation_of_the_start_stays(planned) -> None:
    sight = in_volume(planned, motion(shift_mm=(3.0, 2.0, -4.0), pitch=0, roll=0, yaw=0), turn=False)
    assert np.array_equal(sight.match.plan_from_daily.rotation, START.rotation) or np.allclose(
        sight.match.plan_from_daily.rotation, START.rotation, atol=1e-12
    )
    np.testing.assert_allclose(sight.match.plan_from_daily.translation_mm, (3.0, 2.0, -4.0), atol=0.4)
    assert sight.match.evidence.rotation_sd_deg == (0.0, 0.0, 0.0)


def test_a_pattern_that_fits_in_two_places_is_refused() -> None:
    row = ISOCENTRE_MM + np.array([[0, 0, 0], [10, 0, 0], [20, 0, 0], [0, 12, 0], [10, 12, 0], [20, 12, 0.0]])
    lost = row[[1, 2, 4, 5]]  # of a lattice whose first column is not seen: as well the last one
    sight = matched(plan_of(row), given(lost))
    assert sight.match is None
    assert sight.problem is Problem.AMBIGUOUS
    assert sight.rival_mm == pytest.approx(10.0, abs=0.5)


def test_two_near_candidates_of_one_marker_are_no_guess() -> None:
    places = ISOCENTRE_MM + PLACES_MM[:3]
    twin = places[0] + [0.0, 0.0, 4.5]
    sight = matched(plan_of(places), given([*places, twin]), PatternLimits(slack_mm=4.0))
    assert sight.match is None or largest_apart_mm(START, sight.match.plan_from_daily, places) < 0.5


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_hold_no_pose(count) -> None:
    places = ISOCENTRE_MM + PLACES_MM
    assert matched(plan_of(places), given(places[:count])).problem is Problem.TOO_FEW
    assert matched(plan_of(places[:count]), given(places)).problem is Problem.TOO_FEW


def test_three_of_which_one_has_migrated_hold_no_pose() -> None:
    places = ISOCENTRE_MM + PLACES_MM[:3]
    moved = places + np.array([[0, 0, 0], [0, 0, 0], [0, 8.0, 0]])
    assert matched(plan_of(places), given(moved)).problem is Problem.TOO_FEW


def test_markers_on_a_line_do_not_show_the_turn_about_it() -> None:
    line = ISOCENTRE_MM + np.array([[0, 0, -15], [0, 0, 1], [0, 0, 20.0]])
    sight = matched(plan_of(line), given(line))
    assert max(sight.match.evidence.rotation_sd_deg) > 10.0


def test_a_spot_belongs_to_one_marker_alone() -> None:
    places = ISOCENTRE_MM + PLACES_MM[:3]
    shared = [frozenset({(0, 0), (1, 0)}), frozenset({(0, 0), (1, 1)}), frozenset({(0, 2), (1, 2)})]
    assert matched(plan_of(places), given(places, sources=shared)).problem is Problem.TOO_FEW


def test_a_mirrored_pattern_is_not_the_pattern() -> None:
    places = ISOCENTRE_MM + PLACES_MM
    mirrored = ISOCENTRE_MM + PLACES_MM * np.array([-1.0, 1.0, 1.0])
    assert matched(plan_of(places), given(mirrored)).match is None
