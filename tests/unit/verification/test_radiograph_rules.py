"""Which matches of radiographs are believed, and what one radiograph alone says."""

import dataclasses
import math

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.projection import InPlane, RadiographMatch, ViewEvidence
from igrt.verification.findings import Level
from igrt.verification.protocol import Tolerance
from igrt.verification.radiograph_rules import (
    EVIDENCE,
    LEAVE_ONE_OUT_MAX_MM,
    judge_radiographs,
    partial_findings,
    radiograph_words,
    radiographs_answer,
)
from tests.answer_cases import GOOD

RIGHT = dataclasses.replace(GOOD, similarity=0.94)
PLANE = InPlane(across_mm=3.0, along_mm=-4.0, turn_deg=1.0, across_sd_mm=0.1, along_sd_mm=0.2, turn_sd_deg=0.05)
VIEWS = (ViewEvidence(0.0, 0.95, 1.0, 0.05), ViewEvidence(90.0, 0.94, 1.0, 0.04))
TOLERANCE = Tolerance(inform=3.0, warn=4.5, stop=10.0)


def match(evidence=RIGHT, *, leave_one_out_mm=0.1, in_plane=None, views=VIEWS) -> RadiographMatch:
    pose = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    return RadiographMatch(pose, np.eye(6) * 1e-4, evidence, views=views, leave_one_out_mm=leave_one_out_mm, in_plane=in_plane)


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


def test_a_right_pair_is_believed() -> None:
    assert judge_radiographs(match()) == ()
    assert radiograph_words(match())[-1] == f"move without one of the images 0.1 mm (at most {LEAVE_ONE_OUT_MAX_MM:g} mm)"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"similarity": EVIDENCE.similarity_min - 0.01}, "evidence_similarity"),
        ({"overlap": EVIDENCE.overlap_min - 0.01}, "evidence_overlap"),
        ({"observability": EVIDENCE.observability_min / 2}, "evidence_observability"),
        ({"second_start_difference_mm": 1.01}, "evidence_second_start"),
        ({"translation_sd_mm": (0.1, 0.51, 0.1)}, "evidence_translation_sd"),
        ({"rotation_sd_deg": (0.1, 0.1, math.nan)}, "evidence_not_finite"),
        ({"samples": EVIDENCE.samples_min - 1}, "evidence_samples"),
        ({"converged": False}, "evidence_not_converged"),
    ],
)
def test_every_rule_refuses(change, code) -> None:
    findings = judge_radiographs(match(dataclasses.replace(RIGHT, **change)))
    assert code in codes(findings)
    assert all(finding.level is Level.STOP for finding in findings)


@pytest.mark.parametrize("value", [1.01, 50.0, math.inf, math.nan])
def test_an_image_that_alone_holds_the_pose(value) -> None:
    findings = judge_radiographs(match(leave_one_out_mm=value))
    assert codes(findings) == ["evidence_leave_one_out"]
    assert findings[0].limit == LEAVE_ONE_OUT_MAX_MM


def test_of_one_radiograph_only_its_plane_is_judged() -> None:
    unseen_depth = dataclasses.replace(RIGHT, translation_sd_mm=(0.1, 1000.0, 0.1), rotation_sd_deg=(3.0, 3.0, 0.05))
    alone = match(unseen_depth, in_plane=PLANE, views=VIEWS[:1], leave_one_out_mm=math.nan)
    assert judge_radiographs(alone) == ()
    assert not any("without one of the images" in words for words in radiograph_words(alone))
    blurred = match(unseen_depth, in_plane=dataclasses.replace(PLANE, along_sd_mm=0.6), views=VIEWS[:1])
    assert codes(judge_radiographs(blurred)) == ["evidence_translation_sd"]
    twisted = match(unseen_depth, in_plane=dataclasses.replace(PLANE, turn_sd_deg=0.6), views=VIEWS[:1])
    assert codes(judge_radiographs(twisted)) == ["evidence_rotation_sd"]


def test_what_one_radiograph_says() -> None:
    depth, shift = partial_findings(PLANE, TOLERANCE)
    assert (depth.code, depth.level) == ("one_radiograph", Level.WARN)
    assert "+3.0 mm across and -4.0 mm along" in depth.sentence
    assert "N/A" in depth.sentence
    assert (shift.code, shift.level, shift.value) == ("setup_translation", Level.WARN, 5.0)
    assert len(partial_findings(dataclasses.replace(PLANE, across_mm=0.0, along_mm=1.0), TOLERANCE)) == 1


def test_the_record_holds_values_only_where_they_are_believed() -> None:
    alone = match(in_plane=PLANE, views=VIEWS[:1])
    assert radiographs_answer(alone, ("a.dcm",), believed=True).in_plane == PLANE
    assert radiographs_answer(alone, ("a.dcm",), believed=False).in_plane is None
    pair = radiographs_answer(match(), ("a.dcm", "b.dcm"), believed=False)
    assert [image.file for image in pair.images] == ["a.dcm", "b.dcm"]
    assert pair.leave_one_out_mm == 0.1
    with pytest.raises(ValueError, match="zip"):
        radiographs_answer(match(), ("a.dcm",), believed=False)
