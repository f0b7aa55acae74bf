"""The eight patient positions: derived from anatomy, against public tables, and as docs/geometry.md prints them."""

import re
from pathlib import Path

import numpy as np
import pytest

from igrt.geometry.iec import couch_from_patient, patient_from_lps
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "geometry.md"
LEFT, HEAD, FRONT = np.array([1.0, 0, 0]), np.array([0.0, 0, 1]), np.array([0.0, -1, 0])
UP = {"S": FRONT, "P": -FRONT, "DR": LEFT, "DL": -LEFT}

# Rows x, y, z of the IEC fixed frame in LPS, and the patient's angles about x, y, z on the table top (Rx Ry Rz).
TABLE = {
    "HFS": ([[1, 0, 0], [0, 0, 1], [0, -1, 0]], (0, 0, 0)),
    "HFP": ([[-1, 0, 0], [0, 0, 1], [0, 1, 0]], (0, 180, 0)),
    "FFS": ([[-1, 0, 0], [0, 0, -1], [0, -1, 0]], (0, 0, 180)),
    "FFP": ([[1, 0, 0], [0, 0, -1], [0, 1, 0]], (180, 0, 0)),
    "HFDR": ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], (0, -90, 0)),
    "HFDL": ([[0, -1, 0], [0, 0, 1], [-1, 0, 0]], (0, 90, 0)),
    "FFDR": ([[0, -1, 0], [0, 0, -1], [1, 0, 0]], (0, 90, 180)),
    "FFDL": ([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], (0, -90, 180)),
}
# PyMedPhys lib/pymedphys/_dicom/orientation.py: image row (the observer's right) and column (down) cosines in LPS.
PYMEDPHYS = {
    "FFDL": [0, 1, 0, 1, 0, 0],
    "FFDR": [0, -1, 0, -1, 0, 0],
    "FFP": [1, 0, 0, 0, -1, 0],
    "FFS": [-1, 0, 0, 0, 1, 0],
    "HFDL": [0, -1, 0, 1, 0, 0],
    "HFDR": [0, 1, 0, -1, 0, 0],
    "HFP": [-1, 0, 0, 0, -1, 0],
    "HFS": [1, 0, 0, 0, 1, 0],
}
# Juntendo.MedPhys CoordinateTransform.cs: patient to couch, whose axes are the LPS axes of a head-first supine patient.
JUNTENDO = {
    "HFS": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "HFP": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "HFDR": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
    "HFDL": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "FFS": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    "FFP": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "FFDR": [[0, -1, 0], [-1, 0, 0], [0, 0, -1]],
    "FFDL": [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
}
# Siemens calcMatrixPCSToDCS.m: a magnet's device axes are x right, y up, z out of the bore.
SIEMENS = {
    "HFP": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    "HFS": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "HFDR": [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
    "HFDL": [[0, -1, 0], [-1, 0, 0], [0, 0, -1]],
    "FFP": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "FFS": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "FFDR": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "FFDL": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
}
positions = pytest.mark.parametrize("position", list(PatientPosition))


@positions
def test_row_of_the_table(position):
    rows, (x_deg, y_deg, z_deg) = TABLE[position]
    b = position.fixed_from_lps
    np.testing.assert_array_equal(b, rows)
    np.testing.assert_array_equal(b @ b.T, np.eye(3))
    assert np.linalg.det(b) == pytest.approx(1.0)
    couch_from_lps = couch_from_patient(x_deg=x_deg, y_deg=y_deg, z_deg=z_deg) @ patient_from_lps(Frame.PLAN, origin_mm=np.zeros(3))
    np.testing.assert_allclose(couch_from_lps.rotation, rows, atol=1e-12, equal_nan=False)


@positions
def test_follows_from_where_the_head_and_the_upward_side_are(position):
    toward_gantry = HEAD if position.startswith("HF") else -HEAD
    up = UP[position[2:]]
    np.testing.assert_array_equal(position.fixed_from_lps, [np.cross(toward_gantry, up), toward_gantry, up])


@positions
def test_agrees_with_public_tables(position):
    b = position.fixed_from_lps
    np.testing.assert_array_equal(b[0], PYMEDPHYS[position][:3])
    np.testing.assert_array_equal(b[2], -np.array(PYMEDPHYS[position][3:]))
    np.testing.assert_array_equal(b, np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) @ JUNTENDO[position])
    np.testing.assert_array_equal(b, np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ SIEMENS[position])


def test_there_are_eight_and_no_two_alike():
    assert {str(p) for p in PatientPosition} == set(TABLE)
    assert len({p.fixed_from_lps.tobytes() for p in PatientPosition}) == 8


def test_the_document_prints_the_table_of_the_code():
    rows = re.findall(r"^\| (\w+) \| \(([^)]*)\) \| \(([^)]*)\) \| \(([^)]*)\) \| \(([^)]*)\) \|", DOCUMENT.read_text("utf-8"), re.M)
    assert [row[0] for row in rows] == [str(p) for p in PatientPosition]
    for name, *axes, angles in rows:
        printed = [[float(v) for v in axis.replace("−", "-").split(",")] for axis in axes]
        np.testing.assert_array_equal(PatientPosition(name).fixed_from_lps, printed)
        assert tuple(int(v) for v in angles.replace("−", "-").split(",")) == TABLE[name][1]
