"""Senses and order of the IEC 61217 chain, against DICOM's sentences and the formulas of independent public projects."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.iec import (
    PATIENT_FROM_LPS,
    couch_from_patient,
    eccentric_from_couch,
    fixed_from_gantry,
    fixed_from_support,
    gantry_from_beam_limiting_device,
    gantry_from_receptor,
    patient_from_lps,
    support_from_eccentric,
)
from igrt.geometry.motion import Frame

SAD, SID = 1000.0, 1500.0
angles = st.floats(-360, 360)
lengths = st.floats(-400, 400)


def rx(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def ry(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rz(deg):
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def about(deg, axis):
    u = np.array(axis, float)
    k = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    a = math.radians(deg)
    return np.eye(3) + math.sin(a) * k + (1 - math.cos(a)) * k @ k


def close(a, b, tolerance=1e-8):
    return bool(np.abs(np.asarray(a, float) - np.asarray(b, float)).max() < tolerance)


def test_gantry_90_has_the_source_on_the_observers_right():
    assert close(fixed_from_gantry(angle_deg=90).apply([0, 0, SAD]), [SAD, 0, 0])


def test_table_90_swings_the_gantry_end_to_the_left():
    assert close(fixed_from_support(angle_deg=90).apply([0, 1, 0]), [-1, 0, 0])


def test_eccentric_turns_as_the_support_does_after_its_offset():
    assert close(support_from_eccentric(angle_deg=90, offset_mm=5).apply([0, 1, 0]), [-1, 5, 0])


def test_beam_limiting_device_and_receptor_turn_counter_clockwise_seen_from_the_source():
    device = gantry_from_beam_limiting_device(angle_deg=90, distance_mm=400)
    assert close(device.apply([1, 0, 0]), [0, 1, 400])
    receptor = gantry_from_receptor(translation_mm=[1, 2, -500], angle_deg=90)
    assert close(receptor.apply([1, 0, 0]), [1, 3, -500])


def test_positive_pitch_raises_the_gantry_end_and_tilts_a_chair_backward():
    top = eccentric_from_couch(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, pitch_deg=3)
    assert top.apply([0, 1, 0])[2] > 0
    assert top.apply([0, 0, 1])[1] < 0


def test_positive_roll_lowers_the_right_side():
    top = eccentric_from_couch(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, roll_deg=3)
    assert top.apply([1, 0, 0])[2] < 0


def test_the_remark_in_dicom_that_contradicts_its_own_definition_holds_for_a_left_handed_pitch_alone():
    # C.8.8.14.12: to keep the isocentre with Yt = 100 and positive pitch, Zt is said to be negative.
    right_handed, left_handed = rx(2) @ [0, 100.0, 0], rx(-2) @ [0, 100.0, 0]
    assert right_handed[2] > 0 > left_handed[2]
    assert close(eccentric_from_couch(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, pitch_deg=2).apply([0, 100, 0]), right_handed)


@given(support=angles, eccentric=angles, offset=lengths, shift=st.tuples(lengths, lengths, lengths), pitch=angles, roll=angles)
def test_the_chain_of_the_couch(support, eccentric, offset, shift, pitch, roll):
    chain = (
        fixed_from_support(angle_deg=support)
        @ support_from_eccentric(angle_deg=eccentric, offset_mm=offset)
        @ eccentric_from_couch(lateral_mm=shift[0], longitudinal_mm=shift[1], vertical_mm=shift[2], pitch_deg=pitch, roll_deg=roll)
    )
    assert (chain.target, chain.source) == (Frame.FIXED, Frame.COUCH)
    assert close(chain.rotation, rz(support + eccentric) @ rx(pitch) @ ry(roll))
    assert close(chain.translation_mm, rz(support) @ ([0, offset, 0] + rz(eccentric) @ shift))


@given(angle=angles, axis=st.tuples(lengths, lengths, lengths))
def test_a_turntable_leaves_the_points_of_its_axis_alone(angle, axis):
    support = fixed_from_support(angle_deg=angle, axis_mm=axis)
    assert close(support.apply(axis), axis)
    assert close(support.apply(np.add(axis, [0, 0, 77.0])), np.add(axis, [0, 0, 77.0]))


@given(gantry=angles, table=angles)
def test_gantry_and_table_senses_agree_with_four_public_projects(gantry, table):
    """Where the source is in a head-first supine patient, LPS about the isocentre."""
    lps = patient_from_lps(Frame.PLAN, origin_mm=np.zeros(3)).inverse()
    chain = lps @ couch_from_patient().inverse() @ eccentric_from_couch(lateral_mm=0, longitudinal_mm=0, vertical_mm=0).inverse()
    chain = chain @ support_from_eccentric().inverse() @ fixed_from_support(angle_deg=table).inverse() @ fixed_from_gantry(angle_deg=gantry)
    ours = chain.apply([0, 0, SAD])
    g, t = math.radians(gantry), math.radians(table)
    conesrs = SAD * np.array([math.sin(g) * math.cos(t), -math.cos(g), -math.sin(g) * math.sin(t)])
    # matRad matRad_getRotationMatrix.m: couch matrix times gantry matrix, source at (0, -SAD, 0).
    couch_matrad = np.array([[math.cos(t), 0, math.sin(t)], [0, 1, 0], [-math.sin(t), 0, math.cos(t)]])
    gantry_matrad = np.array([[math.cos(g), -math.sin(g), 0], [math.sin(g), math.cos(g), 0], [0, 0, 1]])
    matrad = couch_matrad @ gantry_matrad @ [0, -SAD, 0]
    # SlicerRT vtkSlicerDicomRtImportExportModuleLogic.cxx, in RAS: RotateY(-couch) RotateZ(gantry) on (0, SAD, 0).
    slicer = np.diag([-1, -1, 1]) @ about(-table, [0, 1, 0]) @ about(gantry, [0, 0, 1]) @ [0, SAD, 0]
    # Juntendo.MedPhys UnitToPlanningCoordinate: left-handed matrices with both angles negated.
    couch_juntendo = np.array([[math.cos(-t), 0, -math.sin(-t)], [0, 1, 0], [math.sin(-t), 0, math.cos(-t)]])
    gantry_juntendo = np.array([[math.cos(-g), math.sin(-g), 0], [-math.sin(-g), math.cos(-g), 0], [0, 0, 1]])
    juntendo = couch_juntendo @ gantry_juntendo @ [0, -SAD, 0]
    for theirs in (conesrs, matrad, slicer, juntendo):
        assert close(ours, theirs, 1e-7)


def test_patient_axes_are_left_head_front_as_dicom_and_slicer_have_them():
    assert close(PATIENT_FROM_LPS.T @ [1, 2, 3], [1, -3, 2])  # PS3.3: (XD, YD, ZD) = (XIEC, -ZIEC, YIEC)
    # RadiotherapyTransformsIEC vtkIECTransformLogic.cxx: RAS to patient.
    assert close(PATIENT_FROM_LPS @ np.diag([-1, -1, 1]), [[-1, 0, 0], [0, 0, 1], [0, 1, 0]])


@given(gantry=angles, point=st.tuples(*[st.floats(-100, 100)] * 3))
def test_the_projection_is_that_of_rtk(gantry, point):
    x = fixed_from_gantry(angle_deg=gantry).inverse().apply(point)
    ours = SID / (SAD - x[2]) * x[:2]
    # RTK documentation/docs/Geometry.md, "Final matrix" with no offsets.
    a = math.radians(-gantry)
    turn = np.array([[math.cos(a), 0, math.sin(a), 0], [0, 1, 0, 0], [-math.sin(a), 0, math.cos(a), 0], [0, 0, 0, 1]])
    h = np.array([[-SID, 0, 0, 0], [0, -SID, 0, 0], [0, 0, 1, -SAD]]) @ turn @ [*point, 1.0]
    assert close(ours, h[:2] / h[2])


@given(gantry=angles, receptor_deg=st.floats(-20, 20), along=st.floats(0.2, 0.9), column=st.integers(0, 1023), row=st.integers(0, 767))
def test_a_pixel_projects_back_onto_itself(gantry, receptor_deg, along, column, row):
    """DICOM PS3.3 C.8.8.2.7: rows run along +x of the receptor, columns along -y; image position is the first pixel's centre."""
    on_receptor = np.array([-200.3 + column * 0.392, 149.9 - row * 0.388, 0.0])
    fixed_from_receptor = fixed_from_gantry(angle_deg=gantry) @ gantry_from_receptor(
        translation_mm=[0, 0, SAD - SID], angle_deg=receptor_deg
    )
    pixel, source = fixed_from_receptor.apply(on_receptor), fixed_from_gantry(angle_deg=gantry).apply([0, 0, SAD])
    x = fixed_from_gantry(angle_deg=gantry).inverse().apply(source + along * (pixel - source))
    on_panel = [*(SID / (SAD - x[2]) * x[:2]), SAD - SID]
    again = gantry_from_receptor(translation_mm=[0, 0, SAD - SID], angle_deg=receptor_deg).inverse().apply(on_panel)
    assert close(again, on_receptor)


@given(shift=st.tuples(lengths, lengths, lengths), x=angles, y=angles, z=angles)
def test_the_patient_on_the_table_top(shift, x, y, z):
    patient = couch_from_patient(translation_mm=shift, x_deg=x, y_deg=y, z_deg=z)
    assert (patient.target, patient.source) == (Frame.COUCH, Frame.PATIENT)
    assert close(patient.rotation, rx(x) @ ry(y) @ rz(z))
    assert close(patient.translation_mm, shift)
