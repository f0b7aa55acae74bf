"""Block means, local scores and local correlation: every device gives what the reference gives."""

import numpy as np
import pytest

from igrt.compute import reference
from tests.parity_cases import image, valid

ROUNDING = 1  # of 2048 a standard deviation: scores are rounded once, from float32 instead of float64
CORRELATION_TOLERANCE = 1e-6


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 3, 1), (3, 2, 4), (23, 41, 37)])
def test_shrink(verbs, factors) -> None:
    hu = image((23, 41, 37))
    np.testing.assert_array_equal(verbs.shrink(hu, factors), reference.shrink(hu, factors))


def test_shrink_rounds_half_upward(verbs) -> None:
    hu = np.array([[[-3, -2, 2, 3, -32768, -32768, 32767, 32767]]], np.int16)
    assert verbs.shrink(hu, (1, 1, 2)).tolist() == [[[-2, 3, -32768, 32767]]]


@pytest.mark.parametrize(
    ("shape", "half"), [((23, 41, 37), (2, 3, 4)), ((40, 9, 8), (3, 1, 1)), ((1, 30, 7), (2, 5, 9)), ((5, 1, 1), (1, 1, 1))]
)
def test_normalise(verbs, shape, half) -> None:
    expected = reference.normalise(image(shape), valid(shape), half, least=12, floor_hu=60)
    got = verbs.normalise(image(shape), valid(shape), half, least=12, floor_hu=60)
    np.testing.assert_array_equal(got == reference.NO_SCORE, expected == reference.NO_SCORE)
    assert np.abs(got.astype(int) - expected).max() <= ROUNDING


def test_normalise_a_voxel_among_equals(verbs) -> None:
    hu = np.zeros((3, 3, 3), np.int16)
    hu[1, 1, 1] = 540
    mean, variance = 20.0, 540**2 / 27 - 20**2
    score = verbs.normalise(hu, np.ones(hu.shape, bool), (1, 1, 1), least=1, floor_hu=60)[1, 1, 1]
    assert score == pytest.approx(2048 * (540 - mean) / np.sqrt(variance + 60**2), abs=1)


@pytest.mark.parametrize(("shape", "half"), [((23, 41, 37), (2, 3, 4)), ((1, 30, 7), (2, 5, 9))])
def test_correlate(verbs, shape, half) -> None:
    first = image(shape)
    second = ((first.astype(int) + image(shape, 3)) // 2).astype(np.int16)
    expected = reference.correlate(first, second, valid(shape), half, floor_hu=60)
    got = verbs.correlate(first, second, valid(shape), half, floor_hu=60)
    for mine, theirs in zip(got, expected, strict=True):
        assert np.abs(mine - theirs).max() < CORRELATION_TOLERANCE
    assert expected[0].mean() > 0.3


def test_arrays_that_do_not_fit_are_refused(verbs) -> None:
    hu = image((4, 5, 6))
    with pytest.raises(ValueError, match="one shape"):
        verbs.normalise(hu, np.ones((4, 5, 5), bool), (1, 1, 1), least=1, floor_hu=60)
    with pytest.raises(ValueError, match="at most 7000"):
        verbs.normalise(hu, np.ones(hu.shape, bool), (10, 10, 10), least=1, floor_hu=60)
    with pytest.raises(ValueError, match="at most 7000"):
        verbs.correlate(hu, hu, np.ones(hu.shape, bool), (-1, 1, 1), floor_hu=60)
