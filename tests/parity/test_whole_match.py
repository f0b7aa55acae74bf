"""The whole match by every device, and by the reference: one answer."""

import functools

import numpy as np

from igrt.compute import reference
from igrt.compute.verbs import Verbs
from igrt.registration.match import Match
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from tests.registration_cases import ISOCENTRE_MM, daily_grid, displacement_mm, grid_about, image, motion

TOLERANCE_MM = 1e-3
CT = image(grid_about((0, 0, 0), shape_kji=(20, 40, 44), spacing_mm=(5.5, 5.5, 7.0)))
DAILY = image(daily_grid(shape_kji=(16, 40, 44), spacing_mm=(5.0, 5.0, 6.0)), motion((4, -3, 5), degrees=2), noise=5)


def match(verbs: Verbs) -> Match:
    return match_rigid(prepare_plan(CT, verbs), prepare_daily(DAILY, verbs), start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=verbs)


@functools.cache
def expected() -> Match:
    return match(reference)


def test_match(verbs) -> None:
    got = match(verbs)
    assert displacement_mm(expected().plan_from_daily, got.plan_from_daily).max() < TOLERANCE_MM
    np.testing.assert_allclose(got.covariance, expected().covariance, rtol=1e-2, atol=1e-6)
    assert abs(got.evidence.similarity - expected().evidence.similarity) < 1e-4
    assert got.evidence.samples == expected().evidence.samples
