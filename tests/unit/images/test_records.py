import dataclasses

import numpy as np
import pytest

from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.images.records import Structure, StructureKind
from tests.unit.images.conftest import Study


def test_a_structure_has_a_closed_contour():
    with pytest.raises(InputError, match=r"structure 'CTV' has no closed contour; delineate it or leave it out of the structure set"):
        Structure("CTV", StructureKind.CTV, (np.zeros((2, 3)),))


def test_contours_are_finite_points():
    with pytest.raises(ValueError, match="contour of 'CTV' holds a value that is not finite"):
        Structure("CTV", StructureKind.CTV, (np.full((3, 3), np.nan),))


def test_a_plan_is_in_frame_plan_and_a_daily_image_in_frame_daily(study: Study):
    plan = study.plan()
    daily = study.daily()
    with pytest.raises(ValueError, match="give it in frame plan"):
        dataclasses.replace(plan, ct=daily.volume)
    with pytest.raises(ValueError, match="give it in frame daily"):
        dataclasses.replace(daily, volume=plan.ct)
    assert (plan.ct.frame, daily.volume.frame) == (Frame.PLAN, Frame.DAILY)


def test_vertices_are_those_of_all_contours(study: Study):
    assert study.structures[0].vertices_mm.shape == (16, 3)
