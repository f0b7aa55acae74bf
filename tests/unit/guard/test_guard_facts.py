"""Reading a request: nothing that is not there, not finite or of another kind becomes a value."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pytest

from igrt.geometry.couch_model import CouchPosition
from igrt.guard.facts import Breach, UnknownError, couch_position, known, look, motion, number, point, points, text, whole
from tests.unit.guard.guard_cases import CASE_MOTION, at, spoiled


@dataclass
class Inner:
    value: object


@dataclass
class Outer:
    inner: object


def holding(value):
    return Outer(Inner(value))


class Word(StrEnum):
    GO = "go"


def test_a_breach_says_field_value_limit_and_remedy_in_one_sentence():
    breach = Breach(field="linac.beam_on", value="True", limit="it must be off", remedy="stop the beam")
    assert breach.sentence == "linac.beam_on is True, but it must be off: stop the beam."


def test_a_path_is_followed_to_its_end_and_ends_at_the_first_gap():
    assert look(holding(3), "inner.value") == 3
    assert look(Outer(None), "inner.value") is None
    assert look(None, "inner.value") is None
    assert look(holding(3), "inner.other.more") is None


def test_values_of_the_right_kind_come_back_as_they_are():
    assert known(Outer(Inner(value=True)), "inner.value", bool) is True
    assert number(holding(3), "inner.value") == 3.0
    assert isinstance(number(holding(3), "inner.value"), float)
    assert number(holding(-2.5), "inner.value") == -2.5
    assert whole(holding(1), "inner.value") == 1
    assert text(holding(" a "), "inner.value") == " a "
    assert type(text(holding(Word.GO), "inner.value")) is str
    assert point(holding((1, 2.0, 3)), "inner.value") == (1.0, 2.0, 3.0)
    assert points(holding(((1, 2, 3), (4, 5, 6))), "inner.value", count=2) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert couch_position(holding(at()), "inner.value") == at()
    rows, shift = motion(holding(CASE_MOTION), "inner.value")
    assert np.array_equal(rows, CASE_MOTION.rotation)
    assert np.array_equal(shift, CASE_MOTION.translation_mm)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "3", True, (3.0,), np.array(3.0), 3 + 0j])
def test_no_number(value):
    with pytest.raises(UnknownError, match=r"^inner.value is .*, but a finite number is needed: supply it, then claim again\.$"):
        number(holding(value), "inner.value")


@pytest.mark.parametrize("value", [None, 0, -1, 1.0, True, "1", np.int64(1)])
def test_no_whole_number(value):
    with pytest.raises(UnknownError, match=r"^inner.value is .* whole number from 1"):
        whole(holding(value), "inner.value")


@pytest.mark.parametrize("value", [None, "", " \t", 3, b"a"])
def test_no_text(value):
    with pytest.raises(UnknownError, match=r"^inner.value is .* text that is not blank"):
        text(holding(value), "inner.value")


@pytest.mark.parametrize("value", [None, (1.0, 2.0), (1.0, 2.0, 3.0, 4.0), [1.0, 2.0, 3.0], (1.0, 2.0, math.nan), (True, 2.0, 3.0), "123"])
def test_no_point(value):
    with pytest.raises(UnknownError, match=r"^inner.value is"):
        point(holding(value), "inner.value")
    with pytest.raises(UnknownError, match=r"^inner.value\[1\] is"):
        points(holding(((1.0, 2.0, 3.0), value)), "inner.value", count=2)


@pytest.mark.parametrize("value", [None, ((1.0, 2.0, 3.0),), [(1.0, 2.0, 3.0)] * 2, ((1.0, 2.0, 3.0),) * 3])
def test_not_so_many_points(value):
    with pytest.raises(UnknownError, match=r"^inner.value is .* tuple of 2 points"):
        points(holding(value), "inner.value", count=2)


@pytest.mark.parametrize("name", CouchPosition.__dataclass_fields__)
def test_no_couch_position_where_one_axis_is_no_number(name):
    with pytest.raises(UnknownError, match=rf"^inner.value.{name} is nan"):
        couch_position(holding(spoiled(at(), name, math.nan)), "inner.value")


def test_no_motion_where_one_number_is_not_finite():
    bad = np.eye(3) * math.nan
    with pytest.raises(UnknownError, match=r"^inner.value.rotation is nan"):
        motion(holding(spoiled(CASE_MOTION, "rotation", bad)), "inner.value")
    with pytest.raises(UnknownError, match=r"^inner.value.translation_mm is inf"):
        motion(holding(spoiled(CASE_MOTION, "translation_mm", np.array([0, math.inf, 0]))), "inner.value")
    with pytest.raises(UnknownError, match=r"value of type RigidMotion is needed"):
        motion(holding(np.eye(4)), "inner.value")


def test_missing_is_said_as_missing_and_another_value_is_shown():
    with pytest.raises(UnknownError, match=r"^inner.value is missing, but a value of type bool is needed"):
        known(holding(None), "inner.value", bool)
    with pytest.raises(UnknownError, match=r"^inner.value is 'no', but"):
        known(holding("no"), "inner.value", bool)


def test_the_request_itself_is_not_said_in_a_path():
    with pytest.raises(UnknownError, match=r"^linac.at is missing"):
        text(None, "request.linac.at")
