"""Outlines of structures where a plane cuts them, as paths of a vector picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igrt.errors import InputError
from igrt.images.masks import mask
from igrt.images.records import Structure, StructureKind
from igrt.reports.planes import Plane

DRAWN = (StructureKind.GTV, StructureKind.CTV, StructureKind.ITV, StructureKind.PTV, StructureKind.ORGAN)
TOLERANCE_PIXELS = 0.4


@dataclass(frozen=True, slots=True)
class Outline:
    """A structure's name, what it is for, and the path (SVG, pixel units) of its cut."""

    name: str
    kind: str
    path: str


def outlines(structures: Sequence[Structure], plane: Plane) -> tuple[Outline, ...]:
    """The cut of each target and organ with the plane; structures that it misses are left out."""
    cuts = ((structure, _path(structure, plane)) for structure in structures if structure.kind in DRAWN)
    return tuple(Outline(structure.name, structure.kind.value.lower(), path) for structure, path in cuts if path)


def _path(structure: Structure, plane: Plane) -> str:
    from skimage.measure import approximate_polygon, find_contours

    try:
        inside = plane.as_picture(mask(structure, plane.grid()))
    except InputError:  # no pixel of this plane lies inside, or the contours lie across its rows
        return ""
    padded = np.pad(inside, 1).astype(float)
    parts = []
    for line in find_contours(padded, 0.5):
        points = approximate_polygon(line - 1, TOLERANCE_PIXELS)
        parts.append("M" + "L".join(f"{column + 0.5:.1f} {row + 0.5:.1f}" for row, column in points) + "Z")
    return "".join(parts)
