"""Every instruction set and every size of the pool gives the same bits."""

import numpy as np
import pytest

from igrt.compute import cpu
from tests.parity_cases import accumulated, image, problem, scores, valid

SHAPE = (50, 41, 37)


def everything(verbs: cpu.CpuVerbs) -> list[np.ndarray]:
    return [
        verbs.shrink(image(SHAPE), (3, 2, 2)),
        verbs.normalise(image(SHAPE), valid(SHAPE), (2, 3, 4), least=20, floor_hu=60),
        *verbs.correlate(image(SHAPE), image(SHAPE, 7), valid(SHAPE), (2, 2, 2), floor_hu=60),
        verbs.draw(scores(SHAPE), np.array([1, 1.1, 2.5], np.float32), (8, 8, 8), wanted=4000, seed=3),
        accumulated(verbs, problem(9000)),
    ]


@pytest.fixture(scope="module")
def expected() -> list[np.ndarray]:
    one = cpu.CpuVerbs("baseline")
    one.set_threads(1)
    return everything(one)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits(cpu_verbs, expected, threads) -> None:
    before = cpu_verbs.threads
    cpu_verbs.set_threads(threads)
    try:
        for got, wanted in zip(everything(cpu_verbs), expected, strict=True):
            np.testing.assert_array_equal(got, wanted, strict=True)
    finally:
        cpu_verbs.set_threads(before)
