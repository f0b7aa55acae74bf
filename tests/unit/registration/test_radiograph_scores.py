"""Local scores: blind to gain and slow shading, and their derivatives those of the scores."""

import numpy as np

from igrt.registration.radiograph_evidence import inverse_along, leave_one_out_mm, observability, total
from igrt.registration.radiograph_scores import local_correlation, local_scores, score_derivatives, window_mean
from igrt.registration.radiograph_solver import ViewSums

WINDOW = 9


def image(seed: int = 0, shape=(40, 50)) -> np.ndarray:
    rough = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return window_mean(rough, 5) * 4 + 2


def test_scores_do_not_see_gain_and_offset() -> None:
    plain, _, _ = local_scores(image(), WINDOW)
    other, _, _ = local_scores(3 * image() + 7, WINDOW)
    assert np.corrcoef(plain.ravel(), other.ravel())[0, 1] > 0.999
    assert np.abs(local_scores(np.full((20, 20), 5.0, np.float32), WINDOW)[0]).max() < 1e-3


def test_derivatives_are_those_of_the_scores() -> None:
    base, change = image(1).astype(np.float32), image(2)
    scores, mean, deviation = local_scores(base, WINDOW)
    got = score_derivatives(base, change[None], scores, mean, deviation, WINDOW)[0]
    step = np.float32(1e-2)
    ahead, back = (local_scores(base + sign * step * change, WINDOW)[0].astype(float) for sign in (1, -1))
    expected = (ahead - back) / (2 * step)
    assert np.isfinite(got).all()
    assert np.abs(got - expected).max() < 2e-2 * np.abs(expected).max()


def test_correlation_of_a_picture_with_itself_and_its_negative() -> None:
    for sign in (1, -1):
        values, weights = local_correlation(image(), sign * image(), WINDOW)
        assert np.abs(values - sign).max() < 1e-2
        assert ((weights >= 0) & (weights < 1)).all()


def sums(matrix, gradient) -> ViewSums:
    gradients = np.zeros((16, 6))
    gradients[0] = gradient
    return ViewSums(gradients=gradients, matrix=np.asarray(matrix, float), cost=0.0, pixels=1.0, seen=1.0, inliers=1.0)


def test_leaving_one_out_moves_the_pose_by_what_the_others_say() -> None:
    first, second = sums(np.eye(6), [0.3, 0, 0, 0, 0, 0]), sums(np.eye(6), [-0.3, 0, 0, 0, 0, 0])
    matrix, gradient = total([first, second])
    np.testing.assert_array_equal(matrix, 2 * np.eye(6))
    np.testing.assert_array_equal(gradient, np.zeros(6))
    assert abs(leave_one_out_mm([first, second]) - 0.3) < 1e-12


def test_what_nothing_shows_does_not_move() -> None:
    """Along an axis that the other image shows too little of, there is no move to speak of."""
    flat = np.diag([1.0, 1, 1e-6, 1, 1, 1])
    assert leave_one_out_mm([sums(flat, [0, 0, 1, 0, 0, 0]), sums(flat, [0, 0, -1, 0, 0, 0])]) == 0.0


def test_observability_and_inverse_along_the_motions_sought() -> None:
    matrix = np.diag([4.0, 2, 0, 4, 4, 4])
    assert observability(matrix, np.eye(6)) == 0.0
    seen = np.delete(np.eye(6), 2, axis=1)
    assert observability(matrix, seen) == 0.5
    np.testing.assert_allclose(inverse_along(matrix, seen), np.diag([0.25, 0.5, 0, 0.25, 0.25, 0.25]))
    assert observability(-np.eye(6), np.eye(6)) == 0.0
