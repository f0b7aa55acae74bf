"""Vendors' couch scales: known values with their sources, the round trip, and everything that must be refused."""

import re
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.geometry.couch_scales import SCALES, AxisScale, IecCouch, ShownCouch, scale

AXES = ("lateral", "longitudinal", "vertical", "table_angle")
DOCUMENT = Path(__file__).parents[3] / "docs" / "couch-scales.md"


def axis(name: str, which: str) -> AxisScale:
    return getattr(SCALES[name], which)


@pytest.mark.parametrize(
    ("name", "which", "shown", "iec"),
    [
        ("iec61217", "lateral", -12.5, -12.5),
        ("iec61217", "table_angle", 359.0, -1.0),
        # bcatt09/PlanCheck: 1000 mm - vertical, lateral + 1000 mm; Ionele: -(x - 100), x - 100 (cm)
        ("varian_standard", "vertical", 100.0, 0.0),
        ("varian_standard", "vertical", 112.5, -125.0),
        ("varian_standard", "vertical", 95.0, 50.0),
        ("varian_standard", "lateral", 100.0, 0.0),
        ("varian_standard", "lateral", 95.0, -50.0),
        ("varian_standard", "longitudinal", 130.0, 1300.0),
        # pylinac core/scale: 175 is 5, 185 is 355
        ("varian_standard", "table_angle", 180.0, 0.0),
        ("varian_standard", "table_angle", 175.0, 5.0),
        ("varian_standard", "table_angle", 185.0, -5.0),
        # TrajectoryLogReader's tests: vertical 16 is -16 cm, lateral 985 is -15 cm and 15 is 15 cm, rotation 90 is 270
        ("varian_iec", "vertical", 16.0, -160.0),
        ("varian_iec", "vertical", 0.0, 0.0),
        ("varian_iec", "lateral", 985.0, -150.0),
        ("varian_iec", "lateral", 15.0, 150.0),
        ("varian_iec", "lateral", 1000.0, 0.0),
        ("varian_iec", "longitudinal", 100.0, 1000.0),
        ("varian_iec", "table_angle", 90.0, -90.0),
        ("varian_iec", "table_angle", 270.0, 90.0),
    ],
)
def test_a_known_value(name, which, shown, iec):
    assert axis(name, which).value(shown, name=which) == pytest.approx(iec, abs=1e-9)
    back = axis(name, which).shown(iec, name=which)
    wrap = axis(name, which).wrap
    assert (back if wrap is None else back % wrap) == pytest.approx(shown if wrap is None else shown % wrap, abs=1e-9)


@pytest.mark.parametrize("name", SCALES)
@given(data=st.data())
def test_there_and_back(name, data):
    values = [data.draw(st.floats(axis(name, which).lowest, axis(name, which).highest)) for which in AXES]
    couch = IecCouch(lateral_mm=values[0], longitudinal_mm=values[1], vertical_mm=values[2], table_angle_deg=values[3])
    back = SCALES[name].iec(SCALES[name].shown(couch))
    differences = [abs(a - b) for a, b in zip(astuple(back), astuple(couch), strict=True)]
    differences[3] = min(differences[3], 360 - differences[3])
    assert max(differences) < 1e-8


@pytest.mark.parametrize("name", SCALES)
def test_the_direction_of_each_axis(name):
    """A couch that goes up, to the right, toward the gantry, or turns counter-clockwise changes the reading as the sign says."""
    for which in AXES:
        one = axis(name, which)
        middle = (one.lowest + one.highest) / 2
        step = one.shown(middle + one.unit / 8, name=which) - one.shown(middle, name=which)
        assert step == pytest.approx(one.sign / 8, abs=1e-9) or abs(step) > 100  # over the wrap


@pytest.mark.parametrize(
    ("name", "which", "shown"),
    [
        ("varian_iec", "vertical", 995.0),  # 5 cm above the isocentre to one source
        ("varian_iec", "vertical", 1005.0),  # and to another
        ("varian_iec", "vertical", 500.0),
        ("varian_iec", "lateral", 500.0),  # half way round
        ("varian_iec", "lateral", 60.0),
        ("varian_iec", "lateral", -5.0),  # the scale knows no negative readings
        ("varian_iec", "table_angle", 361.0),
        ("varian_standard", "lateral", -5.0),  # as IEC 61217 would show it
        ("varian_standard", "lateral", 995.0),  # as Varian IEC would
        ("varian_standard", "vertical", 1100.0),  # in mm
        ("varian_standard", "vertical", 990.0),
        *[(name, which, value) for name in SCALES for which in AXES for value in (float("nan"), float("inf"), -float("inf"))],
    ],
)
def test_a_reading_without_an_agreed_meaning_is_refused(name, which, shown):
    with pytest.raises(InputError, match=which):
        axis(name, which).value(shown, name=which)


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("which", AXES)
@pytest.mark.parametrize("off", [-1.0, 1.0, float("nan")])
def test_a_position_that_the_scale_is_not_known_to_reach_is_refused(name, which, off):
    one = axis(name, which)
    value = (one.highest if off > 0 else one.lowest) + off
    with pytest.raises(InputError, match=which):
        one.shown(value, name=which)


def test_a_range_that_would_be_ambiguous_is_no_scale():
    with pytest.raises(ValueError, match="two meanings"):
        AxisScale(unit=10.0, sign=1, offset=0.0, lowest=-5001.0, highest=5000.0, wrap=1000.0)


def test_an_unknown_scale_is_refused():
    with pytest.raises(InputError, match="'elekta' is not known"):
        scale("elekta")


def test_a_whole_couch():
    shown = ShownCouch(lateral=99.0, longitudinal=120.0, vertical=115.0, table_angle=190.0)
    couch = scale("varian_standard").iec(shown)
    assert couch == IecCouch(lateral_mm=-10.0, longitudinal_mm=1200.0, vertical_mm=-150.0, table_angle_deg=-10.0)
    with pytest.raises(InputError, match="vertical"):
        scale("varian_iec").iec(ShownCouch(lateral=1.0, longitudinal=1.0, vertical=990.0, table_angle=0.0))


def test_the_document_has_every_scale_and_its_numbers():
    """Each line of its table: scale, axis, shown, IEC 61217."""
    lines = re.findall(r"^\| `(\w+)` \| (\w+) \| ([-\d.]+) \| ([-\d.]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {line[0] for line in lines} == set(SCALES)
    assert {(line[0], line[1]) for line in lines} == {(name, which) for name in SCALES for which in AXES}
    for name, which, shown, iec in lines:
        assert axis(name, which).value(float(shown), name=which) == pytest.approx(float(iec))
