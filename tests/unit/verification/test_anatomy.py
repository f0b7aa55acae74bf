"""Which part of the anatomy lies elsewhere, and what is said of it."""

import dataclasses
import math

import numpy as np
import pytest

from igrt.registration.match import NOT_KNOWN, RegionResidual
from igrt.verification.anatomy import changed_anatomy, farthest, place_words
from igrt.verification.findings import Level
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import ISOCENTRE_MM, box, make_daily, make_match, make_plan

TOLERANCE = Tolerance(inform=2.0, warn=3.0, stop=5.0)
PLAN = make_plan()


def region(offset_mm, displacement_mm, sd_mm=0.2):
    x, y, z = (ISOCENTRE_MM + offset_mm).tolist()
    return RegionResidual((x, y, z), tuple(map(float, displacement_mm)), (0.0, 0.0, 0.0), sd_mm)


def changed(residual_mm, regions=None):
    regions = (region((0, 30, 0), (0, 4.1, 0)), region((0, 0, 90), (0.5, 0, 0))) if regions is None else regions
    match = dataclasses.replace(make_match(PLAN, make_daily(), region_residual_mm=residual_mm), regions=tuple(regions))
    return changed_anatomy(match, PLAN, TOLERANCE)


@pytest.mark.parametrize(
    ("residual_mm", "level", "limit"),
    [(2.1, Level.INFORM, 2.0), (3.0, Level.INFORM, 2.0), (3.1, Level.WARN, 3.0), (5.0, Level.WARN, 3.0), (5.1, Level.STOP, 5.0)],
)
def test_the_disagreement_has_the_level_of_the_protocol(residual_mm, level, limit):
    (finding,) = changed(residual_mm)
    assert (finding.level, finding.limit, finding.value, finding.unit) == (level, limit, residual_mm, "mm")
    assert finding.sentence == "The anatomy around Cord lies 4.1 mm from where the rest has it: posture or anatomy has changed."


def test_within_tolerance_nothing_is_said():
    assert changed(2.0) == ()


@pytest.mark.parametrize("residual_mm", [math.nan, NOT_KNOWN])
def test_what_was_not_measured_is_left_to_its_rule(residual_mm):
    assert changed(residual_mm) == ()
    assert changed(9.0, regions=()) == ()


def test_the_farthest_part_is_the_one_that_is_surely_elsewhere():
    sure, unsure = region((0, 0, 60), (3, 0, 0), 0.3), region((0, 0, -60), (3.5, 0, 0), 2.0)
    assert farthest((sure, unsure)) is sure


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        ((60, 0, 10), "at the patient's left of the isocentre"),
        ((-60, 0, 10), "at the patient's right of the isocentre"),
        ((0, 70, 10), "at the back of the isocentre"),
        ((0, -70, 10), "at the front of the isocentre"),
        ((0, 0, 80), "at the head side of the isocentre"),
        ((0, 0, -80), "at the foot side of the isocentre"),
        ((60, 0, 50), "at the patient's left and head side of the isocentre"),
        ((-50, 70, -60), "at the back and foot side of the isocentre"),
        ((60, 0, 30), "at the patient's left of the isocentre"),
        ((5, 5, 5), "at the isocentre"),
    ],
)
def test_without_a_structure_nearby_the_side_is_named(offset, words):
    plan = make_plan([box("Body", "EXTERNAL", ISOCENTRE_MM, 90.0), box("PTV", "PTV", ISOCENTRE_MM, 30.0)])
    assert place_words(tuple((ISOCENTRE_MM + np.array(offset)).tolist()), plan) == words


def test_where_all_lies_off_together_no_part_is_blamed():
    places = [(x, y, z) for x in (-60, 60) for y in (-40, 40) for z in (-80, 80)]
    (finding,) = changed(6.0, [region(place, (0.0, 3.6, -4.8)) for place in places])
    assert finding.level is Level.STOP
    assert finding.sentence == "All of the anatomy lies 6.0 mm from where this pose has it, and keeps its shape: the pose is off."
