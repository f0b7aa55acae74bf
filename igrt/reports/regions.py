"""How the parts of the anatomy lie, where they do not lie as one: arrows on the planning CT, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from igrt.geometry.motion import RigidMotion
from igrt.images.records import Daily, Plan
from igrt.reports.overlay import PLAIN
from igrt.reports.pictures import Arrow, Picture, Row, framed
from igrt.reports.planes import Plane, planes_through, resample
from igrt.reports.png import data_uri
from igrt.reports.words import figure
from igrt.verification.anatomy import place_words

CODES = ("anatomy_changed", "evidence_regions", "evidence_target", "evidence_stretch")
PLANES = ("Sagittal", "Coronal")
LENGTHENED = 10.0  # arrows are so many times as long as the displacement
MOST_ROWS, LEAST_MM = 8, 1.0
# Axis of plan LPS, towards its positive and its negative end.
_TOWARDS = (("left", "right"), ("back", "front"), ("head", "feet"))


class Moved(NamedTuple):
    """A line of the table: where a part is, how far it lies from its place, which way, and how sure that is."""

    place: str
    distance_mm: float
    way: str
    sd_mm: float
    far: bool


def shown(answer: Mapping[str, Any]) -> bool:
    """Whether a finding is about the parts of the anatomy, and there are some."""
    return bool(answer["match"].get("regions")) and any(finding["code"] in CODES for finding in answer["findings"])


def region_rows(answer: Mapping[str, Any], plan: Plan) -> tuple[Moved, ...]:
    """The parts that lie farthest from their place, the farthest first; those that hardly lie elsewhere are left out."""
    moved = [
        Moved(
            place=place_words(region["centre_mm"], plan),
            distance_mm=float(np.linalg.norm(region["displacement_mm"])),
            way=way(region["displacement_mm"]),
            sd_mm=region["sd_mm"],
            far=_far(region, answer),
        )
        for region in answer["match"]["regions"]
    ]
    elsewhere = [row for row in moved if row.distance_mm >= LEAST_MM]
    return tuple(sorted(elsewhere, key=lambda row: -row.distance_mm)[:MOST_ROWS])


def way(displacement_mm: Sequence[float]) -> str:
    """Such as `3.9 mm toward the head, 1.2 mm toward the left`: the components that show, the longest first."""
    parts = [(abs(value), f"{figure(abs(value))} mm toward the {_TOWARDS[axis][value < 0]}") for axis, value in enumerate(displacement_mm)]
    return ", ".join(words for length, words in sorted(parts, reverse=True) if length >= 0.5) or "less than 0.5 mm along each axis"


def region_pictures(answer: Mapping[str, Any], plan: Plan, daily: Daily, start: RigidMotion) -> tuple[Row, ...]:
    """Sagittal and coronal plane of the planning CT through the isocentre, as wide as the image, with an arrow for each part."""
    everywhere = np.ones(plan.ct.grid.shape_kji, bool)
    rows = []
    for plane in planes_through(plan.isocentre_mm, plan=plan.ct.grid, daily=daily.volume.grid, poses=[start]):
        if plane.name in PLANES:
            grey = np.nan_to_num(PLAIN.grey(resample(plan.ct, plane.points_mm, plane.shape, shown=everywhere)))
            rgb = np.repeat(np.rint(grey * 255).astype(np.uint8)[..., None], 3, axis=-1)
            label = f"{plane.name} plane of the planning CT with arrows from where parts of the anatomy belong to where they lie"
            row = framed(plan, plane, [Picture(plane.name, label, data_uri(rgb))], drawn=False)
            rows.append(replace(row, arrows=tuple(_arrow(region, plane, answer) for region in answer["match"]["regions"])))
    return tuple(sorted(rows, key=lambda row: PLANES.index(row.name)))


def _arrow(region: Mapping[str, Any], plane: Plane, answer: Mapping[str, Any]) -> Arrow:
    begin: Any = np.asarray(region["centre_mm"], float)
    moved = np.asarray(region["displacement_mm"], float)
    (column, row), (to_column, to_row) = plane.pixel_of(begin), plane.pixel_of(begin + LENGTHENED * moved)
    return Arrow((column + 0.5, row + 0.5), (to_column + 0.5, to_row + 0.5), _far(region, answer), way(region["displacement_mm"]))


def _far(region: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Farther than the least limit that a finding about the parts names in mm."""
    limits = [f["limit"] for f in answer["findings"] if f["code"] in CODES and f["unit"] == "mm" and f["limit"] is not None]
    return bool(limits) and float(np.linalg.norm(region["displacement_mm"])) - region["sd_mm"] > min(limits)
