"""The draw of samples and the normal equations: every device gives what the reference gives."""

import numpy as np
import pytest

from igrt.compute import reference
from tests.parity_cases import accumulated, problem, scores

SUMS_TOLERANCE = 1e-5  # relative to the largest that a sum of its kind can be: float32 terms, 64 of them in a lane
MARGIN = 2e-4  # share of draws that a float32 probability may decide the other way


@pytest.mark.parametrize("shape", [(23, 41, 37), (1, 60, 50), (7, 40, 1)])
def test_draw(verbs, shape) -> None:
    values, spacing = scores(shape), np.array([1, 1.1, 2.5], np.float32)
    expected = reference.draw(values, spacing, (8, 16, 8), wanted=3000 if shape[0] > 20 else 300, seed=9)
    got = verbs.draw(values, spacing, (8, 16, 8), wanted=3000 if shape[0] > 20 else 300, seed=9)
    differ = set(map(tuple, expected.tolist())) ^ set(map(tuple, got.tolist()))
    assert len(differ) <= MARGIN * values.size
    if not differ:
        np.testing.assert_array_equal(got, expected)


def test_nothing_is_drawn_where_nothing_changes(verbs) -> None:
    for flat in (np.zeros((5, 6, 7), np.int16), np.full((5, 6, 7), reference.NO_SCORE, np.int16)):
        assert verbs.draw(flat, np.ones(3, np.float32), (4, 4, 4), wanted=100, seed=1).shape == (0, 3)


@pytest.mark.parametrize("count", [0, 1, 17, 1024, 5000])
def test_accumulate(verbs, count) -> None:
    p = problem(count)
    expected, got = accumulated(reference, p), accumulated(verbs, p)
    assert got.shape == expected.shape == (-(-count // 1024), 32)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[:, reference.INSIDE_COUNT], expected[:, reference.INSIDE_COUNT])
    if count > 100:
        assert 100 < expected[:, reference.INSIDE_COUNT].sum() < 0.9 * count
        matrix, rest = slice(0, reference.MATRIX_TERMS), slice(reference.ROBUST_COST, reference.TERMS)
        # A normal vector is a sum of terms that cancel: at most the root of (largest diagonal times the squares), by Cauchy and Schwarz.
        largest = np.sqrt(expected[:, matrix].max() * expected[:, reference.WEIGHTED_SQUARES].max())
        for kind, size in ((matrix, expected[:, matrix].max()), (reference.NORMAL_VECTOR, largest), (rest, expected[:, rest].max())):
            assert np.abs(got[:, kind] - expected[:, kind]).max() < SUMS_TOLERANCE * size


def test_samples_that_are_not_numbers_do_not_count(verbs) -> None:
    p = problem(64)
    p["positions_mm"][0, :] = np.nan
    assert accumulated(verbs, p)[0, reference.INSIDE_COUNT] == 0


def test_the_normal_vector_is_the_slope_of_the_squares(verbs) -> None:
    """With a large scale the weights are one: half the sum of squares falls along the normal vector."""
    i, j, k = np.meshgrid(np.arange(37), np.arange(41), np.arange(23), indexing="ij")
    smooth = (2000 * np.sin(i / 5) * np.cos(j / 6) * np.sin(k / 4 + 1)).transpose(2, 1, 0).astype(np.int16)
    p = problem(4000) | {"scores": np.ascontiguousarray(smooth), "scale": 1e3, "positions_mm": problem(4000)["positions_mm"] * 0.4}
    gradient = accumulated(verbs, p).sum(axis=0)[reference.NORMAL_VECTOR]

    def squares(axis: int, step: float) -> float:
        moved = dict(p)
        if axis < 3:
            moved["translation_mm"] = p["translation_mm"] + step * np.eye(3)[axis]
        else:
            turn = np.eye(3) + step * np.cross(np.eye(3), np.eye(3)[axis - 3])
            moved["rotation"], moved["translation_mm"] = turn @ p["rotation"], turn @ p["translation_mm"]
        return accumulated(verbs, moved).sum(axis=0)[reference.WEIGHTED_SQUARES] / 2

    for axis in range(6):
        step = 0.02 if axis < 3 else 0.002
        slope = (squares(axis, step) - squares(axis, -step)) / (2 * step)
        assert slope == pytest.approx(gradient[axis], rel=0.03, abs=0.01 * np.abs(gradient).max())
