"""Local scores of a radiograph: how far a pixel is from its window's mean, in standard deviations; and how they change with the pose."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FLOOR = 0.05  # of line integrals: contrast below it is noise, scatter and quantisation
SCORE_FLOOR2 = np.float32(FLOOR**2)


def window_mean(image: Floats, window: int) -> Floats:
    """Mean over a square window of so many pixels, mirrored at the edges."""
    return np.asarray(cv2.boxFilter(image, -1, (window, window), borderType=cv2.BORDER_REFLECT), np.float32)


def local_scores(image: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """`(image - mean) / deviation` with `deviation = sqrt(variance + floor^2)` over a window; scores, means, deviations."""
    mean = window_mean(image, window)
    variance = np.maximum(window_mean(image * image, window) - mean * mean, 0)
    deviation = np.asarray(np.sqrt(variance + SCORE_FLOOR2), np.float32)
    return np.asarray((image - mean) / deviation, np.float32), mean, deviation


def score_derivatives(image: Floats, derivatives: Floats, scores: Floats, mean: Floats, deviation: Floats, window: int) -> Floats:
    """(n, rows, columns): how the scores change where the image changes by `derivatives` (n, rows, columns).

    `(d - mean(d)) / deviation - score (mean(image d) - mean mean(d)) / deviation^2`.
    """
    out = np.empty_like(derivatives)
    for n, change in enumerate(derivatives):
        mean_change = window_mean(change, window)
        covariance = window_mean(image * change, window) - mean * mean_change
        out[n] = (change - mean_change) / deviation - scores * covariance / (deviation * deviation)
    return out


def local_correlation(first: Floats, second: Floats, window: int) -> tuple[Floats, Floats]:
    """Correlation in each window, and its weight: how much contrast both images have there, in [0, 1)."""
    means = [window_mean(image, window) for image in (first, second)]
    variances = [np.maximum(window_mean(i * i, window) - m * m, 0) for i, m in zip((first, second), means, strict=True)]
    covariance = window_mean(first * second, window) - means[0] * means[1]
    contrast = np.sqrt(variances[0] * variances[1])
    return covariance / (contrast + np.float32(1e-9)), contrast / (contrast + SCORE_FLOOR2)
