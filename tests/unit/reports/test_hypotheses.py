"""Which vertebra: the table of scores, and the pictures side by side, where they must be and nowhere else."""

import dataclasses
import json

import numpy as np
import pytest

from igrt.answer import verify
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Hypothesis
from igrt.reports.html import render
from igrt.reports.hypotheses import score_rows, side_by_side
from tests.unit.reports.conftest import match
from tests.unit.reports.test_html import CREATED, Page

LEVELS = {2: 0.31, 1: 0.81, -1: 0.4, -2: 0.22}


def pose(z_mm):
    return RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array([-8.0, 0.0, z_mm]))


def matched(*, score, margin, levels=LEVELS, **evidence):
    found = match((-8.0, 0.0, 0.0))
    hypotheses = tuple(Hypothesis(level, 24.0 * level, pose(24.0 * level), value) for level, value in levels.items())
    measures = dataclasses.replace(found.evidence, vertebra_score=score, vertebra_margin=margin, **evidence)
    return dataclasses.replace(found, evidence=measures, hypotheses=hypotheses)


@pytest.fixture(scope="module")
def other_vertebra(plan, daily):
    return verify(plan, daily, matcher=lambda *_: matched(score=0.64, margin=-0.17))


@pytest.fixture(scope="module")
def planned_vertebra(plan, daily):
    return verify(plan, daily, matcher=lambda *_: matched(score=0.95, margin=0.55, levels={**LEVELS, 1: 0.4}))


def labels(page):
    return [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img"]


def rendered(answer, plan, daily):
    return Page(render(answer.to_json(), plan=plan, daily=daily, created=CREATED, compared=answer.compared))


def test_two_vertebrae_that_are_not_told_apart_stand_side_by_side(other_vertebra, plan, daily):
    page = rendered(other_vertebra, plan, daily)
    through_spine = [label for label in labels(page) if "through the spine" in label]
    assert [label.split(":")[0] for label in through_spine] == [
        "Sagittal plane through the spine, laid on the plan as planned vertebra",
        "Sagittal plane through the spine, laid on the plan as vertebra above",
        "Coronal plane through the spine, laid on the plan as planned vertebra",
        "Coronal plane through the spine, laid on the plan as vertebra above",
    ]
    assert "Planned vertebra · score 0.64" in page.text
    assert "Vertebra above · score 0.81" in page.text
    assert "This looks like the vertebra above the planned one (score 0.81 against 0.64)." in page.text


def test_the_two_pictures_of_a_plane_differ_and_show_their_poses(other_vertebra, plan, daily):
    sagittal, coronal = side_by_side(plan, daily, other_vertebra.compared)
    for row in (sagittal, coronal):
        planned, rival = row.pictures
        assert planned.uri != rival.uri
    swapped = dataclasses.replace(other_vertebra.compared, planned=other_vertebra.compared.rival)
    alike = side_by_side(plan, daily, swapped)[0].pictures
    assert alike[0].uri == alike[1].uri


def test_a_vertebra_that_leads_clearly_needs_no_second_picture(planned_vertebra, plan, daily):
    assert planned_vertebra.compared is None
    page = rendered(planned_vertebra, plan, daily)
    assert not [label for label in labels(page) if "through the spine" in label]
    assert "Which vertebra" not in page.text


def test_where_no_vertebra_fits_there_is_nothing_to_compare(plan, daily):
    answer = verify(plan, daily, matcher=lambda *_: matched(score=0.2, margin=-0.2, levels={1: 0.4}))
    assert [f.code for f in answer.findings if f.level == "stop"] == ["evidence_vertebra"]
    assert answer.compared is None


def test_another_refusal_has_no_pictures_of_vertebrae(plan, daily):
    answer = verify(plan, daily, matcher=lambda *_: matched(score=0.95, margin=0.5, similarity=0.1))
    assert answer.compared is None
    assert not [label for label in labels(rendered(answer, plan, daily)) if "through the spine" in label]


def test_no_pose_leaves_a_refused_answer(other_vertebra):
    table = other_vertebra.to_json()
    assert "compared" not in table
    assert table["plan_from_daily"] is None
    assert {key for hypothesis in table["match"]["hypotheses"] for key in hypothesis} == {"levels", "score"}
    assert "24.0" not in json.dumps(table)


def test_every_page_has_the_scores_from_the_head_down_with_the_planned_one_marked(planned_vertebra, plan, daily):
    rows = score_rows(planned_vertebra.to_json())
    assert [(row.name, row.score) for row in rows[:5]] == [
        ("Second vertebra above", 0.31),
        ("Vertebra above", 0.4),
        ("Planned vertebra", 0.95),
        ("Vertebra below", 0.4),
        ("Second vertebra below", 0.22),
    ]
    assert [row.planned for row in rows] == [False, False, True, False, False, False]
    assert (rows[5].name, rows[5].score) == ("Mirrored left to right", pytest.approx(0.25))
    assert rows[2].share == 1.0
    text = rendered(planned_vertebra, plan, daily).text
    assert all(row.name in text for row in rows)


def test_without_hypotheses_or_scores_there_is_no_table(accepted, planned_vertebra):
    assert score_rows(accepted) == ()
    table = planned_vertebra.to_json()
    assert score_rows({**table, "evidence": {**table["evidence"], "vertebra_score": None}}) == ()
    assert score_rows({**table, "evidence": None}) == ()


def test_a_score_below_zero_has_an_empty_bar(plan, daily):
    answer = verify(plan, daily, matcher=lambda *_: matched(score=0.9, margin=0.2, levels={-1: -0.3}))
    shares = {row.name: row.share for row in score_rows(answer.to_json())}
    assert shares["Vertebra below"] == 0.0
