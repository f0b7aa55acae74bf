import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.couch import CouchPosition
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_plan
from igrt.verification.correction import (
    CHI_SQUARED_95,
    covariance_in_fixed,
    propose,
    uncertainty95_mm,
    whole_angle_deg,
    without_scan_offset,
)
from igrt.verification.machine import load_machine
from igrt.verification.points import PointKind, judged_points
from igrt.verification.protocol import load_protocol
from tests.answer_cases import ISOCENTRE_MM, box, corrections, fixed_motion, make_plan, rotations, still

COUCH6, COUCH4, COUCH3 = (load_machine(name).couch for name in ("c-arm-6dof", "c-arm-4dof", "c-arm-3dof"))
START = CouchPosition(lateral_mm=5.0, longitudinal_mm=700.0, vertical_mm=-120.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
SMALL = np.diag([0.02**2] * 3 + [np.radians(0.02) ** 2] * 3)


def proposal(correction, *, couch=COUCH6, start=START, structures=None, covariance=SMALL, offset=(0.0, 0.0, 0.0), table_angle_deg=0.0):
    plan = make_plan(structures)
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=table_angle_deg)
    tables = load_protocol().tables
    return propose(
        correction.motion,
        covariance,
        points=judged_points(plan, goal, tables.target, tables.organs),
        fixed_from_plan=goal,
        couch=couch,
        couch_start=start,
        table_angle_deg=table_angle_deg,
        scan_offset_mm=offset,
    )


def of(result, name):
    return next(residual for residual in result.residuals if residual.name == name)


@given(corrections())
@settings(max_examples=30)
def test_the_match_point_comes_home_up_to_half_a_step(correction):
    for couch, half_step_mm in ((COUCH6, 0.05), (COUCH4, 0.05), (COUCH3, 0.5)):
        centroid = of(proposal(correction, couch=couch), "CTV, centroid")
        assert centroid.residual_mm <= np.sqrt(3) * half_step_mm + 1e-6


@given(corrections(turn_deg=2.5))
@settings(max_examples=30)
def test_a_couch_of_more_degrees_of_freedom_leaves_less_up_to_its_steps(correction):
    worst = [max(r.residual_mm for r in proposal(correction, couch=couch).residuals) for couch in (COUCH6, COUCH4, COUCH3)]
    assert worst[0] <= worst[1] + 0.2
    assert worst[1] <= worst[2] + 1.0


def test_a_couch_of_three_leaves_what_the_rotation_makes_of_the_distance():
    organ = box("Organ", "ORGAN", ISOCENTRE_MM + np.array([50.0, 0, 0]), 1.0)
    result = proposal(still(yaw_deg=2.0), couch=COUCH3, structures=(box("CTV", "CTV", ISOCENTRE_MM, 1.25), organ))
    assert of(result, "Organ, worst point").residual_mm == pytest.approx(2 * np.sin(np.radians(1.0)) * 51.0, abs=0.1)


def test_a_turn_beyond_the_couchs_limit_is_left_over_and_named():
    result = proposal(still(pitch_deg=4.0))
    assert result.couch.limited == ("pitch",)
    assert result.couch.target.pitch_deg == pytest.approx(3.0)
    assert of(result, "CTV, worst point").residual_mm == pytest.approx(np.radians(1.0) * np.hypot(10, 10), abs=0.12)
    assert result.correction.pitch_deg == pytest.approx(4.0)


def test_without_a_start_there_is_no_target():
    couch = proposal(still(lateral_mm=5.0), start=None).couch
    assert (couch.target, couch.delta) == (None, None)
    assert couch.made.lateral_mm == pytest.approx(5.0)
    assert any("5.0 mm to the right" in words for words in couch.words)


@given(corrections(), st.tuples(*[st.floats(-60, 60)] * 3))
@settings(max_examples=40)
def test_an_intended_shift_is_taken_out_of_the_set_up_and_not_of_the_correction(setup, offset):
    shifted = setup.motion @ fixed_motion(np.eye(3), offset)
    left = without_scan_offset(shifted, offset)
    np.testing.assert_allclose(left.matrix, setup.motion.matrix, atol=1e-9)


