"""The runtime over CuPy, with a CuPy whose copies are late and whose GPU is the emulation; and what is said where there is none."""

import sys

import numpy as np
import pytest

from igrt.compute import cuda, device
from igrt.compute.emulation import emulated_verbs
from igrt.compute.failure import DeviceError
from igrt.compute.gpu import KEPT, GpuVerbs
from igrt.errors import InputError
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from tests.fake_cupy import FakeCupy
from tests.parity.test_projector import oblique, orbit
from tests.parity.test_whole_match import CT, DAILY, TOLERANCE_MM
from tests.parity.test_whole_match import match as match_on
from tests.parity_cases import accumulated, image, problem, scores, valid
from tests.registration_cases import ISOCENTRE_MM, displacement_mm, motion

SHAPE = (10, 21, 17)


def everything(verbs: GpuVerbs) -> list[np.ndarray]:
    values, grid = oblique()
    cameras = orbit([10, 100], (9, 20), 4.0)
    return [
        verbs.shrink(image(SHAPE), (3, 2, 2)),
        verbs.normalise(image(SHAPE), valid(SHAPE), (2, 3, 4), least=20, floor_hu=60),
        *verbs.correlate(image(SHAPE), image(SHAPE, 7), valid(SHAPE), (2, 2, 2), floor_hu=60),
        verbs.draw(scores(SHAPE), np.array([1, 1.1, 2.5], np.float32), (8, 8, 8), wanted=400, seed=3),
        accumulated(verbs, problem(3000)),
        verbs.project(values, grid, cameras),
        verbs.backproject(verbs.project(values, grid, cameras), cameras, grid),
    ]


@pytest.fixture
def fresh_choice():
    for forget in (cuda.verbs.cache_clear, device._gpu.cache_clear, device._failed.clear):
        forget()
    yield
    for forget in (cuda.verbs.cache_clear, device._gpu.cache_clear, device._failed.clear):
        forget()


def test_every_verb_waits_for_its_uploads() -> None:
    got = everything(GpuVerbs(cuda.CudaRuntime(FakeCupy())))
    for mine, wanted in zip(got, everything(emulated_verbs()), strict=True):
        np.testing.assert_array_equal(mine, wanted, strict=True)


def test_the_solver_loop_allocates_nothing() -> None:
    gpu = FakeCupy()
    verbs, p = GpuVerbs(cuda.CudaRuntime(gpu)), problem(3000)
    first = accumulated(verbs, p)
    allocated = gpu.allocated
    for _ in range(3):
        np.testing.assert_array_equal(accumulated(verbs, p), first)
    assert gpu.allocated == allocated


def test_what_is_kept_for_the_next_of_its_size_is_bounded() -> None:
    runtime = cuda.CudaRuntime(FakeCupy())
    verbs = GpuVerbs(runtime)
    for n in range(1, 60):
        accumulated(verbs, problem(100 * n))
        runtime.download(runtime.upload(np.zeros(n, np.float32)))
    assert len(runtime._pinned) <= KEPT
    assert len(verbs._sums) <= KEPT


def test_uploads_that_are_held_have_left_their_pinned_copy_when_they_were_read() -> None:
    runtime = cuda.CudaRuntime(FakeCupy())
    verbs, p = GpuVerbs(runtime), problem(3000)
    verbs.hold(p["scores"])
    buffer = verbs._resident(p["scores"])
    assert buffer.staging is not None
    assert not buffer.arrived.done
    accumulated(verbs, p)
    assert buffer.staging is None


def test_a_gpu_that_fails_raises_and_names_itself(fresh_choice) -> None:
    verbs, p = GpuVerbs(cuda.CudaRuntime(FakeCupy(fails_after=1))), problem(100)
    accumulated(verbs, p)
    with pytest.raises(DeviceError, match=r"cuda Fake GPU sm_90 failed while it was to run accumulate: .*uncorrectable ECC") as raised:
        accumulated(verbs, p)
    stand_in = device.stand_in(raised.value)
    assert stand_in.name.startswith("cpu ")
    assert "stands in: cuda Fake GPU sm_90 failed" in stand_in.why


def test_a_gpu_that_fails_in_a_match_and_the_processor_that_answers(monkeypatch, fresh_choice) -> None:
    """What was prepared is the host's: the processor goes on from there, and gives what it gives alone."""
    gpu = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", gpu)
    chosen = device.choose()
    plan, daily = prepare_plan(CT, chosen.verbs), prepare_daily(DAILY, chosen.verbs)
    gpu.fails_after = gpu.launched + 30
    with pytest.raises(DeviceError, match="failed while it was to run accumulate") as raised:
        match_rigid(plan, daily, start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=chosen.verbs)
    instead = device.stand_in(raised.value)
    answer = match_rigid(plan, daily, start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=instead.verbs)
    alone = match_on(device.choose("cpu").verbs)
    assert displacement_mm(answer.plan_from_daily, alone.plan_from_daily).max() < TOLERANCE_MM
    assert f"no GPU: {raised.value}" in device.choose().why
    with pytest.raises(InputError, match=r"device 'cuda' is not here .*failed while it was to run accumulate"):
        device.choose("cuda")


def test_a_gpu_that_agrees_is_chosen(monkeypatch, fresh_choice) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy())
    chosen = device.choose()
    assert chosen.name == "cuda Fake GPU sm_90"
    assert "agrees with the processor" in chosen.why
    for name in ("cuda", chosen.name):
        assert device.choose(name).verbs is chosen.verbs
    assert device.choose("cpu").name.startswith("cpu ")


def test_a_gpu_that_computes_something_else_is_not_chosen(monkeypatch, fresh_choice) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy())
    right = GpuVerbs.normalise
    monkeypatch.setattr(GpuVerbs, "normalise", lambda *a, **b: right(*a, **b) + np.int16(2))
    chosen = device.choose()
    assert chosen.name.startswith("cpu ")
    assert "no GPU: cuda Fake GPU sm_90 gives another normalise than the processor" in chosen.why


def test_a_gpu_that_fails_at_start_is_not_chosen(monkeypatch, fresh_choice) -> None:
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(fails_after=0))
    assert "no GPU: cuda Fake GPU sm_90 failed while it was to run shrink" in device.choose().why


def test_a_driver_that_sees_no_gpu(monkeypatch, fresh_choice) -> None:
    none = FakeCupy()
    none.cuda.runtime.getDeviceCount = lambda: 0
    monkeypatch.setitem(sys.modules, "cupy", none)
    with pytest.raises(cuda.NoCudaError, match="finds no GPU"):
        cuda.verbs()


def test_a_gpu_that_was_asked_for_and_is_not_there_is_refused_with_the_reason(monkeypatch, fresh_choice) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(InputError, match=r"device 'cuda' is not here \(CuPy is not installed .* choose one of: reference, cpu"):
        device.choose("cuda")


def test_without_cupy_it_says_what_to_install(monkeypatch, fresh_choice) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(cuda.NoCudaError, match=r"install igrt\[cuda12\] or igrt\[cuda13\]"):
        cuda.verbs()
    assert "no GPU: CuPy is not installed" in device.choose().why
