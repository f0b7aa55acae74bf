"""Markers in a CT or cone-beam CT: small components of metal that stand out from their neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.registration.marker_kind import MarkerKind

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

# Above the neighbourhood: in a planning CT no cortical bone as thin as a marker reaches it; a cone-beam CT blurs markers and there the
# plan's pattern decides.
PEAK_HU, DAILY_PEAK_HU = 1100.0, 350.0
MOST_MARKERS = 40
SHARE_OF_PEAK = 0.35  # of the peak: what belongs to a component
NEIGHBOURHOOD_MM = 3.0  # beyond the marker's length: the reach of the opening that makes the neighbourhood
EXTRA_VOXELS = 3.0  # by which a marker may look longer or wider than it is
SHELL_VOXELS = 2  # around a component: where a marker is alone
SHELL_SHARE = 0.45  # of the peak that a voxel of the shell may reach, unless it is one of a few
CROWDED = 0.12  # of the shell
SD_VOXELS = 0.18  # standard deviation of a centroid along each axis of the grid, of the voxel there


@dataclass(frozen=True, slots=True, eq=False)
class VolumeMarker:
    """A marker in a volume: centroid (mm of its frame), its covariance, and its looks.

    `axis` is the unit direction of its longest extent, `length_mm` and `width_mm` how long and wide a block of that spread would be,
    voxels and blur included; `contrast_hu` the peak above its neighbourhood.
    """

    position_mm: Doubles
    covariance_mm2: Doubles
    axis: Doubles
    length_mm: float
    width_mm: float
    contrast_hu: float


def find_in_volume(
    volume: Volume, kind: MarkerKind, *, centre_mm: ArrayLike, reach_mm: float, peak_hu: float = PEAK_HU
) -> tuple[VolumeMarker, ...]:
    """All markers of a kind within reach of a place, the one that stands out most first.

    What remains of the image after a grey opening wider than a marker is metal, thin bone and noise; a component of it that is dense
    enough, no larger than the kind and alone in its neighbourhood is a marker. InputError where the place has no voxels.
    """
    centre = np.asarray(centre_mm, float)
    first, values = _cut(volume, centre, reach_mm + kind.length_mm + 2 * NEIGHBOURHOOD_MM)
    spacing = volume.grid.spacing_mm[::-1]
    width = [2 * int(np.ceil((kind.length_mm + NEIGHBOURHOOD_MM) / 2 / step)) + 1 for step in spacing]
    above = values - ndimage.grey_opening(values, size=width, mode="nearest")
    peaks = (above >= peak_hu) & (above == ndimage.maximum_filter(above, size=3, mode="nearest"))
    found: list[VolumeMarker] = []
    taken = np.zeros(above.shape, bool)
    for place in sorted(np.argwhere(peaks).tolist(), key=lambda p: -float(above[tuple(p)])):
        if taken[tuple(place)]:
            continue
        window, inside = _component(above, tuple(place), width)
        taken[window] |= inside
        marker = _measured(volume, above[window], inside, first + [s.start for s in window], kind)
        if marker is not None and np.linalg.norm(marker.position_mm - centre) <= reach_mm:
            found.append(marker)
    return tuple(found[:MOST_MARKERS])


def _cut(volume: Volume, centre_mm: Doubles, reach_mm: float) -> tuple[NDArray[np.int64], Floats]:
    """Voxels (k, j, i) of the box about a place and the index of the first."""
    grid = volume.grid
    middle = grid.index_ijk(centre_mm)[::-1]
    half = reach_mm / grid.spacing_mm[::-1]
    shape = np.array(grid.shape_kji)
    low = np.clip(np.floor(middle - half).astype(np.int64), 0, shape)
    high = np.clip(np.ceil(middle + half).astype(np.int64) + 1, 0, shape)
    if (high - low).min() < 3:
        raise InputError(f"no markers can be sought about {np.round(centre_mm, 1).tolist()} mm: the image does not show that place")
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return low, np.asarray(volume.hu[window], np.float32)


def _component(above: Floats, place: tuple[int, ...], width: list[int]) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """A window about a peak and what in it is connected with it above a share of its height."""
    window = tuple(slice(max(p - w, 0), min(p + w + 1, n)) for p, w, n in zip(place, width, above.shape, strict=True))
    labels, _ = ndimage.label(above[window] >= SHARE_OF_PEAK * above[place], structure=np.ones((3, 3, 3)))
    here = labels[tuple(p - s.start for p, s in zip(place, window, strict=True))]
    return window, np.asarray(labels == here)


def _measured(
    volume: Volume, above: Floats, inside: NDArray[np.bool_], first_kji: NDArray[np.int64], kind: MarkerKind
) -> VolumeMarker | None:
    """The marker that a component is; None where it is too large, or one of many bright things."""
    peak = float(above[inside].max())
    grown = ndimage.binary_dilation(inside, structure=np.ones((3, 3, 3)))
    shell = ndimage.binary_dilation(grown, structure=np.ones((3, 3, 3)), iterations=SHELL_VOXELS) & ~grown
    if shell.any() and float((above[shell] > SHELL_SHARE * peak).mean()) > CROWDED:
        return None
    index = np.argwhere(grown)
    weights = np.clip(above[grown].astype(np.float64), 0, None)
    places = volume.grid.position_mm((index + first_kji)[:, ::-1])
    centroid = weights @ places / weights.sum()
    off = places - centroid
    spread, axes = np.linalg.eigh((weights[:, None] * off).T @ off / weights.sum())
    extents = np.sqrt(12 * np.maximum(spread, 0))  # of a block with that second moment
    steps = np.abs(volume.grid.direction.T @ axes).T @ volume.grid.spacing_mm  # a voxel's size along each axis
    if extents[2] > kind.length_mm + EXTRA_VOXELS * steps[2] or extents[1] > kind.diameter_mm + (1 + EXTRA_VOXELS) * steps[1]:
        return None
    deviations = volume.grid.direction * (SD_VOXELS * volume.grid.spacing_mm)
    return VolumeMarker(
        position_mm=centroid,
        covariance_mm2=np.asarray(deviations @ deviations.T),
        axis=axes[:, 2],
        length_mm=float(extents[2]),
        width_mm=float(extents[:2].mean()),
        contrast_hu=peak,
    )
