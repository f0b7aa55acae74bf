"""Grids on the wire keep their geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.bus.grids import daily_grid, wire_grid
from igrt.bus.messages import ImageGrid
from igrt.errors import InputError
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

ANGLE = st.floats(-80, 80)
LENGTH = st.floats(-500, 500)


@given(ANGLE, ANGLE, ANGLE, st.tuples(LENGTH, LENGTH, LENGTH), st.tuples(*[st.floats(0.1, 5)] * 3))
def test_a_grid_comes_back_bit_for_bit(pitch, roll, yaw, origin, spacing):
    direction = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    grid = Grid(Frame.DAILY, (3, 4, 5), np.array(origin), np.array(spacing), direction)
    back = daily_grid(wire_grid(grid), source="x")
    assert back.shape_kji == grid.shape_kji
    assert back.frame is Frame.DAILY
    for field in ("origin_mm", "spacing_mm", "direction"):
        assert (getattr(back, field) == getattr(grid, field)).all()


def test_a_plan_grid_is_not_sent():
    with pytest.raises(ValueError, match="frame daily"):
        wire_grid(Grid.aligned(Frame.PLAN, shape_kji=(1, 1, 1), origin_mm=(0, 0, 0), spacing_mm=(1, 1, 1)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "spacing_mm"),
        ({"origin_mm": (float("inf"), 0.0, 0.0)}, "origin_mm"),
        ({"direction_i": (0.0, 1.0, 0.0)}, "direction"),
        ({"direction_k": (0.0, 0.0, -1.0)}, "right-handed"),
        ({"shape_kji": (0, 1, 1)}, "shape_kji"),
    ],
)
def test_what_is_no_grid_is_named(changes, words):
    fields = {"shape_kji": (1, 1, 1), "origin_mm": (0.0, 0.0, 0.0), "spacing_mm": (1.0, 1.0, 1.0)} | changes
    with pytest.raises(InputError, match=rf"scan 7: .*{words}"):
        daily_grid(ImageGrid(**fields), source="scan 7")
