"""Where parts of the anatomy lie: arrows and table where a finding is about them."""

import dataclasses

import numpy as np
import pytest

from igrt.answer import verify
from igrt.registration.match import RegionResidual
from igrt.reports.html import render
from igrt.reports.regions import LENGTHENED, region_pictures, region_rows, shown, way
from igrt.verification.protocol import load_protocol
from tests.unit.reports.conftest import match
from tests.unit.reports.test_html import CREATED, Page

MOVED = ((0.0, 30.0, 40.0), (0.0, 1.0, 4.0))
STILL = ((0.0, -30.0, -30.0), (0.1, 0.0, 0.2))


TOLERANCE = load_protocol().tables.evidence.region_residual_mm


def answered(plan, daily, *, residual_mm, regions=(MOVED, STILL)):
    found = match((-8.0, 0.0, 0.0))
    parts = tuple(RegionResidual(centre, displacement, (0.0, 0.0, 0.0), 0.3) for centre, displacement in regions)
    matched = dataclasses.replace(found, evidence=dataclasses.replace(found.evidence, region_residual_mm=residual_mm), regions=parts)
    return verify(plan, daily, matcher=lambda *_: matched).to_json()


@pytest.fixture(scope="module")
def changed(plan, daily):
    return answered(plan, daily, residual_mm=(TOLERANCE.inform + TOLERANCE.warn) / 2)


def arrows(page):
    return [attributes["class"] for tag, attributes in page.tags if tag == "g" and (attributes.get("class") or "").startswith("arrow")]


def test_the_page_shows_each_part_with_an_arrow_and_the_moved_one_in_words(changed, plan, daily):
    page = Page(render(changed, plan=plan, daily=daily, created=CREATED))
    assert sorted(arrows(page)) == ["arrow", "arrow", "arrow far", "arrow far"]
    assert "4.0 mm toward the head, 1.0 mm toward the back" in page.text
    assert "lies 4.1 mm from where the rest has it" in page.text


def test_an_arrow_runs_the_lengthened_way_in_each_plane(changed, plan, daily, start):
    sagittal, coronal = region_pictures(changed, plan, daily, start)
    assert (sagittal.name, coronal.name) == ("Sagittal", "Coronal")
    pixel_mm = sagittal.scale_mm / sagittal.scale_pixels
    arrow = sagittal.arrows[0]
    # back runs to the right of a sagittal picture, head to its top
    np.testing.assert_allclose(np.subtract(arrow.end, arrow.begin) * pixel_mm, LENGTHENED * np.array([1.0, -4.0]), atol=1e-6)
    np.testing.assert_allclose(np.subtract(coronal.arrows[0].end, coronal.arrows[0].begin) * pixel_mm, [0.0, -40.0], atol=1e-6)


def test_the_table_holds_what_lies_elsewhere(changed, plan):
    (row,) = region_rows(changed, plan)
    assert row.distance_mm == pytest.approx(np.hypot(1, 4))
    assert row.far


def test_within_tolerance_no_picture_is_drawn(plan, daily):
    answer = answered(plan, daily, residual_mm=TOLERANCE.inform)
    assert not shown(answer)
    assert arrows(Page(render(answer, plan=plan, daily=daily, created=CREATED))) == []


def test_a_refusal_for_posture_shows_where(plan, daily):
    answer = answered(plan, daily, residual_mm=49.9, regions=(((0.0, 30.0, 40.0), (0.0, 0.0, 30.0)), STILL))
    assert answer["outcome"] == "refused"
    assert "arrow far" in arrows(Page(render(answer, plan=plan, daily=daily, created=CREATED)))


@pytest.mark.parametrize(
    ("displacement", "words"),
    [
        ((2.0, 0.0, -3.0), "3.0 mm toward the feet, 2.0 mm toward the left"),
        ((-2.0, -2.5, 0.4), "2.5 mm toward the front, 2.0 mm toward the right"),
        ((0.4, 0.4, 0.4), "less than 0.5 mm along each axis"),
    ],
)
def test_the_way_in_words(displacement, words):
    assert way(displacement) == words
