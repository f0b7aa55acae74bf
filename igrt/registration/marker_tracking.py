"""One frame during the beam: how far the verified markers are seen to have moved in the plane of one image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from igrt.geometry.camera import XrayCamera
from igrt.registration.marker_image import find_in_image
from igrt.registration.marker_kind import MarkerKind

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

REACH_MM = 15.0  # about the verified places: a marker that has gone farther is not followed, and the frame not judged
AGREE_MM = 1.5  # between markers that move together, beyond three of their deviations
DEVIATIONS = 3.0
LEAST_MARKERS = 2  # of one frame: one alone may be something else
LEAST_LIKENESS = 0.5
FLOOR_SD_MM = 0.05


@dataclass(frozen=True, slots=True)
class SeenDisplacement:
    """What one frame shows, in mm at the isocentre along receptor +x and +y, with standard deviations.

    The depth, along the beam, is not seen: `unseen` is its direction in the room, a unit vector.
    `support` counts the markers that agree (0: a template).
    """

    across_mm: float
    along_mm: float
    across_sd_mm: float
    along_sd_mm: float
    unseen: tuple[float, float, float]
    support: int

    @property
    def length_mm(self) -> float:
        """Within the plane: the patient has moved by no less."""
        return math.hypot(self.across_mm, self.along_mm)

    @property
    def finite(self) -> bool:
        """Whether every number is one, and no deviation negative."""
        numbers = (self.across_mm, self.along_mm, self.across_sd_mm, self.along_sd_mm, *self.unseen)
        return all(map(math.isfinite, numbers)) and min(self.across_sd_mm, self.along_sd_mm) >= 0


def track_markers(
    integrals: Floats, seen: NDArray[np.bool_], camera: XrayCamera, kind: MarkerKind, *, verified_fixed_mm: Doubles
) -> SeenDisplacement | None:
    """The common displacement of markers (n, 3) from their verified places in the room (mm); None where fewer than two agree.

    Each spot near a verified place says one displacement; that which most markers agree on is taken. Where two disjoint groups are as
    large, the frame cannot be judged.
    """
    scale = camera.distance_mm / camera.sad_mm / np.array([camera.spacing_mm[1], camera.spacing_mm[0]])
    centre = verified_fixed_mm.mean(axis=0)
    reach = float(np.linalg.norm(verified_fixed_mm - centre, axis=1).max()) + REACH_MM
    spots = find_in_image(integrals, seen, camera, kind, centre_fixed_mm=centre, reach_mm=reach)
    expected = camera.pixel_of(verified_fixed_mm)
    off = (spots.pixels[None] - expected[:, None]) / scale  # (markers, spots, 2) mm at the isocentre
    marker, spot = np.nonzero(np.linalg.norm(off, axis=2) <= REACH_MM)
    moves, spread = off[marker, spot], spots.sd_px[spot] / scale.min()
    groups = [_agreeing(moves, spread, marker, spot, n) for n in range(len(moves))]
    largest = max((len(group) for group in groups), default=0)
    best = {group for group in groups if len(group) == largest}
    if largest < LEAST_MARKERS:
        return None
    chosen = min(best, key=lambda group: float(np.var(moves[list(group)], axis=0).sum()))
    mean, deviation = _weighted(moves[list(chosen)], spread[list(chosen)])
    for other in best:
        if np.linalg.norm(moves[list(other)].mean(axis=0) - mean) > 2 * AGREE_MM:
            return None
    return _in_receptor(camera, mean, deviation, support=largest)


def track_template(
    frame: Floats, seen: NDArray[np.bool_], template: Floats, camera: XrayCamera, *, centre_fixed_mm: Doubles, half_mm: float
) -> SeenDisplacement | None:
    """The displacement of a region of the verified radiograph (`template`, line integrals as the frame) by local correlation.

    The region is a square about a place in the room, `half_mm` to either side at the isocentre. None where it is not all seen, resembles
    itself nowhere by 0.5, does so at the rim of the search, or at a second place nearly as well.
    """
    scale = camera.distance_mm / camera.sad_mm / camera.spacing_mm[0]
    column, row = np.rint(camera.pixel_of(centre_fixed_mm)).astype(int)
    half, reach = math.ceil(half_mm * scale), math.ceil(REACH_MM * scale)
    outer = (slice(row - half - reach, row + half + reach + 1), slice(column - half - reach, column + half + reach + 1))
    if min(outer[0].start, outer[1].start) < 0 or outer[0].stop > frame.shape[0] or outer[1].stop > frame.shape[1]:
        return None
    if not (seen[outer].all() and np.isfinite(frame[outer]).all()):
        return None
    inner = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    if not np.isfinite(template[inner]).all() or not float(template[inner].std()) > 0 or not float(frame[outer].std()) > 0:
        return None
    scores = cv2.matchTemplate(np.ascontiguousarray(frame[outer]), np.ascontiguousarray(template[inner]), cv2.TM_CCOEFF_NORMED)
    peak = np.unravel_index(int(scores.argmax()), scores.shape)
    if not scores[peak] >= LEAST_LIKENESS or min(peak) < 1 or max(peak) > 2 * reach - 1:
        return None
    step, curvature = _paraboloid(scores[peak[0] - 1 : peak[0] + 2, peak[1] - 1 : peak[1] + 2])
    if step is None:
        return None
    elsewhere = scores.copy()
    apart = max(2, math.ceil(3.0 * scale))
    elsewhere[max(peak[0] - apart, 0) : peak[0] + apart + 1, max(peak[1] - apart, 0) : peak[1] + apart + 1] = -1
    if float(elsewhere.max()) > 0.9 * float(scores[peak]):
        return None
    off = (np.array([peak[1], peak[0]]) + step - reach) / scale
    noise = np.sqrt(max(1 - float(scores[peak]), 1e-4) / scores.size)  # what correlation wanders by where nothing moves
    deviation = np.hypot(FLOOR_SD_MM, noise / curvature / scale)
    return _in_receptor(camera, off, np.array([deviation, deviation]), support=0)


def _agreeing(moves: Doubles, spread: Doubles, marker: NDArray[np.intp], spot: NDArray[np.intp], one: int) -> tuple[int, ...]:
    """The moves that agree with one, the nearest of each marker and of each spot."""
    apart = np.linalg.norm(moves - moves[one], axis=1)
    near = np.flatnonzero(apart <= AGREE_MM + DEVIATIONS * np.hypot(spread, spread[one]))
    taken: list[int] = []
    for n in near[np.argsort(apart[near], kind="stable")].tolist():
        if all(marker[n] != marker[m] and spot[n] != spot[m] for m in taken):
            taken.append(n)
    return tuple(sorted(taken))


def _weighted(moves: Doubles, spread: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and its standard deviation along columns and rows: from the spots' own deviations, or from how they disagree if that is more."""
    weights = 1 / spread**2
    mean = weights @ moves / weights.sum()
    own = 1 / weights.sum()
    between = weights @ (moves - mean) ** 2 / weights.sum() / max(len(moves) - 1, 1)
    return mean, np.sqrt(np.maximum(own, between) + FLOOR_SD_MM**2)


