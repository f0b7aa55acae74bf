"""Markers in a kV image: spots that look like the shadow of a small cylinder, wherever it points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from igrt.geometry.camera import XrayCamera
from igrt.registration.marker_kind import MarkerKind
from igrt.registration.marker_views import ViewSpots

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

DIRECTIONS = 12  # of a shadow that is longer than wide
FORESHORTENED = (1.0, 0.6)  # shares of its length under which a marker is seen, beside end on
BLUR_MM = 0.5  # standard deviation at the panel of what focal spot and panel add to a shadow
SURROUND = 1.6  # times the shadow's size: what it is held against
LEAST_LIKENESS = 0.47  # correlation of the image with the shadow, in its surround
LEAST_STANDING_OUT = 4.5  # times the robust deviation of all responses
APART = 0.75  # of a marker's diameter and length: nearer spots are one
MOST_SPOTS = 40
FLOOR_SD_PX = 0.12
DEVIATION_OF_MEDIAN = 1.4826
CENTRING_ROUNDS = 8
CENTRING_GAIN = 1.5  # a weight as wide as the shadow goes half of the way in a round


@dataclass(frozen=True, slots=True, eq=False)
class _Shadow:
    """A template: zero mean, unit norm, odd size."""

    kernel: Floats
    ones: Floats  # where it looks


def find_in_image(
    integrals: Floats, seen: NDArray[np.bool_], camera: XrayCamera, kind: MarkerKind, *, centre_fixed_mm: Doubles, reach_mm: float
) -> ViewSpots:
    """The spots of an image of line integrals (rows, columns) that a marker within reach of a place in the room can be.

    A bank of shadows (end on, foreshortened, in all directions) is correlated with the image; a spot is a maximum that resembles its shadow
    and stands out from all other places. Pixels that are not `seen` (collimated away, dead) are left out, and so is what lies beside
    them by less than a shadow. At most 40 spots, the clearest first; their deviations follow from the noise beside them.
    """
    scale = camera.distance_mm / camera.sad_mm / camera.spacing_mm[0]
    bank = _bank(kind, scale, BLUR_MM / camera.spacing_mm[0])
    size = max(shadow.kernel.shape[0] for shadow in bank)
    region = _region(camera, centre_fixed_mm, reach_mm, scale)
    valid = cv2.erode((seen & np.isfinite(integrals)).astype(np.uint8), np.ones((size, size), np.uint8), borderValue=0).astype(bool)
    window = _window(region & valid, size, integrals.shape)
    if window is None:
        return ViewSpots(camera, np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    image = np.where(seen & np.isfinite(integrals), integrals, np.float32(0))[window].astype(np.float32)
    response, which = _responses(image, bank)
    usable = (region & valid)[window]
    noise = max(DEVIATION_OF_MEDIAN * float(np.median(np.abs(response[usable]))), 1e-9)
    apart = max(3, int(APART * scale * (kind.diameter_mm + kind.length_mm) / 2) * 2 + 1)
    top = response == cv2.dilate(response, np.ones((apart, apart), np.uint8))
    peaks = np.argwhere(usable & top & (response >= LEAST_STANDING_OUT * noise))
    peaks = peaks[np.argsort(-response[peaks[:, 0], peaks[:, 1]], kind="stable")]
    spots = [(int(r), int(c)) for r, c in peaks if _likeness(image, bank[which[r, c]], int(r), int(c)) >= LEAST_LIKENESS][:MOST_SPOTS]
    corner = np.array([window[1].start, window[0].start])
    strengths = np.array([float(response[at]) / noise for at in spots])
    pixels = np.array([_centroid(image, bank[which[at]], *at) + corner for at in spots]).reshape(-1, 2)
    spread = np.hypot(FLOOR_SD_PX, scale * kind.diameter_mm / np.maximum(strengths, 1.0))
    return ViewSpots(camera, pixels, spread, strengths)


def _bank(kind: MarkerKind, scale: float, blur_px: float) -> list[_Shadow]:
    """Shadows of every direction and foreshortening; `scale` is pixels per mm at the isocentre."""
    shadows = [_shadow(kind.diameter_mm * scale, kind.diameter_mm * scale, 0.0, blur_px)]
    if kind.length_mm < 1.3 * kind.diameter_mm:
        return shadows
    for share in FORESHORTENED:
        length = max(share * kind.length_mm, kind.diameter_mm) * scale
        shadows += [_shadow(kind.diameter_mm * scale, length, math.pi * n / DIRECTIONS, blur_px) for n in range(DIRECTIONS)]
    return shadows


def _shadow(width_px: float, length_px: float, turn: float, blur_px: float) -> _Shadow:
    """The path through a blurred cylinder seen from its side, less its mean over its surround."""
    half = math.ceil(SURROUND * max(length_px, width_px) / 2 + 2 * blur_px + 1)
    fine = 5
    at = (np.arange((2 * half + 1) * fine) - ((2 * half + 1) * fine - 1) / 2) / fine
    y, x = np.meshgrid(at, at, indexing="ij")
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    path = np.sqrt(np.clip(1 - (2 * across / width_px) ** 2, 0, None)) * (np.abs(along) <= length_px / 2)
    path = cv2.GaussianBlur(path.astype(np.float32), (0, 0), max(blur_px * fine, 0.3))
    block = path.reshape(2 * half + 1, fine, 2 * half + 1, fine).mean(axis=(1, 3))
    y, x = np.meshgrid(np.arange(-half, half + 1), np.arange(-half, half + 1), indexing="ij")
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    reach_along, reach_across = (SURROUND * n / 2 + 2 * blur_px + 0.5 for n in (length_px, max(width_px, 0.4 * length_px)))
    ones = ((np.abs(along) <= reach_along) & (np.abs(across) <= reach_across)).astype(np.float32)
    kernel = (block - block[ones > 0].mean()) * ones
    return _Shadow(np.asarray(kernel / np.linalg.norm(kernel), np.float32), ones)


def _responses(image: Floats, bank: list[_Shadow]) -> tuple[Floats, NDArray[np.int64]]:
    """At each pixel the best shadow's amplitude and its number."""
    best = np.full(image.shape, -np.inf, np.float32)
    which = np.zeros(image.shape, np.int64)
    level = image - np.float32(image.mean())  # keeps sums small
    for number, shadow in enumerate(bank):
        amount = cv2.filter2D(level, cv2.CV_32F, shadow.kernel, borderType=cv2.BORDER_REPLICATE)
        better = amount > best
        np.copyto(best, amount, where=better)
        which[better] = number
    return best, which


