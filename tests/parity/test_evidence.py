"""Regions, second metric and identity by every device, and by the reference: the same evidence at one pose."""

import functools

import numpy as np
import pytest

from igrt.compute import reference
from igrt.compute.verbs import Verbs
from igrt.registration.identity import identity
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.regions import Regions, region_residuals
from igrt.registration.second_metric import SecondMetric, second_metric
from tests.registration_cases import ISOCENTRE_MM, daily_grid, grid_about, image, motion

CT = image(grid_about((0, 0, 0), shape_kji=(20, 40, 44), spacing_mm=(5.5, 5.5, 7.0)))
DAILY = image(daily_grid(shape_kji=(16, 40, 44), spacing_mm=(5.0, 5.0, 6.0)), motion(), noise=5)
POSE = motion((1, -1, 2), degrees=1)


def measured(verbs: Verbs) -> tuple[Regions, SecondMetric, float]:
    plan, daily = prepare_plan(CT, verbs), prepare_daily(DAILY, verbs)
    regions = region_residuals(plan, daily, POSE, isocentre_mm=ISOCENTRE_MM, verbs=verbs)
    metric = second_metric(plan, daily, POSE, isocentre_mm=ISOCENTRE_MM, verbs=verbs)
    return regions, metric, identity(plan, daily, POSE, regions, isocentre_mm=ISOCENTRE_MM, verbs=verbs)


@functools.cache
def expected() -> tuple[Regions, SecondMetric, float]:
    return measured(reference)


def test_evidence(verbs) -> None:
    (regions, metric, alike), (by_definition, metric_by_definition, alike_by_definition) = measured(verbs), expected()
    assert len(regions.residuals) == len(by_definition.residuals) >= 8
    for got, wanted in zip(regions.residuals, by_definition.residuals, strict=True):
        np.testing.assert_allclose(got.displacement_mm, wanted.displacement_mm, atol=0.02)
        assert got.sd_mm == pytest.approx(wanted.sd_mm, rel=0.02)
    assert regions.residual_mm == pytest.approx(by_definition.residual_mm, abs=0.02)
    assert regions.target_mm == pytest.approx(by_definition.target_mm, abs=0.02)
    assert regions.stretch == pytest.approx(by_definition.stretch, abs=1e-3)
    assert (metric.value, metric.offset_mm) == pytest.approx((metric_by_definition.value, metric_by_definition.offset_mm), abs=0.01)
    assert alike == pytest.approx(alike_by_definition, abs=1e-3)