def _paraboloid(scores: NDArray[Any]) -> tuple[Doubles | None, float]:
    """From the middle of nine scores to their maximum (column, row), and the root of the least curvature; None where there is none."""
    p = scores.astype(float)
    gx, gy = (p[1, 2] - p[1, 0]) / 2, (p[2, 1] - p[0, 1]) / 2
    hessian = np.array([[p[1, 0] - 2 * p[1, 1] + p[1, 2], 0.0], [0.0, p[0, 1] - 2 * p[1, 1] + p[2, 1]]])
    hessian[0, 1] = hessian[1, 0] = (p[2, 2] - p[2, 0] - p[0, 2] + p[0, 0]) / 4
    values = np.linalg.eigvalsh(hessian)
    if not values[-1] < 0:
        return None, 0.0
    step = -np.linalg.solve(hessian, np.array([gx, gy]))
    return (step if np.abs(step).max() <= 1 else None), float(np.sqrt(-values[-1]))


def _in_receptor(camera: XrayCamera, off: Doubles, deviation: Doubles, *, support: int) -> SeenDisplacement:
    """From mm along columns and rows to receptor axes."""
    axes = camera.orientation.reshape(2, 3)[:, :2].T
    across, along = (float(value) for value in axes @ off)
    across_sd, along_sd = (float(value) for value in np.sqrt(axes**2 @ deviation**2))
    x, y, z = camera.view_axis_fixed.tolist()
    return SeenDisplacement(across, along, across_sd, along_sd, (x, y, z), support)
