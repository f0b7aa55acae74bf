"""What one frame shows of a moved patient: right within its plane, and nothing where it cannot be judged."""

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.marker_tracking import SeenDisplacement, track_markers, track_template
from tests.marker_cases import FIXED_FROM_DAILY, ISOCENTRE_MM, KIND, PLACES_MM, camera, integrals, motion, seeds

STILL = motion(shift_mm=(0.0, 0.0, 0.0), pitch=0, roll=0, yaw=0)
VERIFIED_MM = FIXED_FROM_DAILY.apply(ISOCENTRE_MM + PLACES_MM)


def moved(fixed_mm) -> RigidMotion:
    """The pose of a patient who has moved by so much in the room."""
    in_daily = FIXED_FROM_DAILY.inverse().turn(np.asarray(fixed_mm, float))
    return RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), -in_daily)


def frame(fixed_mm, angle, markers=None, noise=0.01):
    return integrals(moved(fixed_mm), [camera(angle)], markers, noise=noise)[0]


def open_(image):
    return np.ones(image.shape, bool)


def follow(image, angle, seen=None) -> SeenDisplacement | None:
    return track_markers(image, open_(image) if seen is None else seen, camera(angle), KIND, verified_fixed_mm=VERIFIED_MM)


@pytest.mark.parametrize("angle", [0.0, 90.0, 215.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (3.0, -2.0, 1.5), (-1.0, 5.0, -4.0)])
def test_a_known_displacement_is_seen_in_the_plane(angle, shift) -> None:
    found = follow(frame(shift, angle), angle)
    receptor = camera(angle).fixed_from_receptor
    right = [float(np.dot(shift, receptor.turn(axis))) for axis in ([1.0, 0, 0], [0, 1.0, 0])]
    np.testing.assert_allclose([found.across_mm, found.along_mm], right, atol=0.3)
    assert found.finite
    assert found.support >= 3
    np.testing.assert_allclose(found.unseen, camera(angle).view_axis_fixed, atol=1e-12)


def test_what_moves_along_the_beam_is_not_seen() -> None:
    found = follow(frame((0.0, 0.0, 8.0), 0.0), 0.0)
    assert found.length_mm < 0.4
    np.testing.assert_allclose(found.unseen, (0.0, 0.0, 1.0), atol=1e-12)


def test_a_patient_without_markers_is_not_judged() -> None:
    assert follow(frame((0, 0, 0), 0.0, markers=[]), 0.0) is None


def test_one_marker_alone_is_not_judged() -> None:
    assert follow(frame((0, 0, 0), 0.0, markers=seeds()[:1]), 0.0) is None


def test_a_blank_or_spoiled_frame_is_not_judged() -> None:
    image = frame((0, 0, 0), 0.0)
    assert follow(np.full_like(image, np.nan), 0.0) is None
    assert follow(np.zeros_like(image), 0.0) is None
    assert follow(image, 0.0, seen=np.zeros(image.shape, bool)) is None


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (3.0, -4.0, 0.0)])
def test_a_region_is_followed_by_its_template(shift) -> None:
    template = frame((0, 0, 0), 0.0, noise=0.0)
    image = frame(shift, 0.0)
    found = track_template(image, open_(image), template, camera(0.0), centre_fixed_mm=np.array([0.0, 10.0, 0.0]), half_mm=30.0)
    np.testing.assert_allclose([found.across_mm, found.along_mm], shift[:2], atol=0.4)
    assert found.support == 0


def test_a_template_that_resembles_nothing_is_not_judged() -> None:
    template = frame((0, 0, 0), 0.0, noise=0.0)
    where = {"centre_fixed_mm": np.zeros(3), "half_mm": 30.0}
    noise = np.random.default_rng(1).normal(0, 1, template.shape).astype(np.float32)
    assert track_template(noise, open_(noise), template, camera(0.0), **where) is None
    assert track_template(np.full_like(noise, np.nan), open_(noise), template, camera(0.0), **where) is None
    assert track_template(template, np.zeros(noise.shape, bool), template, camera(0.0), **where) is None
