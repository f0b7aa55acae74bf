"""Patient positions on the couch, and the axes that each gives the room (IEC 61217 fixed) in DICOM LPS."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class PatientPosition(StrEnum):
    """DICOM Patient Position (0018,5100): head or feet first; supine, prone, decubitus right or left."""

    HFS = "HFS"
    HFP = "HFP"
    HFDR = "HFDR"
    HFDL = "HFDL"
    FFS = "FFS"
    FFP = "FFP"
    FFDR = "FFDR"
    FFDL = "FFDL"

    @property
    def fixed_from_lps(self) -> NDArray[np.float64]:
        """(3, 3) rotation B, table at 0: a difference of LPS coordinates in IEC fixed axes (docs/geometry.md, "Patient position")."""
        return _FIXED_FROM_LPS[self].copy()


_FIXED_FROM_LPS = {
    PatientPosition.HFS: np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    PatientPosition.HFP: np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
    PatientPosition.HFDR: np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    PatientPosition.HFDL: np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]]),
    PatientPosition.FFS: np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]]),
    PatientPosition.FFP: np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    PatientPosition.FFDR: np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    PatientPosition.FFDL: np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),
}
