import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.angles import angles_from_rotation, rotation_from_angles, rotation_x, rotation_y, rotation_z, wrap_deg

any_angle = st.floats(-720, 720)


def test_right_handed_senses():
    np.testing.assert_allclose(rotation_x(90) @ [0, 1, 0], [0, 0, 1], atol=1e-15, equal_nan=False)
    np.testing.assert_allclose(rotation_y(90) @ [0, 0, 1], [1, 0, 0], atol=1e-15, equal_nan=False)
    np.testing.assert_allclose(rotation_z(90) @ [1, 0, 0], [0, 1, 0], atol=1e-15, equal_nan=False)


@given(pitch=any_angle, roll=any_angle, yaw=any_angle)
def test_any_rotation_is_made_up_of_its_angles(pitch, roll, yaw):
    r = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    p, q, y = angles_from_rotation(r)
    assert -90 <= p <= 90
    assert np.abs(rotation_from_angles(pitch_deg=p, roll_deg=q, yaw_deg=y) - r).max() < 1e-12


@pytest.mark.parametrize("pitch", [90.0, -90.0, 90 - 1e-7, -90 + 1e-7])
@pytest.mark.parametrize(("roll", "yaw"), [(0, 0), (30, 50), (-120, 170)])
def test_a_pitch_of_90_still_gives_angles_that_make_up_the_rotation(pitch, roll, yaw):
    r = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    p, q, y = angles_from_rotation(r)
    assert p == pytest.approx(pitch, abs=1e-6)
    assert np.abs(rotation_from_angles(pitch_deg=p, roll_deg=q, yaw_deg=y) - r).max() < 1e-9


@pytest.mark.parametrize(("angle", "wrapped"), [(0, 0), (359.998, -0.002), (180, 180), (-180, 180), (540, 180), (-190, 170), (725, 5)])
def test_wrap(angle, wrapped):
    assert wrap_deg(angle) == pytest.approx(wrapped)


@given(any_angle)
def test_wrapped_is_the_same_angle(angle):
    wrapped = wrap_deg(angle)
    assert -180 < wrapped <= 180
    assert abs(math.remainder(wrapped - angle, 360)) < 1e-9


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_angle_that_is_not_finite_is_refused(bad):
    for function in (rotation_x, rotation_y, rotation_z, wrap_deg):
        with pytest.raises(ValueError, match="finite"):
            function(bad)
    with pytest.raises(ValueError, match="finite"):
        angles_from_rotation(np.full((3, 3), bad))
