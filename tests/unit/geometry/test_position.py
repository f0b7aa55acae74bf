import numpy as np
import pytest

from igrt.geometry.position import PatientPosition


def test_the_axes_handed_out_are_a_copy():
    PatientPosition.HFS.fixed_from_lps[:] = 0
    np.testing.assert_array_equal(PatientPosition.HFS.fixed_from_lps, [[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def test_names_are_those_of_dicom():
    assert PatientPosition("HFDR") is PatientPosition.HFDR
    with pytest.raises(ValueError, match="SITTING"):
        PatientPosition("SITTING")
