"""Every parity test runs once per device: each instruction set, the emulated GPU, and a GPU. What this machine lacks is skipped by name."""

import pytest

from igrt.compute import cpu, cuda
from igrt.compute.device import Verbs
from igrt.compute.emulation import emulated_verbs
from igrt.compute.gpu import GpuVerbs

EVERY_INSTRUCTION_SET = ("baseline", "avx2", "avx512")
EVERY_DEVICE = (*EVERY_INSTRUCTION_SET, "cuda emulated", "cuda")


def cpu_verbs_of(instruction_set: str) -> cpu.CpuVerbs:
    if instruction_set not in cpu.INSTRUCTION_SETS:
        pytest.skip(f"NOT TESTED HERE: this processor has no {instruction_set}")
    return cpu.CpuVerbs(instruction_set)


def cuda_verbs() -> GpuVerbs:
    try:
        return cuda.verbs()
    except cuda.NoCudaError as missing:
        pytest.skip(f"NOT TESTED HERE: no GPU, {missing}")


@pytest.fixture(scope="session", params=EVERY_DEVICE)
def verbs(request) -> Verbs:
    """The verbs of one device."""
    if request.param == "cuda emulated":
        return emulated_verbs()
    return cuda_verbs() if request.param == "cuda" else cpu_verbs_of(request.param)


@pytest.fixture(scope="session", params=EVERY_INSTRUCTION_SET)
def cpu_verbs(request) -> cpu.CpuVerbs:
    """The verbs of one instruction set."""
    return cpu_verbs_of(request.param)
