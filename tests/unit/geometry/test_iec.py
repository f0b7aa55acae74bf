import math

import numpy as np
import pytest

from igrt.geometry import iec
from igrt.geometry.motion import Frame


def test_frames_of_every_link():
    zeros = {"lateral_mm": 0, "longitudinal_mm": 0, "vertical_mm": 0}
    names = [
        iec.fixed_from_gantry(angle_deg=1).name,
        iec.gantry_from_beam_limiting_device(angle_deg=1).name,
        iec.gantry_from_receptor(translation_mm=[0, 0, -500]).name,
        iec.fixed_from_support(angle_deg=1).name,
        iec.support_from_eccentric().name,
        iec.eccentric_from_couch(**zeros).name,
        iec.couch_from_patient().name,
        iec.patient_from_lps(Frame.DAILY, origin_mm=[0, 0, 0]).name,
    ]
    assert names == [
        "fixed_from_gantry",
        "gantry_from_beam_limiting_device",
        "gantry_from_receptor",
        "fixed_from_support",
        "support_from_eccentric",
        "eccentric_from_couch",
        "couch_from_patient",
        "patient_from_daily",
    ]


def test_the_patient_frame_has_its_origin_where_it_is_told():
    patient = iec.patient_from_lps(Frame.PLAN, origin_mm=[12, -34, 56])
    np.testing.assert_allclose(patient.apply([[12, -34, 56], [13, -34, 56], [12, -34, 57]]), [[0, 0, 0], [1, 0, 0], [0, 1, 0]])


def test_a_frame_without_lps_axes_is_refused():
    with pytest.raises(ValueError, match="frame fixed has no LPS axes"):
        iec.patient_from_lps(Frame.FIXED, origin_mm=[0, 0, 0])


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="turntable axis_mm"):
        iec.fixed_from_support(angle_deg=0, axis_mm=[0, math.nan, 0])
    with pytest.raises(ValueError, match="translation_mm"):
        iec.eccentric_from_couch(lateral_mm=math.nan, longitudinal_mm=0, vertical_mm=0)
    with pytest.raises(ValueError, match="finite"):
        iec.fixed_from_gantry(angle_deg=math.nan)
