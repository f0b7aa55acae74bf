"""What a therapist reads where the evidence lacks something."""

import dataclasses

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Hypothesis, RegionResidual
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.evidence_sentences import (
    another_vertebra,
    mirrored,
    not_rigid,
    off_as_one,
    stretch_of,
    stretched,
    target_elsewhere,
)
from igrt.verification.protocol import load_protocol
from tests.answer_cases import make_daily, make_match, make_plan

TABLE = load_protocol().tables.evidence
PLACES = [(x, y, z) for x in (-60.0, 60.0) for y in (-40.0, 40.0) for z in (-80.0, 80.0)]


def match(hypotheses=(), regions=(), **evidence):
    made = make_match(make_plan(), make_daily(), **evidence)
    return dataclasses.replace(made, hypotheses=tuple(hypotheses), regions=tuple(regions))


def hypothesis(levels, score):
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array([0.0, 0.0, -30.0 * levels]))
    return Hypothesis(levels, 30.0 * levels, pose, score)


def strained(strain, *, turn=0.0, shift=(0.0, 0.0, 0.0)):
    """Regions that moved as an anatomy does that is strained, turned and shifted."""
    moved = [tuple((np.asarray(strain) + turn) @ place + shift) for place in np.array(PLACES)]
    return [RegionResidual(place, displacement, (0.0, 0.0, 0.0), 0.2) for place, displacement in zip(PLACES, moved, strict=True)]


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (-1, "the vertebra below the planned one"),
        (1, "the vertebra above the planned one"),
        (-2, "the second vertebra below the planned one"),
        (2, "the second vertebra above the planned one"),
    ],
)
def test_another_vertebra_is_named_by_its_side(levels, words):
    others = [hypothesis(other, 0.2) for other in (-2, -1, 1, 2) if other != levels]
    findings = judge_evidence(match([hypothesis(levels, 0.81), *others], vertebra_score=0.64, vertebra_margin=-0.17), TABLE)
    assert [f.sentence for f in findings] == [f"This looks like {words} (score 0.81 against 0.64)."]


def test_one_that_is_almost_as_good_is_not_called_the_likely_one():
    said = another_vertebra(match([hypothesis(-1, 0.62)], vertebra_score=0.64, vertebra_margin=0.02), "")
    likeness = "it looks almost as much like it as like the planned one"
    assert said == f"This may be the vertebra below the planned one: {likeness} (score 0.62 against 0.64)."


def test_where_no_vertebra_fits_none_is_named():
    said = another_vertebra(match([hypothesis(-1, 0.3), hypothesis(1, 0.2)], vertebra_score=0.25, vertebra_margin=-0.05), "")
    assert said == (
        "The bones of the plan are not in the image, neither as planned nor one or two vertebrae up or down (score 0.30 against 0.25)."
    )


def test_without_hypotheses_nothing_is_named():
    assert another_vertebra(match(vertebra_margin=0.01), "0.01, at least 0.05") == (
        "The planned vertebra was not told apart from those above and below it (lead 0.01, at least 0.05)."
    )


def test_where_no_side_fits_the_image_is_not_called_mirrored():
    said = mirrored(match(vertebra_score=0.2, mirror_margin=-0.1), "")
    assert said == "The bones of the plan are not in the image, neither as it is nor mirrored left to right (score 0.30 against 0.20)."


@pytest.mark.parametrize(
    ("margin", "words"),
    [
        (-0.2, "The image looks mirrored left to right: mirrored back it is more like the plan (score 0.70 against 0.50)."),
        (0.01, "The image may be mirrored left to right: mirrored back it looks almost as much like the plan (score 0.49 against 0.50)."),
    ],
)
def test_a_mirrored_image_is_called_one(margin, words):
    assert mirrored(match(vertebra_score=0.5, mirror_margin=margin), "") == words


