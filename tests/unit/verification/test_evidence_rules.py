import dataclasses
import math

import msgspec
import numpy as np
import pytest

from igrt.registration.match import Evidence
from igrt.registration.options import Clipbox, Freedom, MatchOptions, Mode
from igrt.registration.projection import RadiographMatch, ViewEvidence
from igrt.verification.codes import CODES
from igrt.verification.evidence_rules import FINAL, RULES, evidence_words, final_of, judge_evidence, reason_of
from igrt.verification.findings import Level
from igrt.verification.protocol import load_protocol
from tests.answer_cases import make_daily, make_match, make_plan

TABLE = load_protocol().tables.evidence
PLAN, DAILY = make_plan(), make_daily()
UNMEASURED = Evidence(1.0, 0.9, 1.0, 25.0, 6.0, 0.0, (0.1, 0.1, 0.1), (0.1, 0.1, 0.1), 0.2, 1000, 10, converged=True)
# Field, the limit's key, and whether the field is a triple; the sign says on which side of the limit "outside" is.
CASES = [
    ("identity", "identity_min", -1),
    ("mirror_margin", "mirror_margin_min", -1),
    ("stretch", "stretch_max", +1),
    ("vertebra_margin", "vertebra_margin_min", -1),
    ("region_residual_mm", "region_residual_max_mm", +1),
    ("target_residual_mm", "target_residual_max_mm", +1),
    ("second_metric_offset_mm", "second_metric_offset_max_mm", +1),
    ("swap_difference_mm", "swap_difference_max_mm", +1),
    ("rival_margin", "rival_margin_min", -1),
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
ADDED = [field for field, _, _ in CASES[:9]]
NEVER_SET_ASIDE = {"evidence_identity", "evidence_mirror", "evidence_stretch"}
# Asked only where everything was matched in every motion; the others of every cone-beam image.
OF_ALL = {"region_residual_mm", "target_residual_mm", "second_metric_offset_mm", "swap_difference_mm", "rival_margin"}


def judged(**evidence):
    return judge_evidence(make_match(PLAN, DAILY, **evidence), TABLE)


def value_of(field, value):
    return (0.0, value, 0.0) if field in TRIPLES else value


def test_good_evidence_is_accepted():
    assert judged() == ()


def test_every_rule_has_its_case():
    numbered = msgspec.structs.replace(TABLE, **{key: float(number) for number, (_, key, _) in enumerate(CASES)})
    assert [rule.limit(numbered) for rule in RULES] == list(range(len(CASES)))


@pytest.mark.parametrize(("field", "key", "outside"), CASES)
def test_at_the_limit_holds_and_just_outside_refuses(field, key, outside):
    limit = getattr(TABLE, key)
    beyond = limit + outside if field == "samples" else limit + outside * 1e-9 * abs(limit)
    assert judged(**{field: value_of(field, limit)}) == ()
    (finding,) = judged(**{field: value_of(field, beyond)})
    assert finding.level is Level.STOP
    assert finding.limit == limit
    assert finding.value == beyond
    assert finding.code in CODES
    assert finding.sentence.endswith(".")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", [field for field, _, _ in CASES])
def test_what_is_not_finite_refuses(field, bad):
    findings = judged(**{field: value_of(field, bad)})
    assert "evidence_not_finite" in {finding.code for finding in findings}
    assert all(finding.level is Level.STOP for finding in findings)


@pytest.mark.parametrize("field", ADDED)
def test_what_was_not_measured_refuses_where_it_is_asked(field):
    (finding,) = judged(**{field: getattr(UNMEASURED, field)})
    assert "could not be measured" in finding.sentence
    assert finding.value is None


@pytest.mark.parametrize("field", ADDED)
@pytest.mark.parametrize(
    "options",
    [MatchOptions(mode=Mode.BONE), MatchOptions(region=Clipbox((0, 0, 0), (9, 9, 9))), MatchOptions(freedom=Freedom.TRANSLATIONS)],
    ids=["bone", "region", "translations"],
)
def test_a_part_of_the_anatomy_or_the_motions_is_asked_what_it_can_answer(field, options):
    made = make_match(PLAN, DAILY, **{field: getattr(UNMEASURED, field)})
    match = dataclasses.replace(made, options=options, whole_similarity=0.7 if options.restricted else None)
    assert bool(judge_evidence(match, TABLE)) is (field not in OF_ALL)
    words = evidence_words(match, TABLE)
    assert any("could not be measured" in said for said in words) is (field not in OF_ALL)


@pytest.mark.parametrize("options", [MatchOptions(mode=Mode.BONE), MatchOptions(region=Clipbox((0, 0, 0), (9, 9, 9)))])
def test_a_part_of_the_anatomy_is_not_believed_without_the_likeness_of_the_whole(options):
    match = dataclasses.replace(make_match(PLAN, DAILY), options=options)
    (finding,) = judge_evidence(match, TABLE)
    assert (finding.code, finding.value) == ("evidence_whole", None)
    assert finding.sentence == "The match cannot be believed: similarity of the whole body could not be measured (at least 0.4)."
    assert "similarity of the whole body could not be measured (at least 0.4)" in evidence_words(match, TABLE)
    assert judge_evidence(dataclasses.replace(match, whole_similarity=0.4), TABLE) == ()


def test_radiographs_are_asked_none_of_what_needs_a_volume():
    evidence = {field: getattr(UNMEASURED, field) for field in ADDED}
    match = make_match(PLAN, DAILY, **evidence)
    views = (ViewEvidence(0.0, 0.9, 1.0, 0.0), ViewEvidence(90.0, 0.9, 1.0, 0.0))
    assert judge_evidence(RadiographMatch(match.plan_from_daily, match.covariance, match.evidence, views=views), TABLE) == ()


@pytest.mark.parametrize(("field", "key", "outside"), CASES)
def test_identity_mirror_and_size_are_never_set_aside_and_the_rest_is(field, key, outside):
    limit = getattr(TABLE, key)
    findings = judged(**{field: value_of(field, limit + outside * 1.0)})
    assert findings
    assert bool(final_of(findings)) is (findings[0].code in NEVER_SET_ASIDE)
    assert FINAL == NEVER_SET_ASIDE


@pytest.mark.parametrize("failed", [{"similarity": 0.2}, {"second_start_difference_mm": 80.0}, {"converged": False}])
def test_a_match_that_failed_says_nothing_of_the_patient(failed):
    """The right patient, found at the wrong place, is no other patient: a pose set by hand is asked the same anew, and then finally."""
    assert final_of(judged(identity=0.1))
    assert final_of(judged(identity=0.1, overlap=0.3))
    assert final_of(judged(identity=0.1, **failed)) == ()


def test_the_reason_says_first_what_can_be_seen_and_the_measures_in_one_sentence():
    findings = judged(identity=0.1, similarity=0.2, overlap=0.3)
    assert reason_of(findings) == (
        f"This does not look like the patient of the plan (identity 0.1, at least {TABLE.identity_min:.3g}). The match cannot be believed: "
        f"overlap of the daily anatomy with the planning CT 0.3 (at least {TABLE.overlap_min:.3g}); "
        f"similarity of the images 0.2 (at least {TABLE.similarity_min:.3g})."
    )


def test_a_count_of_999_was_measured():
    table = msgspec.structs.replace(TABLE, samples_min=500)
    assert judge_evidence(make_match(PLAN, DAILY, samples=999), table) == ()


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
    assert len(words) == len(RULES) + 2
    assert words[0] == f"identity of the patient 0.98 (at least {TABLE.identity_min:.3g})"
    assert words[-1] == f"limits set by: {TABLE.derived_by}"
    assert "not a number" in evidence_words(make_match(PLAN, DAILY, identity=math.nan), TABLE)[0]
