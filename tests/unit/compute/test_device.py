"""A device is chosen by name or is the best there is, and says why."""

import sys

import pytest

from igrt.compute import cpu, cuda, device, reference
from igrt.errors import InputError


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """Whatever this machine has: tests/unit/compute/test_cuda.py is about GPUs."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    cuda.verbs.cache_clear()
    device._gpu.cache_clear()
    yield
    cuda.verbs.cache_clear()
    device._gpu.cache_clear()


@pytest.mark.parametrize("name", [None, "cpu"])
def test_the_best_instruction_set_is_the_default(name) -> None:
    chosen = device.choose(name)
    assert chosen.name == f"cpu {cpu.BEST}"
    assert "best of this processor's baseline" in chosen.why


@pytest.mark.parametrize("instruction_set", cpu.INSTRUCTION_SETS)
def test_each_instruction_set_can_be_forced(instruction_set) -> None:
    chosen = device.choose(f"cpu {instruction_set}")
    assert chosen.name == f"cpu {instruction_set}"
    assert chosen.verbs.instruction_set == instruction_set
    assert chosen.why == "asked for by name"


def test_the_reference_is_a_device() -> None:
    assert device.choose("reference").verbs is reference


def test_the_emulated_gpu_is_a_device() -> None:
    assert device.choose("cuda emulated").verbs.runtime.name == "cuda emulated"


@pytest.mark.parametrize("name", ["cuda Another GPU sm_10", "cpu sparc", "", "avx2"])
def test_a_device_that_is_not_here_is_refused_with_the_list(name) -> None:
    with pytest.raises(InputError, match="choose one of: reference, cpu, cpu baseline"):
        device.choose(name)
