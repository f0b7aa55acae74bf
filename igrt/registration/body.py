"""The patient in an image, without the couch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage import filters, measure

from igrt.geometry.grid import Grid

BODY_CONTRAST_HU = 300.0
NO_AIR_HU, BONE_SHARE = -350.0, 0.2  # dark that is no air, bright that is little: a field that the body fills, parted into tissue and bone
COUCH_HALF_THICKNESS_MM = 5.0
SUPERIOR = 2  # the z axis of DICOM LPS


def body(hu: NDArray[np.int16], valid: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """(k, j, i) the patient: the largest bright region once thin sheets (a couch top) are cut off, lungs filled slice by slice.

    The threshold lies between dark and bright (Otsu), whatever the scale of the image; an image without dark and bright parts, or
    whose dark part is tissue, is body wherever it is valid. Meant for voxels of a few millimetres.
    """
    bounded = np.clip(hu[valid], -1024, 3071)
    if bounded.size == 0 or bounded.min() == bounded.max():
        return valid
    threshold = float(filters.threshold_otsu(np.minimum(bounded, np.percentile(bounded, 98))))  # bone and metal do not move it
    dark, bright = bounded[bounded <= threshold], bounded[bounded > threshold]
    if not (dark.size and bright.size and bright.mean() - dark.mean() > BODY_CONTRAST_HU):
        return valid
    if dark.mean() > NO_AIR_HU and bright.size < BONE_SHARE * bounded.size:
        return valid
    shown = (hu > threshold) & valid
    core = largest(~grow(~shown, grid, COUCH_HALF_THICKNESS_MM))  # the body goes on beyond the ends of the image
    grown = grow(core, grid, COUCH_HALF_THICKNESS_MM) & shown
    across = 2 - int(np.abs(grid.direction[SUPERIOR]).argmax())  # the array axis nearest the patient's long axis
    slices = np.moveaxis(grown, across, 0)
    filled = np.moveaxis(np.stack([fill_holes(pixels) for pixels in slices]), 0, across) & valid
    return np.ascontiguousarray(filled) if filled.any() else valid


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected component; `mask` itself where there is none."""
    parts = measure.label(mask, connectivity=1)
    counts = np.bincount(parts.ravel())
    if len(counts) < 2:
        return mask
    return np.asarray(parts == 1 + int(counts[1:].argmax()))


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`mask` of one slice and what it encloses."""
    outside = measure.label(~np.pad(mask, 1), connectivity=1)
    return np.asarray(outside != outside[0, 0])[1:-1, 1:-1]


def grow(mask: NDArray[np.bool_], grid: Grid, margin_mm: float) -> NDArray[np.bool_]:
    """`mask` and the box of voxels about each of its own that reaches `margin_mm`, to the nearest voxel and at least one."""
    grown = mask
    for axis, step in enumerate(grid.spacing_mm[::-1]):
        before = np.moveaxis(grown, axis, 0)
        after = before.copy()
        for n in range(1, min(max(round(margin_mm / float(step)), 1), len(before) - 1) + 1):
            after[n:] |= before[:-n]
            after[:-n] |= before[n:]
        grown = np.moveaxis(after, 0, axis)
    return np.ascontiguousarray(grown)
