"""Laws of the second solver's opinion."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.images.radiographs import Radiographs
from igrt.verification.protocol import SecondSolverTable
from igrt.verification.second_solver import Opinion, SecondFigures, judge_second, second_opinion, why_not_comparable, without_opinion

TABLE = SecondSolverTable()
MILLIMETRES = st.floats(0, 100)
NATS = st.floats(0.001, 5)
RANK = {Opinion.CONFIRMED: 0, Opinion.NO_OPINION: 1, Opinion.WITHDRAWN: 2}
ANSWER = {"plan_from_daily": np.eye(4).tolist(), "match": {"mode": "grey", "region": "whole", "freedom": "six", "manual": False}}


def figures(difference_mm=0.5, similarity=0.9, similarity_there=0.9) -> SecondFigures:
    return SecondFigures(difference_mm=difference_mm, similarity=similarity, similarity_there=similarity_there, seconds=1.0)


def opinion(*values: float, table: SecondSolverTable = TABLE) -> Opinion:
    return judge_second(figures(*values), table).opinion


@given(MILLIMETRES, MILLIMETRES, NATS, NATS)
def test_farther_apart_is_never_better_for_the_answer(one, other, similarity, there):
    near, far = sorted((one, other))
    assert RANK[opinion(near, similarity, there)] <= RANK[opinion(far, similarity, there)]


@given(MILLIMETRES, NATS, NATS, NATS)
def test_more_alike_at_the_answer_is_never_worse_for_it(difference_mm, similarity, one, other):
    less, more = sorted((one, other))
    assert RANK[opinion(difference_mm, similarity, more)] <= RANK[opinion(difference_mm, similarity, less)]


@given(MILLIMETRES, NATS, st.floats(0, 1))
def test_what_is_no_better_than_the_answer_never_withdraws_it(difference_mm, there, share):
    assert opinion(difference_mm, share * there, there) is not Opinion.WITHDRAWN


@pytest.mark.parametrize("field", ["difference_mm", "similarity", "similarity_there"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_no_opinion(field, value):
    assert judge_second(figures(**({"difference_mm": 8.0} | {field: value})), TABLE).opinion is Opinion.NO_OPINION


def test_the_limits_are_the_protocols_and_a_value_at_a_limit_is_within_it():
    assert opinion(1.5, 0.9, 0.1) is Opinion.CONFIRMED
    assert opinion(math.nextafter(1.5, 2), 0.9, 0.1) is Opinion.WITHDRAWN
    wide = msgspec.structs.replace(TABLE, difference_max_mm=4.0)
    assert opinion(3.0, 0.9, 0.1, table=wide) is Opinion.CONFIRMED
    assert opinion(8.0, 1.5, 1.0, table=msgspec.structs.replace(TABLE, margin=0.5)) is Opinion.NO_OPINION
    assert opinion(8.0, 1.75, 1.0, table=msgspec.structs.replace(TABLE, margin=0.5)) is Opinion.WITHDRAWN
    assert opinion(-1.0, 0.9, 0.9) is Opinion.NO_OPINION


def test_the_sentence_has_the_figures():
    sentence = judge_second(figures(8.25, 0.9, 0.7), TABLE).sentence
    for part in ("contradicts", "8.2 mm", "limit 1.5 mm", "0.900", "0.700"):
        assert part in sentence
    assert "not better by 2.0%" in judge_second(figures(8.25, 0.9, 0.9), TABLE).sentence
    assert without_opinion("it is late").sentence == "The second solver has no opinion: it is late."


@pytest.mark.parametrize("changed", [{"mode": "bone"}, {"region": "target"}, {"freedom": "translations"}, {"manual": True}])
def test_a_match_of_another_kind_is_not_compared(changed):
    assert why_not_comparable(ANSWER) is None
    assert why_not_comparable(ANSWER | {"match": ANSWER["match"] | changed}) is not None


def test_a_refused_answer_has_nothing_to_confirm():
    assert "no correction" in why_not_comparable(ANSWER | {"plan_from_daily": None})
    assert second_opinion(None, None, {"plan_from_daily": None}).opinion is Opinion.NO_OPINION


def test_radiographs_are_not_matched():
    images = object.__new__(Radiographs)
    assert "radiographs" in second_opinion(None, images, ANSWER).sentence
