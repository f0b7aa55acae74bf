"""Epipolar geometry of markers: places from rays, in the room, with the spread of their errors."""

import numpy as np
import pytest

from igrt.registration.marker_views import ViewSpots, candidates_of, triangulate
from tests.marker_cases import FIXED_FROM_DAILY, ISOCENTRE_MM, PLACES_MM, camera

PLACES_FIXED_MM = FIXED_FROM_DAILY.apply(ISOCENTRE_MM + PLACES_MM)
DAILY_FROM_FIXED = FIXED_FROM_DAILY.inverse()


def spots(angle, places_mm=PLACES_FIXED_MM, sd=0.2) -> ViewSpots:
    one = camera(angle)
    return ViewSpots(one, one.pixel_of(places_mm), np.full(len(places_mm), sd), np.full(len(places_mm), 20.0))


def all_of(*views, reach=60.0):
    return candidates_of(views, daily_from_fixed=DAILY_FROM_FIXED, centre_fixed_mm=np.zeros(3), reach_mm=reach)


@pytest.mark.parametrize("angles", [(0.0, 90.0), (0.0, 30.0), (10.0, 130.0, 250.0)])
def test_a_place_is_found_where_its_rays_meet(angles) -> None:
    for place in PLACES_FIXED_MM:
        cameras = [camera(angle) for angle in angles]
        got = triangulate(cameras, np.array([one.pixel_of(place) for one in cameras]), np.full(len(cameras), 0.2))
        np.testing.assert_allclose(got.fixed_mm, place, atol=1e-6)
        assert got.gap_mm < 1e-6


@pytest.mark.parametrize("angles", [(0.0, 90.0), (0.0, 30.0)])
def test_the_covariance_is_that_of_the_errors(angles) -> None:
    random, cameras, place = np.random.default_rng(2), [camera(a) for a in angles], PLACES_FIXED_MM[0]
    true = np.array([one.pixel_of(place) for one in cameras])
    deviations = np.array([0.3, 0.6])
    points = [triangulate(cameras, true + random.normal(0, 1, (2, 2)) * deviations[:, None], deviations) for _ in range(500)]
    errors = np.array([p.fixed_mm - place for p in points])
    ratio = np.sqrt(np.linalg.eigvalsh(errors.T @ errors / 500) / np.linalg.eigvalsh(points[0].covariance_mm2))
    assert (np.abs(ratio - 1) < 0.15).all()


def test_one_image_places_nothing() -> None:
    with pytest.raises(ValueError, match="depth"):
        triangulate([camera(0.0)], np.zeros((1, 2)), np.ones(1))
    assert all_of(spots(0.0)) == ()


def test_every_marker_is_among_the_candidates_and_none_beyond_reach() -> None:
    found = all_of(spots(0.0), spots(90.0))
    daily = np.array([candidate.position_mm for candidate in found])
    apart = np.linalg.norm((ISOCENTRE_MM + PLACES_MM)[:, None] - daily, axis=2).min(axis=1)
    assert apart.max() < 1e-6
    near = all_of(spots(0.0), spots(90.0), reach=10.0)
    assert all(np.linalg.norm(c.position_mm - ISOCENTRE_MM) <= 10.5 for c in near)


def test_rays_that_pass_each_other_make_no_place() -> None:
    off = spots(90.0, PLACES_FIXED_MM[:1] + np.array([0.0, 6.0, 0.0]))  # along the gantry's axis, which both images show
    assert all_of(spots(0.0, PLACES_FIXED_MM[:1]), off) == ()


def test_opposite_images_place_nothing() -> None:
    assert all_of(spots(0.0, PLACES_FIXED_MM[:1]), spots(180.0, PLACES_FIXED_MM[:1])) == ()


def test_a_third_image_joins() -> None:
    found = all_of(spots(0.0, PLACES_FIXED_MM[:1]), spots(60.0, PLACES_FIXED_MM[:1]), spots(120.0, PLACES_FIXED_MM[:1]))
    assert [len(candidate.sources) for candidate in found] == [3]
