from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from igrt.errors import InputError
from igrt.verification.schema import Table, convert, keys, reject

FILE = Path("site/x.toml")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Table, frozen=True):
    length_mm: Annotated[float, Meta(gt=0, le=5, description="How long")]
    colour: Annotated[Colour, Meta(description="Which colour")] = Colour.RED


class Outer(Table, frozen=True):
    inner: Inner
    names: Annotated[tuple[str, ...], Meta(description="Names", min_length=1)]
    point_mm: Annotated[tuple[Annotated[float, Meta(ge=-1, le=1)], float] | None, Meta(description="Where")] = None
    count: Annotated[int, Meta(ge=1, description="How many")] = 1
    when: Annotated[datetime, Meta(description="When", tz=True)] | None = None
    other: Inner | None = None
    angle_deg: Annotated[Literal[0, 90], Meta(description="Which angle")] = 0


GOOD = {"inner": {"length_mm": 2}, "names": ["a"]}


def test_what_fits_is_read():
    record = convert(GOOD, Outer, FILE)
    assert record.inner == Inner(length_mm=2.0, colour=Colour.RED)
    assert record.names == ("a",)


def test_keys_are_unfolded_with_what_they_accept():
    rows = {key.name: (key.accepts, key.optional) for key in keys(Outer)}
    assert rows == {
        "inner.length_mm": ("a number above 0 up to 5", False),
        "inner.colour": ('"red" or "blue"', True),
        "names": ("a list, each a text", False),
        "point_mm": ("a list of 2, each a number from -1 to 1", True),
        "count": ("a whole number of at least 1", True),
        "when": ("a date and time with time zone", True),
        "other.length_mm": ("a number above 0 up to 5", True),
        "other.colour": ('"red" or "blue"', True),
        "angle_deg": ("0 or 90", True),
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inner": {"length_mm": 0}}, "inner.length_mm = 0 cannot be used; give a number above 0 up to 5: how long"),
        ({"inner": {"length_mm": "2"}}, 'inner.length_mm = "2" cannot be used; give a number above 0 up to 5: how long'),
        ({"inner": {}}, "inner.length_mm is missing; give a number above 0 up to 5: how long"),
        (
            {"inner": {"length_mm": 2, "width_mm": 1}},
            "inner.width_mm = 1 is not a key of this file; use one of inner.length_mm, inner.colour",
        ),
        ({"inner": 3}, "inner = 3 cannot be used; give the table [inner]"),
        ({"names": []}, "names = [] cannot be used; give a list, each a text: names"),
        ({"names": ["a", 1]}, "names = ['a', 1] cannot be used; give a list, each a text: names"),
        ({"point_mm": [0.0, 0.0, 0.0]}, "point_mm = [0.0, 0.0, 0.0] cannot be used; give a list of 2, each a number from -1 to 1: where"),
        ({"point_mm": [7.0, 0.0]}, "point_mm = [7.0, 0.0] cannot be used; give a list of 2, each a number from -1 to 1: where"),
        ({"inner": {"length_mm": 1, "colour": "green"}}, 'inner.colour = "green" cannot be used; give "red" or "blue": which colour'),
        ({"count": True}, "count = true cannot be used; give a whole number of at least 1: how many"),
        (
            {"extra": {"a": 1}},
            "extra = {a = 1} is not a key of this file; use one of inner, names, point_mm, count, when, other, angle_deg",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(change, sentence):
    with pytest.raises(InputError) as raised:
        convert({**GOOD, **change}, Outer, FILE)
    assert str(raised.value) == f"{FILE}: {sentence}"


def test_a_missing_table_is_said_with_its_keys():
    with pytest.raises(InputError, match=r"inner is missing; give the table \[inner\] with inner.length_mm, inner.colour"):
        convert({"names": ["a"]}, Outer, FILE)


def test_what_contradicts_another_key_is_said_with_its_remedy():
    assert str(reject(FILE, "a.b", "x", "is no y; give y")) == f'{FILE}: a.b = "x" is no y; give y'
