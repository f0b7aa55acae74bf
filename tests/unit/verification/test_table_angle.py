"""Which table angle is planned and which one the image was taken at; what is not known or contradicts itself is refused by name."""

import math
from dataclasses import replace

import pytest

from igrt.errors import InputError
from igrt.geometry.couch_model import YawAxis
from igrt.verification.machine import load_machine
from igrt.verification.table_angle import common_angle_deg, table_angles

TURNTABLE = load_machine().couch
TABLETOP = replace(TURNTABLE, yaw_axis=YawAxis.TABLETOP)


def angles(couch=TURNTABLE, **stated):
    found = table_angles(couch=couch, **stated)
    return found.table_angle_deg, found.image_table_angle_deg


@pytest.mark.parametrize(
    ("stated", "planned", "imaged"),
    [
        ({}, 0.0, 0.0),
        ({"planned_deg": (0.0, 359.998)}, 0.0, 0.0),
        ({"couch_yaw_deg": 2.0}, 0.0, 2.0),
        ({"couch_yaw_deg": 359.0}, 0.0, 359.0),
        ({"couch_yaw_deg": 32.0, "planned_deg": (30.0,)}, 30.0, 32.0),
        ({"couch_yaw_deg": 32.0, "planned_deg": (0.0, 30.0, 330.0)}, 30.0, 32.0),
        ({"couch_yaw_deg": 1.0, "planned_deg": (30.0, 330.0)}, 0.0, 1.0),
        ({"couch_yaw_deg": 10.0, "planned_deg": (0.0,)}, 0.0, 10.0),
        ({"image_table_angle_deg": 29.0, "planned_deg": (30.0,)}, 30.0, 29.0),
        ({"image_table_angle_deg": 32.0, "couch_yaw_deg": 31.9, "planned_deg": (30.0,)}, 30.0, 32.0),
        ({"table_angle_deg": 30.0}, 30.0, 30.0),
        ({"table_angle_deg": 30.0, "couch_yaw_deg": 32.0}, 30.0, 32.0),
        ({"table_angle_deg": 30.0, "planned_deg": (0.0, 90.0)}, 30.0, 30.0),
        ({"table_angle_deg": 5.0, "couch_yaw_deg": 4.0, "planned_deg": (0.0, 5.0)}, 5.0, 4.0),
    ],
)
def test_each_angle_follows_from_what_is_stated(stated, planned, imaged):
    assert angles(**stated) == (pytest.approx(planned, abs=1e-9), imaged)


def test_the_yaw_of_a_table_top_is_no_table_angle():
    assert angles(TABLETOP, couch_yaw_deg=2.0, table_angle_deg=30.0) == (30.0, 30.0)
    assert angles(TABLETOP, couch_yaw_deg=2.0, image_table_angle_deg=30.0, planned_deg=(30.0,)) == (30.0, 30.0)


def test_who_stated_the_planned_angle_is_said():
    words = [
        table_angles(couch=TURNTABLE, **stated).planned_by
        for stated in ({}, {"planned_deg": (0.0,)}, {"planned_deg": (30.0,), "couch_yaw_deg": 31.0}, {"table_angle_deg": 0.0})
    ]
    assert words == ["nobody states another", "the plan's beams", "the plan's beams", "stated with the image"]


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"planned_deg": (30.0,)}, "at table angles 30, and nobody states the one that the image was taken at; give image_table_angle_deg"),
        ({"planned_deg": (0.0, 10.0)}, "at table angles 0 and 10, and nobody"),
        ({"planned_deg": (0.0, 8.0), "couch_yaw_deg": 4.0}, "at 4, near more than one; give table_angle_deg"),
        ({"couch_yaw_deg": 10.1}, "taken at table angle 10.1, but the correction is for 0 (nobody states another)"),
        ({"couch_yaw_deg": 0.0, "table_angle_deg": 30.0}, "at table angle 0, but the correction is for 30 (stated with the image)"),
        ({"couch_yaw_deg": 15.0, "planned_deg": (30.0,)}, "at table angle 15, but the correction is for 0"),
        ({"couch_yaw_deg": 2.0, "image_table_angle_deg": 1.7}, "couch start yaw_deg is 2 but image_table_angle_deg is 1.7"),
        ({"couch_yaw_deg": math.nan}, "couch start yaw_deg is nan; give"),
        ({"table_angle_deg": math.inf}, "table_angle_deg is inf; give"),
        ({"image_table_angle_deg": math.nan}, "image_table_angle_deg is nan; give"),
    ],
)
def test_what_is_not_known_or_contradicts_itself_is_refused(stated, words):
    with pytest.raises(InputError) as caught:
        table_angles(couch=TURNTABLE, **stated)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("stated", "common"),
    [
        ([], None),
        ([None], None),
        ([4.0], 4.0),
        ([359.95, 0.05], -0.05),
        ([4.0, 4.1], 4.0),
        ([4.0, None], None),
        ([4.0, 4.3], None),
        ([4.0, float("nan")], None),
        ([float("nan")], None),
    ],
)
def test_the_angle_of_a_set_is_the_one_that_every_image_states(stated, common):
    assert common_angle_deg(stated) == (None if common is None else pytest.approx(common, abs=1e-9))