def _likeness(image: Floats, shadow: _Shadow, row: int, column: int) -> float:
    """Correlation of the image with a shadow in its surround; 0 at the rim."""
    half = shadow.kernel.shape[0] // 2
    if row < half or column < half:
        return 0.0
    patch = image[row - half : row + half + 1, column - half : column + half + 1]
    if patch.shape != shadow.kernel.shape:
        return 0.0
    inside = patch[shadow.ones > 0].astype(float)
    spread = float(np.linalg.norm(inside - inside.mean()))
    return float((patch * shadow.kernel).sum()) / spread if spread > 0 else 0.0


def _centroid(image: Floats, shadow: _Shadow, row: int, column: int) -> Doubles:
    """(column, row) of the weight above the plane through what surrounds a shadow, weighed by the shadow itself; settles in few rounds."""
    half = shadow.kernel.shape[0] // 2
    at = np.arange(-half - 2, half + 3)
    patch = cv2.getRectSubPix(image, (2 * half + 5, 2 * half + 5), (float(column), float(row))).astype(float)
    y, x = np.meshgrid(at, at, indexing="ij")
    inner = np.pad(shadow.kernel > 0, 2)
    around = np.pad(shadow.ones > 0, 2) & ~cv2.dilate(inner.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if int(around.sum()) < 6:
        around = ~inner
    plane = np.column_stack([np.ones(int(around.sum())), x[around], y[around]])
    level, *_ = np.linalg.lstsq(plane, patch[around], rcond=None)
    above = patch - level[0] - level[1] * x - level[2] * y
    template = np.pad(np.clip(shadow.kernel, 0, None), 2).astype(np.float32)
    place = np.zeros(2)
    for _ in range(CENTRING_ROUNDS):
        shift = np.array([[1.0, 0.0, place[0]], [0.0, 1.0, place[1]]], np.float32)
        weight = cv2.warpAffine(template, shift, template.shape[::-1]) * np.clip(above, 0, None)
        total = float(weight.sum())
        if not total > 0:
            break
        moved = np.array([float((weight * x).sum()), float((weight * y).sum())]) / total
        place = np.clip(place + CENTRING_GAIN * (moved - place), -half / 2, half / 2)
    return np.array([column, row]) + place


def _region(camera: XrayCamera, centre_fixed_mm: Doubles, reach_mm: float, scale: float) -> NDArray[np.bool_]:
    """Pixels whose rays may pass within reach of a place."""
    column, row = camera.pixel_of(centre_fixed_mm)
    radius = 1.1 * scale * reach_mm
    rows, columns = np.arange(camera.shape[0])[:, None], np.arange(camera.shape[1])
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)


def _window(where: NDArray[np.bool_], margin: int, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The smallest window that holds them and a margin."""
    if not where.any():
        return None
    spans = [np.flatnonzero(where.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(max(int(s[0]) - margin, 0), min(int(s[-1]) + margin + 1, n)) for s, n in zip(spans, shape, strict=True))
    return rows, columns
