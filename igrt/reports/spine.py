"""Where the vertebral column passes, so that a picture can show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.grid import Grid
from igrt.images.records import Plan

BONE_HU, BODY_HU = 200, -300
REACH_MM = 60.0  # above and below the isocentre
MIDDLE_MM = 20.0  # from the middle plane of the body
FORWARD_MM = 22.0  # from the arches of the vertebrae to their bodies
AS_BONY = 0.6  # of the boniest place
COLUMN_MM = 25.0  # across a vertebral body


def column_mm(plan: Plan) -> NDArray[np.float64]:
    """(3,) plan LPS mm: the place at the isocentre's height where bone runs along the patient; the isocentre where nothing is.

    The share of slices within 60 mm of the isocentre that are bone, averaged over squares of 25 mm, near the middle plane in the back
    half of the body. Of the places that are almost as bony as the boniest it is the one farthest back, where the arches are, and from
    there forward to the bodies: ribs and hips come and go, and contrast medium flows in front of the spine.
    """
    grid, isocentre = plan.ct.grid, np.asarray(plan.isocentre_mm, float)
    k_axis = grid.index_ijk(isocentre)[2]
    reach = max(round(REACH_MM / float(grid.spacing_mm[2])), 1)
    hu = plan.ct.hu[max(round(k_axis) - reach, 0) : round(k_axis) + reach + 1]
    share = (hu > BONE_HU).mean(axis=0)
    smooth = _averaged(_averaged(share, COLUMN_MM / float(grid.spacing_mm[1])).T, COLUMN_MM / float(grid.spacing_mm[0])).T
    smooth *= _behind_the_middle(hu, grid)
    if not smooth.max() > 0:
        return isocentre
    bony = np.argwhere(smooth >= AS_BONY * smooth.max())
    places = grid.position_mm(np.column_stack([bony[:, 1], bony[:, 0], np.full(len(bony), k_axis)]))
    return np.asarray(places[places[:, 1].argmax()] - [0.0, FORWARD_MM, 0.0])


def _behind_the_middle(hu: NDArray[np.int16], grid: Grid) -> NDArray[np.bool_]:
    """(j, i): near the middle of the body in these slices from left to right, and towards its back (plan LPS +y) from there."""
    j, i = np.indices(hu.shape[1:])
    x_mm, y_mm, _ = grid.position_mm(np.stack([i, j, np.zeros_like(i)], axis=-1).reshape(-1, 3)).T.reshape(3, *i.shape)
    body = (hu > BODY_HU).mean(axis=0)
    whole = max(float(body.sum()), 1e-6)
    return np.asarray((y_mm >= (y_mm * body).sum() / whole) & (np.abs(x_mm - (x_mm * body).sum() / whole) <= MIDDLE_MM))


def _averaged(rows: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Along the first axis, over an odd number of rows as wide as `width`; what lies beyond the edge counts as 0."""
    half = max(round(width / 2), 1)
    sums = np.cumsum(np.pad(rows, ((half + 1, half), (0, 0))), axis=0)
    return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1))
