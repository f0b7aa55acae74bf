import dataclasses
import math

import numpy as np
import pytest

from igrt.verification.codes import CODES
from igrt.verification.evidence_rules import RULES, evidence_words, judge_evidence
from igrt.verification.findings import Level
from igrt.verification.protocol import load_protocol
from tests.answer_cases import make_daily, make_match, make_plan

TABLE = load_protocol().tables.evidence
PLAN, DAILY = make_plan(), make_daily()
# Field, the limit's key, and whether the field is a triple; the sign says on which side of the limit "outside" is.
CASES = [
    ("overlap", "overlap_min", -1),
    ("similarity", "similarity_min", -1),
    ("inliers", "inliers_min", -1),
    ("second_start_offset_mm", "second_start_offset_min_mm", -1),
    ("second_start_offset_deg", "second_start_offset_min_deg", -1),
    ("second_start_difference_mm", "second_start_difference_max_mm", +1),
    ("translation_sd_mm", "translation_sd_max_mm", +1),
    ("rotation_sd_deg", "rotation_sd_max_deg", +1),
    ("observability", "observability_min", -1),
    ("samples", "samples_min", -1),
]
TRIPLES = {"translation_sd_mm", "rotation_sd_deg"}


def judged(**evidence):
    return judge_evidence(make_match(PLAN, DAILY, **evidence), TABLE)


def value_of(field, value):
    return (0.0, value, 0.0) if field in TRIPLES else value


def test_good_evidence_is_accepted():
    assert judged() == ()


def test_every_rule_has_its_case():
    assert [rule.limit(TABLE) for rule in RULES] == [getattr(TABLE, key) for _, key, _ in CASES]


@pytest.mark.parametrize(("field", "key", "outside"), CASES)
def test_at_the_limit_holds_and_just_outside_refuses(field, key, outside):
    limit = getattr(TABLE, key)
    beyond = limit + outside if field == "samples" else limit * (1 + outside * 1e-9)
    assert judged(**{field: value_of(field, limit)}) == ()
    (finding,) = judged(**{field: value_of(field, beyond)})
    assert finding.level is Level.STOP
    assert finding.limit == limit
    assert finding.value == beyond
    assert finding.code in CODES
    assert "cannot be believed" in finding.sentence


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", [field for field, _, _ in CASES])
def test_what_is_not_finite_refuses(field, bad):
    findings = judged(**{field: value_of(field, bad)})
    assert "evidence_not_finite" in {finding.code for finding in findings}
    assert all(finding.level is Level.STOP for finding in findings)


def test_a_negative_standard_deviation_refuses():
    assert [finding.code for finding in judged(translation_sd_mm=(0.1, -0.1, 0.1))] == ["evidence_translation_sd"]


def test_not_converged_refuses():
    assert [finding.code for finding in judged(converged=False)] == ["evidence_not_converged"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: 0 * c,
        lambda c: -c,
        lambda c: c + np.eye(6, k=1) * 1e-3,
        lambda c: c - np.diag([0, 0, 0, 0, 0, 1e-3]),
    ],
    ids=["zero", "negative", "not symmetric", "one negative variance"],
)
def test_what_is_no_covariance_refuses(spoil):
    match = make_match(PLAN, DAILY)
    spoiled = dataclasses.replace(match, covariance=spoil(np.array(match.covariance)))
    assert [finding.code for finding in judge_evidence(spoiled, TABLE)] == ["evidence_not_finite"]


def test_everything_wrong_names_everything():
    findings = judged(overlap=0.0, similarity=-1.0, samples=0, converged=False)
    assert {finding.code for finding in findings} == {
        "evidence_overlap", "evidence_similarity", "evidence_samples", "evidence_not_converged"
    }  # fmt: skip


def test_words_state_value_and_limit_of_every_rule():
    match = make_match(PLAN, DAILY)
    words = evidence_words(match, TABLE)
    assert len(words) == len(RULES) + 1
    assert words[0] == f"overlap of the daily anatomy with the planning CT 0.99 (at least {TABLE.overlap_min:g})"
    assert "not a number" in evidence_words(make_match(PLAN, DAILY, overlap=math.nan), TABLE)[0]
