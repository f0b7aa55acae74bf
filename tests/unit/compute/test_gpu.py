"""What stays on the device stays as it was, and leaves when its array does; what cannot be computed is refused."""

import gc

import numpy as np
import pytest

from igrt.compute.emulation import EmulatedRuntime
from igrt.compute.gpu import GpuVerbs, Resident
from tests.parity.test_projector import oblique, orbit
from tests.parity_cases import accumulated, image, problem


@pytest.fixture
def verbs() -> GpuVerbs:
    return GpuVerbs(EmulatedRuntime())


def test_a_held_array_is_uploaded_once_and_locked() -> None:
    uploads: list[np.ndarray] = []
    resident = Resident(lambda array: uploads.append(array) or len(uploads))
    array = np.zeros(3)
    assert resident(array) == resident(array) == 1
    assert len(uploads) == 1
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    assert resident(np.ones(3)) == 2


def test_a_copy_goes_with_its_array() -> None:
    resident = Resident(lambda array: array.copy())
    for n in range(20):
        assert resident(np.full(5, n))[0] == n  # also where a new array takes the place of one that is gone
    gc.collect()
    assert len(resident) == 0


def test_the_solver_loop_uploads_nothing(verbs, monkeypatch) -> None:
    p = problem(2000)
    first = accumulated(verbs, p)
    monkeypatch.setattr(verbs.runtime, "upload", None)
    monkeypatch.setattr(verbs.runtime, "empty", None)
    np.testing.assert_array_equal(accumulated(verbs, p), first)


def test_held_arrays_are_there_when_they_are_read(verbs, monkeypatch) -> None:
    p = problem(2000)
    verbs.hold(p["scores"], p["positions_mm"], p["values"])
    monkeypatch.setattr(verbs.runtime, "upload", None)
    assert np.isfinite(accumulated(verbs, p)).all()


def test_what_does_not_fit_is_refused(verbs) -> None:
    hu, ones = image((4, 5, 6)), np.ones((4, 5, 6), bool)
    with pytest.raises(ValueError, match="factors must average 1 to 65536"):
        verbs.shrink(hu, (0, 1, 1))
    with pytest.raises(ValueError, match="factors must average 1 to 65536"):
        verbs.shrink(hu, (100, 100, 100))
    with pytest.raises(ValueError, match="must be positive"):
        verbs.normalise(hu, ones, (1, 1, 1), least=0, floor_hu=60)
    with pytest.raises(ValueError, match="must be positive"):
        verbs.correlate(hu, hu, ones, (1, 1, 1), floor_hu=0)
    with pytest.raises(ValueError, match="one value a position"):
        accumulated(verbs, problem(10) | {"values": np.zeros(9, np.float32)})
    with pytest.raises(ValueError, match="block must be positive"):
        verbs.draw(hu, np.ones(3, np.float32), (0, 1, 1), wanted=1, seed=1)
    values, grid = oblique()
    cameras = orbit([0, 90], (3, 4), 2.0)
    with pytest.raises(ValueError, match="one image a camera"):
        verbs.backproject(np.zeros((2, 3, 3), np.float32), cameras, grid)
    with pytest.raises(ValueError, match="1 to 2\\^30 voxels"):
        verbs.project(values[:0], grid, cameras)
