import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_plan
from igrt.images.records import Structure, StructureKind
from igrt.verification.points import (
    DIRECTIONS,
    JudgedStructure,
    MatchRule,
    PointKind,
    extreme_points,
    judged_points,
    select_targets,
    smallest_ball_centre,
)
from igrt.verification.protocol import OrganTable, TargetTable
from tests.answer_cases import ISOCENTRE_MM, box, fixed_motion, make_plan, rotations

TARGET = TargetTable(kinds=("CTV", "ITV", "GTV"), names=("*",), ptv_fallback=True, missing="inform")
ORGANS = OrganTable(names=("*",), reach_mm=100.0)
AT = ISOCENTRE_MM


def judged(*structures, target=TARGET, organs=ORGANS, position=PatientPosition.HFS):
    plan = make_plan(structures, position=position)
    return judged_points(plan, fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=position), target, organs)


def test_one_target_is_matched_at_its_centroid():
    points = judged(box("CTV", "CTV", AT + np.array([5.0, 10.0, -20.0])))
    assert points.rule is MatchRule.CENTROID
    np.testing.assert_allclose(points.match_point_mm, [5.0, -20.0, -10.0], atol=1.3)  # fixed axes of HFS: L, S, -P; voxel centres
    (target,) = points.structures
    np.testing.assert_array_equal(target.points_mm[-1], points.match_point_mm)


def test_several_targets_are_matched_where_the_worst_vertex_is_nearest():
    points = judged(box("A", "CTV", AT + np.array([-40.0, 0, 0]), 5.0), box("B", "CTV", AT + np.array([40.0, 0, 0]), 5.0))
    assert points.rule is MatchRule.SEVERAL
    np.testing.assert_allclose(points.match_point_mm, [0, 0, 0], atol=0.5)
    assert [structure.name for structure in points.structures] == ["A", "B"]


def test_first_kind_of_the_protocol_that_the_plan_has_is_the_target():
    ctv, itv, gtv, ptv = (box(kind, kind, AT) for kind in ("CTV", "ITV", "GTV", "PTV"))
    assert select_targets((ptv, gtv, itv, ctv), TARGET) == ((ctv,), False)
    assert select_targets((ptv, gtv, itv), TARGET) == ((itv,), False)
    assert select_targets((ptv, gtv), TARGET) == ((gtv,), False)
    assert select_targets((ptv,), TARGET) == ((ptv,), True)


def test_a_ptv_stands_in_only_where_the_protocol_lets_it_and_is_labelled():
    ptv = box("PTV", "PTV", AT)
    assert judged(ptv).rule is MatchRule.PTV
    assert judged(ptv, box("PTV2", "PTV", AT)).rule is MatchRule.SEVERAL_PTV
    strict = TargetTable(kinds=("CTV",), names=("*",), ptv_fallback=False, missing="stop")
    assert judged(ptv, target=strict).rule is MatchRule.ISOCENTRE


def test_without_structures_the_isocentre_is_judged():
    points = judged()
    assert points.rule is MatchRule.ISOCENTRE
    np.testing.assert_allclose(points.match_point_mm, 0.0, atol=1e-12)
    (structure,) = points.structures
    assert structure.kind is PointKind.ISOCENTRE


def test_names_choose_targets_and_organs_whatever_the_case():
    target = TargetTable(kinds=("CTV",), names=("ctv_boost*",), ptv_fallback=False, missing="inform")
    points = judged(
        box("CTV_Boost1", "CTV", AT), box("CTV_low", "CTV", AT), box("Cord", "ORGAN", AT), box("Lens", "ORGAN", AT),
        target=target, organs=OrganTable(names=("CORD", "head*"), reach_mm=100.0),
    )  # fmt: skip
    assert [structure.name for structure in points.structures] == ["CTV_Boost1", "Cord"]