@pytest.mark.parametrize(
    ("strain", "words"),
    [
        ((0.0, 0.0, 0.05), "The image is at least 5 % larger than the plan along the patient: its slice spacing may be wrong."),
        ((0.0, 0.0, -0.05), "The image is at least 5 % smaller than the plan along the patient: its slice spacing may be wrong."),
        ((0.05, 0.0, 0.01), "The image is at least 5 % larger than the plan from left to right: its pixel spacing may be wrong."),
        ((0.0, -0.05, 0.0), "The image is at least 5 % smaller than the plan from front to back: its pixel spacing may be wrong."),
    ],
)
def test_a_wrong_size_is_told_with_its_direction(strain, words):
    assert stretched(match(regions=strained(np.diag(strain)), stretch=0.05), "") == words


def test_shift_and_turn_are_no_stretch():
    turn = np.array([[0.0, -0.02, 0.0], [0.02, 0.0, 0.03], [0.0, -0.03, 0.0]])
    share, axis = stretch_of(tuple(strained(np.diag([0.0, 0.0, 0.03]), turn=turn, shift=(3.0, -2.0, 9.0))))
    assert (share, axis) == (pytest.approx(0.03), 2)


@pytest.mark.parametrize("places", [0, 3, 4], ids=["none", "too few", "in one plane"])
def test_regions_that_determine_no_stretch_give_none(places):
    regions = tuple(region for region in strained(np.diag([0.0, 0.0, 0.05])) if region.centre_mm[2] > 0)[:places]
    assert stretch_of(regions) is None
    said = stretched(match(regions=regions, stretch=0.05), "0.05, at most 0.02")
    assert said == "The image and the plan differ in size by at least 5 %: the spacing of one may be wrong (stretch 0.05, at most 0.02)."


TURN = np.array([[0.0, -0.06, 0.0], [0.06, 0.0, 0.03], [0.0, -0.03, 0.0]])


def bent(places):
    """The half towards the head turned about the patient's left-right axis by 0.1 rad, the rest in its place."""
    return [(0.0, -0.1 * max(z, 0.0), 0.1 * y * (z > 0)) for _, y, z in places]


@pytest.mark.parametrize(("turn", "shift"), [(0.0, (0.0, 6.0, -7.0)), (TURN, (0.0, 0.0, 0.0)), (TURN, (4.0, -2.0, 9.0))])
def test_a_pose_that_is_off_is_not_called_a_changed_anatomy(turn, shift):
    regions = strained(np.zeros((3, 3)), turn=turn, shift=shift)
    sizes = [np.linalg.norm(region.displacement_mm) for region in regions]
    assert off_as_one(tuple(regions)) == pytest.approx(np.sqrt(np.mean(np.square(sizes))))
    assert not_rigid(match(regions=regions), "9 mm, at most 8 mm") == (
        "All parts of the anatomy lie off together: they are not where this pose has them (9 mm, at most 8 mm)."
    )
    assert "neither is the rest of the anatomy" in target_elsewhere(match(regions=regions), "")


def test_an_anatomy_that_bends_is_not_off_as_one():
    places = [(x, y, z) for x in (-60.0, 60.0) for y in (-40.0, 40.0) for z in (-120.0, -80.0, -40.0, 40.0, 80.0, 120.0)]
    regions = [RegionResidual(place, moved, (0.0, 0.0, 0.0), 0.2) for place, moved in zip(places, bent(places), strict=True)]
    assert off_as_one(tuple(regions)) is None
    assert not_rigid(match(regions=regions), "").startswith("No one correction fits all parts of the anatomy")
    assert target_elsewhere(match(regions=regions), "").startswith("What lies at the isocentre has moved by itself")


def test_parts_in_their_place_or_too_few_are_not_off():
    assert off_as_one(tuple(strained(np.zeros((3, 3))))) is None
    assert off_as_one(tuple(strained(np.zeros((3, 3)), shift=(5.0, 0.0, 0.0)))[:3]) is None
