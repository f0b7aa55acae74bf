import pytest

from igrt.reports.words import (
    NOT_BORNE_OUT,
    NOT_MATCHED,
    ONE_RADIOGRAPH,
    REFUSED_OTHERWISE,
    VERDICTS,
    correction_words,
    direction,
    evidence_heading,
    evidence_rows,
    figure,
    in_plane_words,
    remedy,
    verdict_words,
)
from igrt.verification.codes import CODES
from igrt.verification.findings import Verdict

STILL = {"lateral_mm": 0.0, "longitudinal_mm": 0.0, "vertical_mm": 0.0, "pitch_deg": 0.0, "roll_deg": 0.0, "yaw_deg": 0.0}


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [(-1.25, 1, False, "−1.2"), (0.04, 1, True, "0.0"), (-0.04, 1, True, "0.0"), (2.0, 0, True, "+2"), (1234.5, 2, False, "1234.50")],
)
def test_numbers_for_reading(value, digits, sign, text):
    assert figure(value, digits, sign) == text


def test_every_verdict_has_its_words():
    assert set(VERDICTS) == set(Verdict)


def test_what_moves_is_said_and_what_rests_is_not():
    assert correction_words({**STILL, "longitudinal_mm": 5.0, "pitch_deg": -0.04}) == ("couch 5.0 mm toward gantry",)
    assert correction_words(STILL) == ("no motion of 0.1 mm or 0.1° or more",)


@pytest.mark.parametrize(("axis", "value", "words"), [("vertical", 1.0, "up"), ("vertical", -1.0, "down"), ("vertical", 0.04, "stays")])
def test_directions(axis, value, words):
    assert direction(axis, value) == words


def test_a_finding_that_asks_for_something_says_what_to_do():
    code = next(iter(CODES))
    assert remedy({"code": code, "level": "stop"}) == CODES[code].remedy + "."
    assert remedy({"code": code, "level": "inform"}) == ""
    assert remedy({"code": "of_a_later_version", "level": "stop"}) == ""


def test_a_measure_that_could_not_be_had_is_a_dash(accepted):
    missing = {**accepted["evidence"], "similarity": None, "rotation_sd_deg": [0.1, None, 0.1]}
    rows = {term: value for term, value, _ in evidence_rows(missing)}
    assert rows["Similarity"] == "–"
    assert rows["Rotation"] == "± –°"
    assert rows["Overlap"] == "99 %"


def test_what_one_radiograph_measures_stands_with_its_uncertainty():
    seen = {"across_mm": 3.04, "along_mm": -4.0, "turn_deg": 1.0, "across_sd_mm": 0.1, "along_sd_mm": 0.2, "turn_sd_deg": 0.05}
    words = in_plane_words({"in_plane": seen})
    assert words.startswith("across +3.0 ± 0.20 mm, along −4.0 ± 0.40 mm, turn +1.0 ± 0.10° (motion to make, receptor axes")
    assert words.endswith("depth N/A")
    assert in_plane_words({"in_plane": None}) == in_plane_words(None) == ""


@pytest.mark.parametrize(
    ("outcome", "verdict", "stops", "sentence", "heading"),
    [
        ("accepted", "proceed", [], VERDICTS[Verdict.PROCEED][1], "Evidence that the match is right"),
        ("accepted", "stop", ["residual_target"], VERDICTS[Verdict.STOP][1], "Evidence that the match is right"),
        ("accepted", "stop", ["residual_target", "evidence_vertebra"], NOT_BORNE_OUT, "Evidence that the pose is not borne out"),
        ("accepted", "stop", ["markers_anatomy_unknown"], NOT_BORNE_OUT, "Evidence that the pose is not borne out"),
        ("refused", "refused", ["evidence_swap"], VERDICTS[Verdict.REFUSED][1], "Evidence that the match is not to be believed"),
        ("refused", "refused", ["resetup_translation"], REFUSED_OTHERWISE, "Evidence that the match is right"),
        ("partial", "stop", [], ONE_RADIOGRAPH, "Evidence that the match is right"),
    ],
)
def test_what_the_match_lacks_is_not_called_a_tolerance_nor_the_other_way_round(outcome, verdict, stops, sentence, heading):
    findings = [{"code": code, "level": "stop"} for code in stops] + [{"code": "evidence_later", "level": "inform"}]
    answer = {"outcome": outcome, "verdict": verdict, "findings": findings, "evidence": {}}
    assert verdict_words(answer) == (VERDICTS[Verdict(verdict)][0], sentence)
    assert evidence_heading(answer) == heading


def test_what_was_refused_before_the_match_is_not_a_match_that_cannot_be_believed():
    answer = {"outcome": "refused", "verdict": "refused", "findings": [{"code": "patient_mismatch", "level": "stop"}], "evidence": None}
    assert verdict_words(answer) == ("Refused", NOT_MATCHED)