def test_a_pure_intended_shift_is_no_set_up_error():
    result = proposal(still(lateral_mm=60.0, vertical_mm=-30.0), offset=(60.0, 0.0, -30.0))
    assert result.setup.lateral_mm == pytest.approx(0.0, abs=1e-9)
    assert result.correction.lateral_mm == pytest.approx(60.0)
    assert result.couch.delta.lateral_mm == pytest.approx(60.0)


def spread(seed):
    root = np.random.default_rng(seed).normal(size=(6, 6)) * np.array([0.3, 0.2, 0.1, 0.004, 0.002, 0.003])[:, None]
    return root @ root.T


seeds = st.integers(0, 2**32 - 1)


@given(seeds, rotations())
@settings(max_examples=40)
def test_the_uncertainty_does_not_depend_on_the_axes(seed, rotation):
    points = np.random.default_rng(seed).normal(size=(20, 3)) * 50
    turn = np.kron(np.eye(2), rotation)
    turned = uncertainty95_mm(turn @ spread(seed) @ turn.T, points @ rotation.T)
    np.testing.assert_allclose(turned, uncertainty95_mm(spread(seed), points), rtol=1e-9)


@given(seeds, st.sampled_from(PatientPosition), st.floats(-90, 90))
@settings(max_examples=40)
def test_the_covariance_turns_as_the_points_do(seed, position, angle):
    goal = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=position, table_angle_deg=angle)
    points = ISOCENTRE_MM + np.random.default_rng(seed).normal(size=(20, 3)) * 50
    in_room = uncertainty95_mm(covariance_in_fixed(spread(seed), goal), goal.apply(points))
    np.testing.assert_allclose(in_room, uncertainty95_mm(spread(seed), points - ISOCENTRE_MM), rtol=1e-9)


def test_the_radius_holds_the_point_in_95_percent_of_poses():
    rng = np.random.default_rng(1)
    covariance, point = spread(3), np.array([[60.0, -40.0, 30.0]])
    radius = uncertainty95_mm(covariance, point)[0]
    draws = rng.multivariate_normal(np.zeros(6), covariance, size=20_000)
    moved = draws[:, :3] + np.cross(draws[:, 3:], point)
    assert (np.linalg.norm(moved, axis=1) <= radius).mean() >= 0.95


def test_an_isotropic_shift_has_the_radius_of_the_chi_squared_law():
    covariance = np.diag([0.5**2] * 3 + [0.0] * 3)
    np.testing.assert_allclose(uncertainty95_mm(covariance, np.array([[10.0, 20.0, 30.0]])), 0.5 * np.sqrt(CHI_SQUARED_95))


def test_a_rotation_of_half_a_degree_at_50_mm_is_0_436_mm_of_standard_deviation():
    covariance = np.diag([0, 0, 0, 0, 0, np.radians(0.5) ** 2])
    sd = uncertainty95_mm(covariance, np.array([[50.0, 0, 0]]))[0] / np.sqrt(CHI_SQUARED_95)
    assert sd == pytest.approx(0.436, abs=5e-4)


@given(corrections())
@settings(max_examples=30)
def test_more_uncertainty_is_never_less_to_tolerate(correction):
    sure, unsure = proposal(correction), proposal(correction, covariance=4 * SMALL)
    for residual in sure.residuals:
        same = next(r for r in unsure.residuals if r.name == residual.name)
        assert same.total_mm >= residual.total_mm - 1e-12


@given(rotations())
@settings(max_examples=40)
def test_the_whole_angle_is_the_angle_of_the_trace(rotation):
    expected = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    assert whole_angle_deg(rotation) == pytest.approx(expected, abs=1e-5)


def test_each_target_has_centroid_and_worst_point_and_each_organ_its_worst():
    result = proposal(still(yaw_deg=1.0))
    assert [r.name for r in result.residuals] == ["CTV, centroid", "CTV, worst point", "Cord, worst point"]
    assert [r.kind for r in result.residuals] == [PointKind.TARGET, PointKind.TARGET, PointKind.ORGAN]


def test_the_match_point_is_given_in_plan_coordinates():
    result = proposal(still(), table_angle_deg=30.0, start=None)
    np.testing.assert_allclose(result.match_point.position_mm, ISOCENTRE_MM, atol=1.3)
