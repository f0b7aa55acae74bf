"""The emulated GPU sees planted faults, runs a kernel without one, and gives the same bits in any order of threads."""

import numpy as np
import pytest

from igrt.compute.cpu import load_native
from igrt.compute.emulation import EmulatedRuntime, emulated_verbs
from igrt.compute.gpu import GpuVerbs
from igrt.compute.kernel_source import threads_of_entries
from tests.parity_cases import accumulated, image, problem, scores, valid

NATIVE = load_native("emulation")
BLOCKS, THREADS = 4, 64
SEEDS = range(5)
WROTE = r"at planted.hpp:\d+, which thread \d+ of the launch wrote"
FAULTS = {
    "planted_race": rf"race: block \d+ thread \d+ writes shared array of planted.hpp:\d+\[\d+\] {WROTE}",
    "planted_race_of_blocks": rf"race: block \d+ thread \d+ writes argument 1\[\d+\] {WROTE}",
    "planted_missing_barrier": r"race: .* with no barrier between",
    "planted_divergent_barrier": r"divergent barrier: in block \d+ a thread waits at planted.hpp:\d+, thread 32 has ended",
    "planted_two_barriers": r"divergent barrier: in block \d+ a thread waits at planted.hpp:\d+, thread \d+ waits at planted.hpp:\d+",
    "planted_divergent_shuffle": r"divergent exchange: in block \d+ thread 0 exchanges at .*, thread 16 of the same warp does not",
    "planted_overrun_read": r"overrun: block 3 thread 63 reads argument 0\[256\] of 256 at planted.hpp:\d+",
    "planted_overrun_write": r"overrun: block 0 thread 0 touches argument 1\[-1\] of 256 at planted.hpp:\d+",
    "planted_overrun_shared": r"overrun: block \d+ thread 63 touches shared array of planted.hpp:\d+\[64\] of 64",
    "planted_unknown": r"unknown: block \d+ thread 0 reads shared array of planted.hpp:\d+\[0\] .* no thread of its block has written",
}


def launch(name: str, seed: int) -> np.ndarray:
    numbers, out = np.arange(BLOCKS * THREADS, dtype=np.int32), np.zeros(BLOCKS * THREADS, np.int32)
    NATIVE.launch(name, BLOCKS, [numbers, out], seed)
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kernel_without_a_fault_runs(seed) -> None:
    sums = np.arange(BLOCKS * THREADS).reshape(BLOCKS, THREADS).sum(axis=1)
    np.testing.assert_array_equal(launch("planted_control", seed)[:BLOCKS], sums)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name, seed) -> None:
    with pytest.raises(NATIVE.Fault, match=FAULTS[name]):
        launch(name, seed)


def test_every_planted_fault_is_tested() -> None:
    assert set(NATIVE.planted()) == {"planted_control", *FAULTS}


def test_a_launch_after_a_fault_runs_as_ever() -> None:
    for name in FAULTS:
        with pytest.raises(NATIVE.Fault):
            launch(name, 1)
        launch("planted_control", 1)


def test_arguments_that_do_not_fit_are_refused() -> None:
    numbers = np.zeros(256, np.int32)
    with pytest.raises(ValueError, match="1 arguments, not 2"):
        NATIVE.launch("planted_control", BLOCKS, [numbers], 1)
    with pytest.raises(ValueError, match="no entry point is named sparc"):
        NATIVE.launch("sparc", BLOCKS, [], 1)
    with pytest.raises(ValueError, match="no blocks"):
        NATIVE.launch("planted_control", 0, [numbers, numbers], 1)
    with pytest.raises((RuntimeError, TypeError)):
        NATIVE.launch("planted_control", BLOCKS, [numbers.astype(np.int64), numbers], 1)
    with pytest.raises(ValueError, match="by value has 4 bytes, not 12"):
        NATIVE.launch("shrink", 1, [numbers.astype(np.int16), *(3 * [bytes(4)]), numbers.astype(np.int16)], 1)


def test_the_emulation_has_every_entry_point_that_nvrtc_compiles() -> None:
    assert NATIVE.entries() == threads_of_entries()


def everything(verbs: GpuVerbs) -> list[np.ndarray]:
    shape = (9, 20, 18)
    return [
        verbs.shrink(image(shape), (3, 2, 2)),
        verbs.normalise(image(shape), valid(shape), (2, 3, 4), least=20, floor_hu=60),
        *verbs.correlate(image(shape), image(shape, 7), valid(shape), (2, 2, 2), floor_hu=60),
        verbs.draw(scores(shape), np.array([1, 1.1, 2.5], np.float32), (8, 8, 8), wanted=900, seed=3),
        accumulated(verbs, problem(5000)),
    ]


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_same_bits_in_any_order_of_blocks_and_threads(seed) -> None:
    for one, other in zip(everything(emulated_verbs(1)), everything(emulated_verbs(seed)), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def test_accesses_are_counted() -> None:
    runtime = EmulatedRuntime()
    GpuVerbs(runtime).shrink(image((4, 6, 8)), (2, 2, 2))
    assert (runtime.launches["shrink"], runtime.reads["shrink"], runtime.writes["shrink"]) == (1, 2 * 4 * 6 * 8, 2 * 2 * 3 * 4)
    assert (runtime.uploaded, runtime.downloaded, runtime.answers) == (2 * 4 * 6 * 8, 2 * 2 * 3 * 4, 1)
    assert runtime.arrays["shrink"] == runtime.reads["shrink"] + runtime.writes["shrink"]
