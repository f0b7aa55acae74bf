"""Markers are believed by rule; what is not a number, ambiguous or lacking never is."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from igrt.errors import InputError
from igrt.registration.marker_pattern import Candidate, PatternLimits
from igrt.registration.markers import MarkerSight, Problem, match_candidates
from igrt.verification.findings import Level
from igrt.verification.marker_rules import RULES, judge_markers, target_unsought
from igrt.verification.match_choice import resting_on
from igrt.verification.protocol import MatchTable, load_protocol
from tests.marker_cases import ISOCENTRE_MM, PLACES_MM
from tests.unit.registration.test_markers import START, plan_of

TABLE = msgspec.structs.replace(load_protocol("prostate_markers").tables.markers, count=4, missing_max=1)
PLACES = ISOCENTRE_MM + PLACES_MM


def sight(found_mm=PLACES) -> MarkerSight:
    candidates = tuple(Candidate(place, np.eye(3) * 0.04, 10.0) for place in found_mm)
    return match_candidates(plan_of(PLACES), candidates, start=START, isocentre_mm=ISOCENTRE_MM, limits=PatternLimits())


def judged(seen=None, table=TABLE, *, decides=True, anatomy=None, lacks="It is not there."):
    return judge_markers(seen or sight(), table, decides=decides, anatomy=anatomy, anatomy_lacks=lacks)


def codes(findings):
    return [finding.code for finding in findings]


def test_what_fits_is_believed() -> None:
    answer = judged(anatomy=sight().match)
    assert answer.refusing == ()
    assert answer.answer.matched == 4
    assert answer.answer.anatomy_difference_mm == pytest.approx(0.0, abs=1e-9)
    assert codes(answer.findings) == ["markers_anatomy"]
    assert len(answer.words) == len(RULES) + 2


@pytest.mark.parametrize("measure", ["fre_mm", "leave_one_out_mm"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 99.0])
def test_a_measure_beyond_its_limit_or_no_number_refuses(measure, value) -> None:
    seen = sight()
    answer = judged(replace(seen, match=replace(seen.match, **{measure: value})))
    assert len(answer.refusing) == 1
    assert answer.refusing[0].level is Level.STOP
    assert answer.answer.anatomy_difference_mm is None


def test_a_match_that_is_not_believed_tells_nothing_of_single_markers() -> None:
    seen = sight(PLACES + np.array([[0, 0, 9.0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]))
    wrong = replace(seen, match=replace(seen.match, fre_mm=99.0))
    assert codes(judged(wrong).findings) == ["markers_fre"]
    beside = judged(wrong, decides=False, anatomy=sight().match)
    assert codes(beside.findings) == ["markers_unknown"]


def test_what_lies_where_a_marker_may_have_gone_is_not_said_to_be_it() -> None:
    moved = PLACES + np.array([[0, 0, 9.0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    told = next(finding for finding in judged(sight(moved)).findings if finding.code == "marker_migrated")
    assert "what looks like it lies 9.0 mm off" in told.sentence


@pytest.mark.parametrize(
    ("measure", "code"), [("translation_sd_mm", "evidence_translation_sd"), ("rotation_sd_deg", "evidence_rotation_sd")]
)
@pytest.mark.parametrize("value", [math.nan, -1.0, 99.0])
def test_a_deviation_beyond_its_limit_or_none_refuses(measure, code, value) -> None:
    seen = sight()
    evidence = replace(seen.match.evidence, **{measure: (0.1, value, 0.1)})
    assert codes(judged(replace(seen, match=replace(seen.match, evidence=evidence))).refusing) == [code]


@pytest.mark.parametrize("problem", list(Problem))
def test_every_problem_refuses_and_beside_the_anatomy_it_warns(problem) -> None:
    seen = MarkerSight(plan_of(PLACES), 7, problem=problem)
    assert judged(seen).refusing
    beside = judged(seen, decides=False)
    assert beside.refusing == ()
    assert codes(beside.findings) == ["markers_unknown"]
    assert beside.findings[0].level is Level.WARN


def test_a_migrated_marker_is_a_stop_and_more_than_allowed_refuse() -> None:
    moved = PLACES + np.array([[0, 0, 9.0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    answer = judged(sight(moved))
    migrated = [finding for finding in answer.findings if finding.code == "marker_migrated"]
    assert [finding.level for finding in migrated] == [Level.STOP]
    assert migrated[0].value == pytest.approx(9.0, abs=0.01)
    assert codes(judged(sight(moved), msgspec.structs.replace(TABLE, missing_max=0)).refusing) == ["markers_lacking"]


def test_a_missing_marker_warns() -> None:
    lost = [finding for finding in judged(sight(PLACES[1:])).findings if finding.code == "marker_missing"]
    assert [finding.level for finding in lost] == [Level.WARN]


def test_another_number_in_the_planning_ct_refuses() -> None:
    assert codes(judged(table=msgspec.structs.replace(TABLE, count=5)).refusing) == ["markers_planned"]


def test_an_anatomy_without_a_pose_stops_for_nothing_else_says_whose_markers_they_are() -> None:
    assert codes(judged().findings) == ["markers_anatomy_unknown"]
    assert judged().findings[0].level is Level.STOP
    assert judged().refusing == ()


def test_what_the_correction_rests_on_is_chosen_only_where_there_are_markers() -> None:
    assert resting_on(load_protocol("prostate_markers"), "anatomy").tables.markers.decide == "anatomy"
    with pytest.raises(InputError, match="no table"):
        resting_on(load_protocol("pelvis"), "markers")


def test_soft_tissue_that_was_not_sought_is_told() -> None:
    assert codes(target_unsought(load_protocol("pelvis").tables.match)) == ["target_position_unknown"]
    assert target_unsought(MatchTable()) == ()
