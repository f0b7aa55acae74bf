"""NVRTC compiles every kernel for every architecture, without a GPU, into what the committed table says."""

import pytest

from igrt.compute.kernel_source import kernel_text, threads_of_entries
from tests.cuda_registers import ARCHITECTURES, PACKAGE, REMEDY, Nvrtc, compiler, compiler_of_table, drift, measured, table

REGISTERS_OF_AN_SM = 65536
SPILLED = {"correlate_along_i": 8}  # bytes, in the slow path of a float64 division; evidence runs it twice a match


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    try:
        return Nvrtc()
    except (FileNotFoundError, OSError) as missing:
        pytest.skip(f"NOT TESTED HERE: {PACKAGE} is not usable on this machine ({missing})")


def test_the_compiler_is_the_table_s(nvrtc) -> None:
    assert compiler() == compiler_of_table(), f"another compiler gives other registers: install the one of constraints.txt, or {REMEDY}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_table_holds(nvrtc, architecture) -> None:
    got = measured(nvrtc, architecture)
    expected = {key: row for key, row in table().items() if key[1] == architecture}
    assert {kernel for kernel, _ in got} == set(threads_of_entries())
    assert list(drift(expected, got)) == []


def test_no_kernel_spills_in_a_loop_and_every_block_fits() -> None:
    for (kernel, _), (registers, spilled, _, shared) in table().items():
        assert spilled <= SPILLED.get(kernel, 0)
        assert 2 * registers * threads_of_entries()[kernel] <= REGISTERS_OF_AN_SM  # two blocks at once
        assert shared <= 48 * 1024


def test_a_drift_says_what_changed_and_how_to_write_the_table(nvrtc) -> None:
    changed = kernel_text().replace("accumulate_threads = 256", "accumulate_threads = 512")
    sentences = list(drift({k: r for k, r in table().items() if k[1] == "sm_90"}, measured(nvrtc, "sm_90", changed)))
    assert any(s.startswith("accumulate for sm_90: ") and "shared_bytes 1024 -> 2048" in s and s.endswith(REMEDY) for s in sentences)
    assert "python -m tests.cuda_registers --write" in REMEDY


def test_a_kernel_that_came_or_went_is_a_drift() -> None:
    row = (1, 0, 0, 0)
    assert list(drift({("gone", "sm_90"): row}, {("new", "sm_90"): row})) == [
        f"gone for sm_90 is gone; {REMEDY}",
        f"new for sm_90 is new; {REMEDY}",
    ]


def test_a_kernel_that_does_not_compile_shows_the_log(nvrtc) -> None:
    with pytest.raises(RuntimeError, match=r"do not compile for sm_90: (.|\n)*undefined_word"):
        nvrtc.compile(kernel_text() + "\nENTRY(broken, 32)() { undefined_word(); }\n", "sm_90")
