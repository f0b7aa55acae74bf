"""Which matches of radiographs are believed, and what one radiograph alone says."""

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.projection import InPlane, RadiographMatch, ViewEvidence
from igrt.verification.findings import Level
from igrt.verification.protocol import MatchTable, ResetupTable, SetupTable, TargetPositionTable, load_protocol
from igrt.verification.radiograph_rules import (
    EVIDENCE,
    LEAVE_ONE_OUT_MAX_MM,
    beyond_resetup,
    evidence_table,
    in_plane_words,
    judge_radiographs,
    partial_findings,
    radiograph_words,
    radiographs_answer,
    target_findings,
    unrestricted_findings,
)
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import GOOD
from tests.radiograph_cases import camera

SITE = load_protocol().tables.evidence
RIGHT = dataclasses.replace(GOOD, similarity=0.94)
PLANE = InPlane(across_mm=3.0, along_mm=-4.0, turn_deg=1.0, across_sd_mm=0.1, along_sd_mm=0.2, turn_sd_deg=0.05)
VIEWS = (ViewEvidence(0.0, 0.95, 1.0, 0.05), ViewEvidence(90.0, 0.94, 1.0, 0.04))
SETUP = SetupTable(
    scan_offset_mm=(0.0, 0.0, 0.0),
    translation_mm=Tolerance(inform=3.0, warn=4.5, stop=10.0),
    rotation_deg=Tolerance(inform=1.5, warn=2.5, stop=4.0),
)
RESETUP = ResetupTable(translation_mm=50.0, rotation_deg=10.0)


def match(evidence=RIGHT, *, leave_one_out_mm=0.1, in_plane=None, views=VIEWS) -> RadiographMatch:
    pose = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    return RadiographMatch(pose, np.eye(6) * 1e-4, evidence, views=views, leave_one_out_mm=leave_one_out_mm, in_plane=in_plane)


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


def test_a_right_pair_is_believed() -> None:
    assert judge_radiographs(match(), SITE) == ()
    assert radiograph_words(match(), SITE)[-1] == f"move without one of the images 0.1 mm (at most {LEAVE_ONE_OUT_MAX_MM:g} mm)"


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
    findings = judge_radiographs(match(dataclasses.replace(RIGHT, **change)), SITE)
    assert code in codes(findings)
    assert all(finding.level is Level.STOP for finding in findings)


@pytest.mark.parametrize("value", [1.01, 50.0, math.inf, math.nan])
def test_an_image_that_alone_holds_the_pose(value) -> None:
    findings = judge_radiographs(match(leave_one_out_mm=value), SITE)
    assert codes(findings) == ["evidence_leave_one_out"]
    assert findings[0].limit == LEAVE_ONE_OUT_MAX_MM


def test_of_one_radiograph_only_its_plane_is_judged() -> None:
    unseen_depth = dataclasses.replace(RIGHT, translation_sd_mm=(0.1, 1000.0, 0.1), rotation_sd_deg=(3.0, 3.0, 0.05))
    alone = match(unseen_depth, in_plane=PLANE, views=VIEWS[:1], leave_one_out_mm=math.nan)
    assert judge_radiographs(alone, SITE) == ()
    assert not any("without one of the images" in words for words in radiograph_words(alone, SITE))
    blurred = match(unseen_depth, in_plane=dataclasses.replace(PLANE, along_sd_mm=0.6), views=VIEWS[:1])
    assert codes(judge_radiographs(blurred, SITE)) == ["evidence_translation_sd"]
    twisted = match(unseen_depth, in_plane=dataclasses.replace(PLANE, turn_sd_deg=0.6), views=VIEWS[:1])
    assert codes(judge_radiographs(twisted, SITE)) == ["evidence_rotation_sd"]


def test_what_one_radiograph_says() -> None:
    depth, shift = partial_findings(PLANE, camera(0.0), SETUP)
    assert (depth.code, depth.level) == ("one_radiograph", Level.WARN)
    assert depth.sentence == (
        "One radiograph asks for couch 3.0 mm to the right, seen facing the gantry, couch 4.0 mm away from gantry, "
        "yaw 1.0° counter-clockwise seen from above; the depth, along the beam, is N/A."
    )
    assert (shift.code, shift.level, shift.value) == ("setup_translation", Level.WARN, 5.0)
    right = dataclasses.replace(PLANE, across_mm=0.04, along_mm=-0.04, turn_deg=0.0)
    (depth,) = partial_findings(right, camera(0.0), SETUP)
    assert "asks for no motion of 0.1 mm or 0.1° or more; the depth" in depth.sentence


@pytest.mark.parametrize(
    ("source_deg", "across_mm", "turn_deg", "words"),
    [  # what the receptor shows of one patient from both sides
        (0.0, 3.0, 1.0, "couch 3.0 mm to the right, seen facing the gantry, yaw 1.0° counter-clockwise seen from above"),
        (180.0, -3.0, -1.0, "couch 3.0 mm to the right, seen facing the gantry, yaw 1.0° counter-clockwise seen from above"),
        (90.0, -3.0, 1.0, "couch 3.0 mm up, pitch 1.0° gantry end up"),
        (270.0, 3.0, -1.0, "couch 3.0 mm up, pitch 1.0° gantry end up"),
    ],
)
def test_the_rooms_words_are_the_same_from_both_sides(source_deg, across_mm, turn_deg, words) -> None:
    seen = dataclasses.replace(PLANE, across_mm=across_mm, along_mm=0.0, turn_deg=turn_deg)
    assert in_plane_words(seen, camera(source_deg)) == words


