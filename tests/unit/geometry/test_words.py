import math

import pytest

from igrt.geometry.words import AXES, axis_words


@pytest.mark.parametrize(
    ("axis", "value", "said"),
    [
        ("longitudinal", 5.0, "couch 5.0 mm toward gantry"),
        ("longitudinal", -5.04, "couch 5.0 mm away from gantry"),
        ("lateral", 3.26, "couch 3.3 mm to the right, seen facing the gantry"),
        ("lateral", -3.0, "couch 3.0 mm to the left, seen facing the gantry"),
        ("vertical", 1.0, "couch 1.0 mm up"),
        ("vertical", -1.0, "couch 1.0 mm down"),
        ("pitch", 1.0, "pitch 1.0° gantry end up"),
        ("pitch", -1.0, "pitch 1.0° gantry end down"),
        ("roll", 1.5, "roll 1.5° right side down, seen facing the gantry"),
        ("roll", -1.5, "roll 1.5° left side down, seen facing the gantry"),
        ("yaw", 2.0, "yaw 2.0° counter-clockwise seen from above"),
        ("yaw", -2.0, "yaw 2.0° clockwise seen from above"),
        ("lateral", 0.04, "couch 0.0 mm laterally"),
        ("longitudinal", -0.0, "couch 0.0 mm longitudinally"),
        ("vertical", 0.0, "couch 0.0 mm vertically"),
        ("roll", -0.01, "roll 0.0°"),
    ],
)
def test_words(axis, value, said):
    assert axis_words(axis, value) == said


def test_what_cannot_be_said_is_refused():
    for axis in AXES:
        with pytest.raises(ValueError, match=axis):
            axis_words(axis, math.nan)
    with pytest.raises(KeyError):
        axis_words("sideways", 1.0)
