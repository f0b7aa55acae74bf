"""Geometry's own corrections pass the guard's arithmetic for every couch, position, table angle, image and start."""

import itertools

import pytest

from igrt.geometry.couch_model import YawAxis
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import ImageAxes
from tests.unit.guard.guard_cases import at, couch, make_case, reasons

TABLE_ANGLES_DEG = (-90.0, -30.0, 0.0, 30.0, 90.0)
STARTS = (at(pitch=0.0, roll=0.0, yaw=0.0), at(pitch=1.3, roll=-0.9, yaw=0.6))
COUCHES = [
    couch(degrees_of_freedom=dof, yaw_axis=yaw_axis, axis_mm=axis)
    for dof in (6, 4, 3)
    for yaw_axis in YawAxis
    for axis in ((0.0, 0.0, 0.0), (1.5, -2.0, 7.0))
]


@pytest.mark.parametrize("position", PatientPosition)
@pytest.mark.parametrize("table_angle_deg", TABLE_ANGLES_DEG)
def test_geometrys_correction_is_released_for_every_couch_start_and_image(position, table_angle_deg):
    for model, start, image_axes in itertools.product(COUCHES, STARTS, ImageAxes):
        case = make_case(model=model, position=position, table_angle_deg=table_angle_deg, image_axes=image_axes, start=start)
        assert reasons(case) == {}, (model, start, image_axes)
