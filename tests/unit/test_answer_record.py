import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.answer import Answer
from igrt.errors import InputError
from igrt.geometry.couch import CouchPosition
from igrt.registration.match import NOT_KNOWN, NOT_SCORED
from igrt.verification.findings import Override, Verdict
from igrt.verification.record import NOTICE, VERSION
from tests.answer_cases import answer, corrections, still, strict_json

START = CouchPosition(lateral_mm=0.0, longitudinal_mm=700.0, vertical_mm=-120.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)


def test_the_json_object_has_its_keys():
    plain = strict_json(answer(still(lateral_mm=2.0), couch_start=START))
    assert list(plain)[:2] == ["version", "notice"]
    assert (plain["version"], plain["notice"]) == (VERSION, NOTICE)
    wanted = {
        "outcome", "reason", "verdict", "plan_from_daily", "correction", "couch", "residuals_mm", "findings", "evidence",
        "machine", "protocol", "device", "seconds", "checked", "research", "start_plan_from_daily", "plan_fingerprint",
    }  # fmt: skip
    assert wanted <= set(plain)
    assert plain["correction"]["axes"] == "fixed"
    assert plain["correction"]["words"][0] == "couch 2.0 mm to the right, seen facing the gantry"
    assert set(plain["couch"]) == {"model", "degrees_of_freedom", "made", "target", "delta", "limited", "words"}
    assert set(plain["residuals_mm"]["CTV, centroid"]) == {"name", "structure", "kind", "residual_mm", "uncertainty95_mm"}
    assert set(plain["findings"][0]) == {"code", "sentence", "value", "limit", "unit", "level"}
    np.testing.assert_allclose(np.array(plain["plan_from_daily"])[3], [0, 0, 0, 1])


@given(
    corrections(shift_mm=60.0, turn_deg=12.0), st.sampled_from([{}, {"similarity": math.nan}, {"translation_sd_mm": (0.1, math.inf, 0.1)}])
)
@settings(max_examples=25)
def test_json_and_back_is_the_same_answer(correction, evidence):
    result = answer(correction, evidence=evidence, couch_start=START)
    again = Answer.from_json(strict_json(result))
    assert strict_json(again) == strict_json(result)
    assert (again.outcome, again.verdict, again.findings, again.correction) == (
        result.outcome,
        result.verdict,
        result.findings,
        result.correction,
    )
    assert again.couch == result.couch


def test_a_measure_that_was_not_taken_is_null_and_still_refuses_when_read_back():
    result = answer(evidence={"identity": NOT_SCORED, "stretch": NOT_KNOWN})
    plain = strict_json(result)
    assert (plain["evidence"]["identity"], plain["evidence"]["stretch"]) == (None, None)
    again = Answer.from_json(plain)
    assert (again.evidence.identity, again.evidence.stretch) == (NOT_SCORED, NOT_KNOWN)
    assert strict_json(again) == plain


@pytest.mark.parametrize("evidence", [{}, {"similarity": 0.1}], ids=["accepted", "refused"])
def test_an_answer_of_an_earlier_igrt_is_read(evidence):
    plain = strict_json(answer(evidence=evidence))
    del plain["override"], plain["match"]["hypotheses"], plain["match"]["regions"]
    for name in ("swap_difference_mm", "identity", "stretch", "vertebra_margin"):
        del plain["evidence"][name]
    again = Answer.from_json(plain)
    assert again.override is (Override.NONE if evidence else None)
    assert again.evidence.identity == NOT_SCORED


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda plain: plain.update(override="manual pose"), "not an answer of igrt .*override"),
        (lambda plain: plain.update(version="igrt-answer/2"), "version is 'igrt-answer/2'; this igrt reads"),
        (lambda plain: plain.pop("version"), "version is None"),
        (lambda plain: plain.pop("findings"), "not an answer of igrt .*findings"),
        (lambda plain: plain.update(outcome="refused"), "not an answer of igrt .*carries"),
        (lambda plain: plain.update(verdict="stop"), "not an answer of igrt .*verdict is stop"),
        (lambda plain: plain["correction"].pop("yaw_deg"), "not an answer of igrt .*yaw_deg"),
        (lambda plain: plain["plan_from_daily"][0].__setitem__(0, 2.0), "not an answer of igrt .*not a proper rotation"),
    ],
)
def test_what_is_no_answer_is_refused(spoil, sentence):
    plain = strict_json(answer())
    spoil(plain)
    with pytest.raises(InputError, match=sentence):
        Answer.from_json(plain)


def test_an_answer_cannot_contradict_itself():
    refused = answer(evidence={"overlap": 0.0})
    accepted = answer()
    with pytest.raises(ValueError, match="refused carries"):
        dataclasses.replace(refused, correction=accepted.correction)
    with pytest.raises(ValueError, match="accepted carries"):
        dataclasses.replace(accepted, couch=None)
    with pytest.raises(ValueError, match="verdict is stop"):
        dataclasses.replace(accepted, verdict=Verdict.STOP)
