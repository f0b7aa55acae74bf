"""X-ray cameras against the formulas of DICOM PS3.3 C.8.8.2 written out by hand, in float64."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily


def camera(**changes) -> XrayCamera:
    values = {
        "source_angle_deg": 0.0,
        "sad_mm": 1000.0,
        "receptor_translation_mm": (0.0, 0.0, -500.0),
        "receptor_angle_deg": 0.0,
        "first_pixel_mm": (-198.268, 148.604),
        "spacing_mm": (0.776, 0.776),
        "shape": (384, 512),
        "orientation": DEFAULT_ORIENTATION,
    }
    return XrayCamera(**{**values, **changes})


def by_hand(i, j, *, angle_deg, t, receptor_deg, first, spacing) -> np.ndarray:
    """f = Ry(angle) [T + Rz(receptor angle) (X0 + i s2, Y0 - j s1, 0)], entry by entry."""
    x, y = first[0] + i * spacing[1], first[1] - j * spacing[0]
    c, s = math.cos(math.radians(receptor_deg)), math.sin(math.radians(receptor_deg))
    gx, gy, gz = t[0] + c * x - s * y, t[1] + s * x + c * y, t[2]
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([c * gx + s * gz, gy, -s * gx + c * gz])


angles = st.floats(-180, 180)
shifts = st.floats(-200, 200)


@settings(max_examples=50)
@given(angle=angles, receptor=st.floats(-90, 90), tx=shifts, ty=shifts, i=st.floats(-50, 600), j=st.floats(-50, 600))
def test_pixels_lie_where_the_standard_says(angle, receptor, tx, ty, i, j) -> None:
    t, first, spacing = (tx, ty, -480.0), (-190.0, 160.0), (0.7, 0.9)
    c = camera(source_angle_deg=angle, receptor_translation_mm=t, receptor_angle_deg=receptor, first_pixel_mm=first, spacing_mm=spacing)
    expected = by_hand(i, j, angle_deg=angle, t=t, receptor_deg=receptor, first=first, spacing=spacing)
    np.testing.assert_allclose(c.fixed_of_pixel([i, j]), expected, atol=1e-9)


@settings(max_examples=50)
@given(angle=angles, receptor=st.floats(-90, 90), i=st.floats(0, 511), j=st.floats(0, 383), share=st.floats(0.05, 1.5))
def test_any_point_of_a_ray_projects_to_its_pixel(angle, receptor, i, j, share) -> None:
    c = camera(source_angle_deg=angle, receptor_angle_deg=receptor, receptor_translation_mm=(12.0, -7.0, -500.0))
    source = c.source_fixed_mm
    point = source + share * (c.fixed_of_pixel([i, j]) - source)
    np.testing.assert_allclose(c.pixel_of(point), [i, j], atol=1e-7)


def test_projection_is_sid_over_depth() -> None:
    """(u, v) = SID / (SAD - x3) (x1, x2) for x = Ry(-angle) f."""
    u, v = camera(source_angle_deg=90.0).receptor_of([30.0, 20.0, -40.0])  # gantry axes (40, 20, 30)
    np.testing.assert_allclose([u, v], [1500 / 970 * 40, 1500 / 970 * 20], atol=1e-9)


@pytest.mark.parametrize(("angle_deg", "source"), [(0, (0, 0, 1000)), (90, (1000, 0, 0)), (180, (0, 0, -1000)), (270, (-1000, 0, 0))])
def test_source_turns_clockwise_seen_facing_the_gantry(angle_deg, source) -> None:
    np.testing.assert_allclose(camera(source_angle_deg=angle_deg).source_fixed_mm, source, atol=1e-9)


def test_the_isocentre_is_in_the_middle_of_a_centred_panel() -> None:
    c = camera(source_angle_deg=33.0)
    np.testing.assert_allclose(c.pixel_of([0.0, 0.0, 0.0]), [255.5, 191.5], atol=1e-9)


def test_the_truth_files_geometry() -> None:
    """The first pixel and axes of the lateral radiograph of a chest, as its generator states them in fixed axes."""
    c = camera(source_angle_deg=270.0)
    np.testing.assert_allclose(c.first_pixel_fixed_mm, [500.0, 148.604, -198.268], atol=1e-9)
    np.testing.assert_allclose(c.column_step_fixed_mm / 0.776, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(c.row_step_fixed_mm / 0.776, [0, -1, 0], atol=1e-12)


def test_a_moved_panel_moves_the_shadow_the_other_way() -> None:
    """A panel moved by +2 along x sees everything 2 mm toward -x of its own axes."""
    still, moved = camera(), camera(receptor_translation_mm=(2.0, 0.0, -500.0))
    np.testing.assert_allclose(moved.receptor_of([5, 6, 7]) - still.receptor_of([5, 6, 7]), [-2, 0], atol=1e-12)
    np.testing.assert_allclose(moved.pixel_of([5, 6, 7]) - still.pixel_of([5, 6, 7]), [-2 / 0.776, 0], atol=1e-12)


def test_orientation_mirrors_the_rows() -> None:
    upward = camera(orientation=(1, 0, 0, 0, 1, 0), first_pixel_mm=(-198.268, -148.604))
    column, row = camera().pixel_of([3.0, 40.0, 9.0])
    np.testing.assert_allclose(upward.pixel_of([3.0, 40.0, 9.0]), [column, 383 - row], atol=1e-9)


@pytest.mark.parametrize("position", list(PatientPosition))
def test_a_plan_point_of_a_shifted_patient(position) -> None:
    """A patient who lies 10 mm toward the gantry shows every point 15 mm higher on a panel at magnification 1.5."""
    isocentre = np.array([12.0, -34.0, 56.0])
    room = fixed_from_daily(isocentre_mm=isocentre, position=position)
    shift = position.fixed_from_lps.T @ [0.0, 10.0, 0.0]  # of the patient, in daily LPS: p = q - shift
    lying = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), -shift)
    c = camera(source_angle_deg=-70.0)
    at_home = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    there, here = (c.pixel_of_plan(isocentre, fixed_from_daily=room, plan_from_daily=pose) for pose in (lying, at_home))
    np.testing.assert_allclose(there - here, [0.0, -15.0 / 0.776], atol=1e-9)


def test_nothing_behind_the_source_is_seen() -> None:
    assert np.isnan(camera().pixel_of([[0, 0, 1000.0], [0, 0, 1200.0]])).all()


def test_view_axis_points_to_the_source() -> None:
    c = camera(source_angle_deg=120.0)
    np.testing.assert_allclose(c.view_axis_fixed, c.source_fixed_mm / 1000, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"receptor_translation_mm": (0, 0, 1000)}, "beyond the source"),
        ({"receptor_translation_mm": (0, math.nan, -500)}, "not finite"),
        ({"sad_mm": 0.0}, "sad_mm"),
        ({"spacing_mm": (0.5, 0.0)}, "spacing_mm"),
        ({"shape": (1, 512)}, "shape"),
        ({"orientation": (1, 0, 0, 1, 0, 0)}, "orthonormal"),
        ({"orientation": (0, 0, 1, 0, -1, 0)}, "orthonormal"),
        ({"source_angle_deg": math.inf}, "finite"),
    ],
)
def test_what_is_no_camera_is_refused(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        camera(**changes)


def test_an_oblique_pose_against_matrices() -> None:
    """Homogeneous matrices written out, for a turned patient and an odd panel."""
    turn = rotation_from_angles(pitch_deg=3, roll_deg=-2, yaw_deg=5)
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, turn, np.array([4.0, -6.0, 9.0]))
    room = fixed_from_daily(isocentre_mm=[1.0, 2.0, 3.0], position=PatientPosition.FFP)
    c = camera(source_angle_deg=200.0, receptor_angle_deg=10.0, receptor_translation_mm=(3.0, -4.0, -520.0))
    p = np.array([20.0, -30.0, 40.0])
    f = PatientPosition.FFP.fixed_from_lps @ (turn.T @ (p - pose.translation_mm) - [1.0, 2.0, 3.0])
    a = math.radians(200.0)
    g = np.array([math.cos(a) * f[0] - math.sin(a) * f[2], f[1], math.sin(a) * f[0] + math.cos(a) * f[2]])
    u, v = 1520 / (1000 - g[2]) * g[:2] - [3.0, -4.0]
    b = math.radians(10.0)
    x, y = math.cos(b) * u + math.sin(b) * v, -math.sin(b) * u + math.cos(b) * v
    expected = [(x + 198.268) / 0.776, (148.604 - y) / 0.776]
    np.testing.assert_allclose(c.pixel_of_plan(p, fixed_from_daily=room, plan_from_daily=pose), expected, atol=1e-9)
