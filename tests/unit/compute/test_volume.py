"""A volume is int16 HU on its grid, or is not built."""

import numpy as np
import pytest

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

GRID = Grid.aligned(Frame.PLAN, shape_kji=(2, 3, 4), origin_mm=(0, 0, 0), spacing_mm=(1, 1, 1))


def test_a_volume_shares_its_array_and_locks_it() -> None:
    hu = np.zeros((2, 3, 4), np.int16)
    volume = Volume(GRID, hu)
    assert np.shares_memory(volume.hu, hu)
    assert hu.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        volume.hu[0] = 1
    assert volume.frame == Frame.PLAN


@pytest.mark.parametrize(
    ("hu", "sentence"),
    [
        (np.zeros((2, 3, 4), np.float32), "give C-contiguous int16"),
        (np.zeros((4, 3, 2), np.int16).T, "give C-contiguous int16"),
        (np.zeros((2, 3, 5), np.int16), "its grid has"),
    ],
)
def test_what_is_not_a_volume(hu, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Volume(GRID, hu)
