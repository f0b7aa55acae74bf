"""The rigid fit of markers: exact where there is no error, and its covariance is that of the errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.registration.marker_fit import UNKNOWN_VARIANCE, fit_rigid, left_out_mm
from tests.marker_cases import ISOCENTRE_MM, PLACES_MM, motion

PLANNED_MM = ISOCENTRE_MM + PLACES_MM
small = st.floats(-10, 10)


def alike(count, sd=0.3):
    return np.tile(np.eye(3) * sd**2, (count, 1, 1))


@given(small, small, small, small, small, small)
def test_a_known_motion_is_found_exactly(x, y, z, pitch, roll, yaw) -> None:
    pose = motion(shift_mm=(x, y, z), pitch=pitch, roll=roll, yaw=yaw)
    fit = fit_rigid(PLANNED_MM, pose.inverse().apply(PLANNED_MM), alike(4), centre_mm=ISOCENTRE_MM, hold=None)
    np.testing.assert_allclose(fit.plan_from_daily.matrix, pose.matrix, atol=1e-7)
    assert fit.fre_mm < 1e-6


def test_the_covariance_is_that_of_the_errors() -> None:
    random, sd, pose = np.random.default_rng(1), np.array([0.2, 0.4, 0.8]), motion()
    variances = np.tile(np.diag(sd**2), (4, 1, 1))
    errors, covariance = [], np.zeros((6, 6))
    for _ in range(600):
        noisy = pose.inverse().apply(PLANNED_MM + random.normal(0, sd, (4, 3)))
        fit = fit_rigid(PLANNED_MM, noisy, variances, centre_mm=ISOCENTRE_MM, hold=None)
        between = fit.plan_from_daily @ pose.inverse()
        turn = np.array([between.rotation[2, 1], between.rotation[0, 2], between.rotation[1, 0]])
        errors.append([*(between.apply(ISOCENTRE_MM) - ISOCENTRE_MM), *turn])
        covariance = fit_rigid(PLANNED_MM, pose.inverse().apply(PLANNED_MM), variances, centre_mm=ISOCENTRE_MM, hold=None).covariance
    ratio = np.sqrt(np.mean(np.square(errors), axis=0) / np.diag(covariance))
    assert (np.abs(ratio - 1) < 0.12).all()


def test_what_fits_badly_is_less_certain() -> None:
    found = PLANNED_MM + np.array([[2.0, 0, 0], [0, -2.0, 0], [0, 0, 2.0], [-2.0, 0, 0]])
    good, bad = (fit_rigid(PLANNED_MM, one, alike(4), centre_mm=ISOCENTRE_MM, hold=None) for one in (PLANNED_MM, found))
    assert np.diag(bad.covariance).min() > 4 * np.diag(good.covariance).min()


def test_a_line_holds_no_turn_about_it_and_one_marker_none_at_all() -> None:
    line = ISOCENTRE_MM + np.array([[0.0, 0, -10], [0, 0, 2], [0, 0, 11]])
    fit = fit_rigid(line, line, alike(3), centre_mm=ISOCENTRE_MM, hold=None)
    assert fit.covariance[5, 5] > 0.01 * UNKNOWN_VARIANCE / 80**2
    assert fit.covariance[3, 3] < 1.0
    assert np.isnan(left_out_mm(line[:1], line[:1], alike(1), centre_mm=ISOCENTRE_MM, fit=fit, turn=True)).all()


def test_a_held_rotation_stays_and_has_no_variance() -> None:
    pose = motion(pitch=3.0)
    fit = fit_rigid(PLANNED_MM, pose.inverse().apply(PLANNED_MM), alike(4), centre_mm=ISOCENTRE_MM, hold=motion(pitch=0, roll=0, yaw=0))
    assert np.allclose(fit.plan_from_daily.rotation, np.eye(3), atol=1e-12)
    assert not fit.covariance[3:].any()


def test_the_one_that_has_moved_stands_out_when_left_out() -> None:
    found = PLANNED_MM.copy()
    found[2] += [0.0, 3.0, 0.0]
    fit = fit_rigid(PLANNED_MM, found, alike(4), centre_mm=ISOCENTRE_MM, hold=None)
    off = left_out_mm(PLANNED_MM, found, alike(4), centre_mm=ISOCENTRE_MM, fit=fit, turn=True)
    np.testing.assert_allclose(off[2], (0.0, 3.0, 0.0), atol=1e-6)


def test_pairs_are_asked_for() -> None:
    with pytest.raises(ValueError, match="pairs"):
        fit_rigid(PLANNED_MM, PLANNED_MM[:2], alike(4), centre_mm=ISOCENTRE_MM, hold=None)