def test_organs_are_judged_within_reach_of_the_match_point_only():
    near, far = box("Near", "ORGAN", AT + np.array([30.0, 0, 0]), 5.0), box("Far", "ORGAN", AT + np.array([80.0, 0, 0]), 5.0)
    points = judged(box("CTV", "CTV", AT), near, far, organs=OrganTable(names=("*",), reach_mm=50.0))
    assert [structure.name for structure in points.structures] == ["CTV", "Near"]


def test_a_long_organ_is_judged_where_it_passes_the_target():
    heights = np.arange(-300.0, 301.0, 5.0)
    square = np.array([[-4.0, -4.0], [4.0, -4.0], [4.0, 4.0], [-4.0, 4.0]]) + AT[:2] + np.array([0.0, 25.0])
    cord = Structure("Cord", StructureKind.ORGAN, tuple(np.c_[square, np.full(4, AT[2] + h)] for h in heights))
    points = judged(box("CTV", "CTV", AT), cord, organs=OrganTable(names=("*",), reach_mm=60.0))
    assert [structure.name for structure in points.structures] == ["CTV", "Cord"]
    assert np.abs(points.structures[1].points_mm[:, 1]).max() == pytest.approx(50.0, abs=7.0)


def test_two_structures_of_one_name_are_told_apart():
    points = judged(box("CTV", "CTV", AT), box("CTV", "CTV", AT + np.array([30.0, 0, 0])), box("CTV", "ORGAN", AT))
    assert [structure.name for structure in points.structures] == ["CTV", "CTV (2)", "CTV (3)"]


def test_the_external_contour_is_no_organ():
    points = judged(box("CTV", "CTV", AT), box("Body", "EXTERNAL", AT, 60.0), box("Couch", "OTHER", AT, 60.0))
    assert [structure.name for structure in points.structures] == ["CTV"]


def test_points_are_judged_in_the_room_only():
    plan = make_plan()
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position)
    with pytest.raises(ValueError, match="give fixed_from_plan, not plan_from_fixed"):
        judged_points(plan, goal.inverse(), TARGET, ORGANS)


def test_a_structure_without_points_is_refused():
    with pytest.raises(ValueError, match="no point to judge"):
        JudgedStructure("empty", PointKind.ORGAN, np.empty((0, 3)))


clouds = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=(500, 3)) * [30, 20, 10])


@given(clouds, rotations())
@settings(max_examples=30)
def test_extreme_points_miss_little_of_what_grows_outward(points, rotation):
    chosen = extreme_points(points)
    assert len(chosen) <= DIRECTIONS
    linear = rotation - np.eye(3)
    assert np.linalg.norm(chosen @ linear.T, axis=1).max() >= 0.98 * np.linalg.norm(points @ linear.T, axis=1).max()


def test_very_many_vertices_are_thinned_and_lose_nothing_that_matters():
    angle = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    ring = np.column_stack([40 * np.cos(angle), 40 * np.sin(angle), np.zeros_like(angle)])
    chosen = extreme_points(ring)
    assert len(chosen) <= DIRECTIONS
    for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
        assert (sign * chosen[:, axis]).max() == pytest.approx(40.0, abs=0.5)


@given(clouds)
@settings(max_examples=10)
def test_extreme_points_are_always_the_same_points(points):
    np.testing.assert_array_equal(extreme_points(points), extreme_points(points.copy()))


@given(clouds, rotations())
@settings(max_examples=20)
def test_the_smallest_ball_turns_with_its_points(points, rotation):
    motion = fixed_motion(rotation, (7.0, -3.0, 11.0))
    radius = np.linalg.norm(points - smallest_ball_centre(points), axis=1).max()
    turned = motion.apply(points)
    assert np.linalg.norm(turned - smallest_ball_centre(turned), axis=1).max() == pytest.approx(radius, rel=1e-6)


@given(clouds, st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_no_other_centre_has_a_nearer_worst_point(points, seed):
    centre = smallest_ball_centre(points)
    radius = np.linalg.norm(points - centre, axis=1).max()
    for other in centre + np.random.default_rng(seed).normal(size=(50, 3)):
        assert np.linalg.norm(points - other, axis=1).max() >= radius * (1 - 2e-3)
