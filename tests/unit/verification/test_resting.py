"""What nobody sets aside, markers do not set aside either."""

from types import SimpleNamespace

import pytest

from igrt.verification.case import Setting, case_of
from igrt.verification.findings import Override
from igrt.verification.judgement import judge_facts
from igrt.verification.marker_rules import MarkersAnswer, MarkersJudged
from igrt.verification.matching import Matched
from igrt.verification.resting import judge_resting
from tests.answer_cases import ISOCENTRE_MM, NOW, make_daily, make_match, make_plan

PLAN, DAILY = make_plan(), make_daily()
GOOD = make_match(PLAN, DAILY)


def resting(**anatomy):
    """Of markers that hold in every way, beside an anatomy with this evidence."""
    case = case_of(PLAN, DAILY, Setting(now=NOW))
    said = MarkersAnswer(
        decides=True, reason="", planned=4, matched=4, candidates=4, fre_mm=0.1, leave_one_out_mm=0.1, markers=(), extra_mm=(),
        anatomy_difference_mm=None,
    )  # fmt: skip
    look = SimpleNamespace(decides=True, match=GOOD, judge=lambda _match, _lacks: MarkersJudged((), (), (), said))
    judgement, _ = judge_resting(case, Matched(make_match(PLAN, DAILY, **anatomy), ISOCENTRE_MM), judge_facts(case), look)
    return judgement


@pytest.mark.parametrize("anatomy", [{}, {"similarity": 0.2}, {"vertebra_margin": -0.2}], ids=str)
def test_markers_that_hold_decide(anatomy):
    assert resting(**anatomy).proposal is not None


@pytest.mark.parametrize("lacking", [{"identity": 0.1}, {"mirror_margin": -0.2}, {"stretch": 0.06}], ids=str)
@pytest.mark.parametrize("failed", [{}, {"similarity": 0.2}, {"converged": False}, {"second_start_difference_mm": 80.0}], ids=str)
def test_another_patient_side_or_size_is_refused_whatever_the_markers_say(lacking, failed):
    judgement = resting(**lacking, **failed)
    assert judgement.proposal is None
    (refusing,) = judgement.refusing
    assert refusing.code.removeprefix("evidence_") in next(iter(lacking))
    # A pose set by hand is asked the same anew; markers are not.
    assert judgement.override is (Override.MANUAL_POSE if failed else Override.NONE)
