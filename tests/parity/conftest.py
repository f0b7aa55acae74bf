"""Every parity test runs once per instruction set; one that this processor lacks is skipped by name."""

import pytest

from igrt.compute import cpu

EVERY_INSTRUCTION_SET = ("baseline", "avx2", "avx512")


@pytest.fixture(scope="session", params=EVERY_INSTRUCTION_SET)
def verbs(request) -> cpu.CpuVerbs:
    """The verbs of one instruction set."""
    if request.param not in cpu.INSTRUCTION_SETS:
        pytest.skip(f"NOT TESTED HERE: this processor has no {request.param}")
    return cpu.CpuVerbs(request.param)