def test_a_turned_receptor_says_the_same() -> None:
    """Of a receptor turned by 90 degrees, +x is toward the gantry and +y to the left."""
    turned = dataclasses.replace(camera(0.0), receptor_angle_deg=90.0)
    seen = dataclasses.replace(PLANE, across_mm=PLANE.along_mm, along_mm=-PLANE.across_mm)
    assert in_plane_words(seen, turned) == in_plane_words(PLANE, camera(0.0))


@pytest.mark.parametrize(("turn_deg", "level"), [(1.5, None), (-1.6, Level.INFORM), (-2.6, Level.WARN), (4.1, Level.STOP)])
def test_a_turn_that_one_radiograph_shows_is_judged(turn_deg, level) -> None:
    still = dataclasses.replace(PLANE, across_mm=0.0, along_mm=0.0, turn_deg=turn_deg)
    turned = partial_findings(still, camera(0.0), SETUP)[1:]
    assert [(finding.code, finding.level) for finding in turned] == ([("setup_rotation", level)] if level else [])


def test_beyond_the_resetup_limit() -> None:
    assert beyond_resetup(PLANE, RESETUP) == ()
    assert beyond_resetup(dataclasses.replace(PLANE, across_mm=30.0, along_mm=-40.0, turn_deg=-10.0), RESETUP) == ()
    far = beyond_resetup(dataclasses.replace(PLANE, across_mm=-51.0, turn_deg=-10.1), RESETUP)
    assert [(f.code, f.level, f.limit) for f in far] == [
        ("resetup_translation", Level.STOP, 50.0),
        ("resetup_rotation", Level.STOP, 10.0),
    ]


@pytest.mark.parametrize("table", [MatchTable(mode="bone"), MatchTable(region="target"), MatchTable(freedom="translations")])
def test_a_restricted_match_is_not_made_and_said(table) -> None:
    (finding,) = unrestricted_findings(table)
    assert (finding.code, finding.level) == ("match_unrestricted", Level.INFORM)
    assert "radiographs are matched whole and grey" in finding.sentence
    assert unrestricted_findings(MatchTable()) == ()


def test_the_soft_tissue_of_the_target_is_not_shown() -> None:
    tolerance = Tolerance(inform=1.0, warn=2.0, stop=3.0)
    (finding,) = target_findings(MatchTable(target_position=TargetPositionTable(margin_mm=5.0, tolerance_mm=tolerance)))
    assert (finding.code, finding.level) == ("target_position_unknown", Level.WARN)
    assert target_findings(MatchTable()) == ()


@pytest.mark.parametrize(
    ("stricter", "laxer", "code"),
    [
        ({"translation_sd_max_mm": 0.015}, {"translation_sd_max_mm": 5.0}, "evidence_translation_sd"),
        ({"rotation_sd_max_deg": 0.005}, {"rotation_sd_max_deg": 5.0}, "evidence_rotation_sd"),
        ({"second_start_difference_max_mm": 0.01}, {"second_start_difference_max_mm": 5.0}, "evidence_second_start"),
        ({"observability_min": 0.3}, {"observability_min": 0.0}, "evidence_observability"),
        ({"samples_min": 30_000}, {"samples_min": 1}, "evidence_samples"),
    ],
)
def test_a_site_tightens_the_evidence_and_never_loosens_it(stricter, laxer, code) -> None:
    site = msgspec.structs.replace(SITE, **stricter)
    assert codes(judge_radiographs(match(), site)) == [code]
    loosened = evidence_table(msgspec.structs.replace(SITE, **laxer))
    assert {key: getattr(loosened, key) for key in EVIDENCE._fields} == EVIDENCE._asdict()


def test_similarity_and_overlap_are_on_a_scale_of_their_own() -> None:
    site = msgspec.structs.replace(SITE, similarity_min=0.99, overlap_min=0.995, inliers_min=0.99)
    assert judge_radiographs(match(), site) == ()


def test_the_record_holds_values_only_where_they_are_believed() -> None:
    alone = match(in_plane=PLANE, views=VIEWS[:1])
    assert radiographs_answer(alone, ("a.dcm",), believed=True).in_plane == PLANE
    assert radiographs_answer(alone, ("a.dcm",), believed=False).in_plane is None
    pair = radiographs_answer(match(), ("a.dcm", "b.dcm"), believed=False)
    assert [image.file for image in pair.images] == ["a.dcm", "b.dcm"]
    assert pair.leave_one_out_mm == 0.1
    with pytest.raises(ValueError, match="zip"):
        radiographs_answer(match(), ("a.dcm",), believed=False)
