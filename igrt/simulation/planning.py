"""The planning side: a CT of the anatomy on the scanner's own grid and couch, and the structures drawn on its slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.measure import find_contours

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.images.records import Structure
from igrt.simulation.anatomy import Anatomy, Organ
from igrt.simulation.couches import CT_COUCH
from igrt.simulation.markers import Seed, implant
from igrt.simulation.phantoms import Phantom, Placed, lattice, to_hu16, voxelise
from igrt.simulation.scanner import image_axes
from igrt.simulation.shapes import Doubles, Floats, Lattice

KEPT_VERTICES = 3  # every third of those where the outline crosses the pixels' rows and columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CtScan:
    """A planning scan: (in-plane, between slices) voxels, how many across and along, and the noise (HU)."""

    voxel_mm: tuple[float, float]
    across: int
    along: int
    noise_hu: float = 10.0

    def coarser(self, factor: int) -> CtScan:
        """The same field of view in fewer, larger voxels: for tests."""
        voxel = (self.voxel_mm[0] * factor, self.voxel_mm[1] * factor)
        return CtScan(voxel_mm=voxel, across=self.across // factor, along=self.along // factor, noise_hu=self.noise_hu)


def planning_ct(
    anatomy: Anatomy,
    *,
    position: PatientPosition,
    scan: CtScan,
    seed: int,
    seeds: Sequence[Seed] = (),
    progress: Callable[[float], None] | None = None,
) -> Volume:
    """The planning CT (plan LPS mm), rows and columns in the scanner's axes, the CT couch top below the patient, with implanted `seeds`."""
    count, size = np.array([scan.across, scan.across, scan.along]), np.array([scan.voxel_mm[0], scan.voxel_mm[0], scan.voxel_mm[1]])
    axes = image_axes(position)
    grid = Grid(Frame.PLAN, (scan.along, scan.across, scan.across), anatomy.middle_mm + axes @ (-(count - 1) / 2 * size), size, axes)
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    rotation = position.fixed_from_lps
    room_from_plan = RigidMotion(Frame.FIXED, Frame.PLAN, rotation, -rotation @ anatomy.middle_mm)
    couch = CT_COUCH.under(anatomy.phantom, patient_from_room=room_from_plan.inverse(), room_from_grid=room_from_plan)
    hu = voxelise(grid, [couch, Placed(anatomy.phantom, still)], progress=progress)
    implant(hu, grid, seeds)
    hu += np.float32(scan.noise_hu) * np.random.default_rng(seed).standard_normal(hu.shape, np.float32)
    return Volume(grid, to_hu16(hu))


def delineate(anatomy: Anatomy, grid: Grid) -> tuple[Structure, ...]:
    """Every organ as contours on the slices of `grid`, from its own surface rather than from voxels."""
    return tuple(Structure(o.name, o.kind, tuple(_contours(anatomy.phantom, o, grid))) for o in anatomy.organs)


def _contours(phantom: Phantom, organ: Organ, grid: Grid) -> Iterator[Doubles]:
    low, high = phantom.by_name[organ.part].box_mm
    cropped = lattice(grid).crop(low - organ.margin_mm - 3, high + organ.margin_mm + 3)
    if cropped is None:
        return
    window, places = cropped
    distance = _distance(phantom, organ, places)
    first = np.array([w.start for w in reversed(window)])
    for k, image in enumerate(distance):
        framed = np.pad(image, 1, constant_values=50.0)  # closes what the image's edge cuts
        for contour in find_contours(framed, 0.0):
            polygon = contour[:-1:KEPT_VERTICES] - 1
            if len(polygon) >= 3:
                index = np.column_stack([polygon[:, 1], polygon[:, 0], np.full(len(polygon), float(k))])
                yield grid.position_mm(index + first)


def _distance(phantom: Phantom, organ: Organ, places: Lattice) -> Floats:
    distance = phantom.distance_mm(organ.part, places) - np.float32(organ.margin_mm)
    for other in organ.minus:
        distance = np.maximum(distance, -phantom.distance_mm(other, places))
    return distance
