import math

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_plan, require_fixed

ZERO = {"lateral_mm": 0, "longitudinal_mm": 0, "vertical_mm": 0, "pitch_deg": 0, "roll_deg": 0, "yaw_deg": 0}


def test_six_phrases_in_the_order_of_the_fields():
    said = Correction(lateral_mm=-3, longitudinal_mm=5, vertical_mm=0, pitch_deg=1, roll_deg=0, yaw_deg=-2).words()
    assert said == (
        "couch 3.0 mm to the left, seen facing the gantry",
        "couch 5.0 mm toward gantry",
        "couch 0.0 mm vertically",
        "pitch 1.0° gantry end up",
        "roll 0.0°",
        "yaw 2.0° clockwise seen from above",
    )


@pytest.mark.parametrize("field", list(ZERO))
@pytest.mark.parametrize("bad", [math.nan, -math.inf, "far"])
def test_a_correction_is_finite(field, bad):
    with pytest.raises(ValueError, match=f"correction: {field} is .*; give a finite number"):
        Correction(**ZERO | {field: bad})


def test_only_fixed_from_fixed_is_a_correction():
    motion = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    with pytest.raises(ValueError, match="correction is plan_from_daily; give a motion fixed_from_fixed"):
        Correction.from_motion(motion)
    with pytest.raises(ValueError, match="made is plan_from_daily"):
        require_fixed(motion, "made")


def test_image_axes_by_name_and_no_others():
    setup = {
        "plan_isocentre_mm": [0, 0, 0],
        "daily_isocentre_mm": [0, 0, 0],
        "plan_position": "HFS",
        "daily_position": "HFS",
        "table_angle_deg": 30,
    }
    pose = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    by_name = correction_motion(pose, **setup, image_axes="table")
    np.testing.assert_array_equal(by_name.matrix, correction_motion(pose, **setup, image_axes=ImageAxes.TABLE).matrix)
    with pytest.raises(ValueError, match="patient"):
        correction_motion(pose, **setup, image_axes="patient")


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="plan isocentre_mm"):
        fixed_from_plan(isocentre_mm=[0, math.nan, 0], position=PatientPosition.HFS)
    with pytest.raises(ValueError, match="angle"):
        fixed_from_plan(isocentre_mm=[0, 0, 0], position=PatientPosition.HFS, table_angle_deg=math.nan)
