"""Anatomical phantoms: one continuous anatomy as a function of patient coordinates, voxelised on any grid in any pose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.shapes import Doubles, Floats, Lattice, Points, Sites, Solid, Waves

AIR_HU = -1000.0
INTRINSIC_EDGE_MM = 0.6
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Material:
    """A tissue: mean HU, and the standard deviation (HU) of its texture."""

    hu: float
    texture_hu: float = 0.0


@dataclass(frozen=True, eq=False)
class Part:
    """A union of solids, painted in layers: each material begins at its depth (mm) below the surface.

    Parts are painted in order, a later one over an earlier one. `ripple_mm` is the standard deviation by which the
    surface wanders; `within` cuts the part off outside another solid.
    """

    name: str
    solids: tuple[Solid, ...]
    layers: tuple[tuple[float, Material], ...]
    ripple_mm: float = 0.0
    within: Solid | None = None

    def __post_init__(self) -> None:
        if not self.solids or not self.layers:
            raise ValueError(f"part {self.name!r} has no solid or no layer; give at least one of each")

    @cached_property
    def box_mm(self) -> tuple[Doubles, Doubles]:
        """A box that holds the part and the soft edge of its surface."""
        margin = 3.0 + 3.0 * self.ripple_mm
        lows, highs = zip(*(s.box_mm for s in self.solids), strict=True)
        return np.min(lows, axis=0) - margin, np.max(highs, axis=0) + margin

    def distance_mm(self, sites: Sites, ripple: Floats | None = None) -> Floats:
        """Signed distance (mm, negative inside) at every place; far outside it is only known to be positive."""
        distance = np.full(sites.shape, 1e3, dtype=np.float32)
        for solid in self.solids:
            low, high = solid.box_mm
            margin = 3.0 + 3.0 * self.ripple_mm
            cropped = sites.crop(low - margin, high + margin)
            if cropped is not None:
                index, places = cropped
                distance[index] = np.minimum(distance[index], solid.distance_mm(places))
        if ripple is not None and self.ripple_mm:
            distance += np.float32(self.ripple_mm) * ripple
        if self.within is not None:
            np.maximum(distance, self.within.distance_mm(sites), out=distance)
        return distance


@dataclass(frozen=True, eq=False)
class Phantom:
    """An anatomy in patient LPS mm: HU at any place, textured, the same however and wherever it is sampled."""

    parts: tuple[Part, ...]
    texture: Waves
    ripple: Waves

    @cached_property
    def by_name(self) -> dict[str, Part]:
        """Parts by name."""
        return {p.name: p for p in self.parts}

    def hu(self, points_mm: ArrayLike, *, edge_mm: float = INTRINSIC_EDGE_MM) -> Floats:
        """HU at points (..., 3), LPS mm; `edge_mm` is the width over which one tissue gives way to the next."""
        points = np.asarray(points_mm, float)
        flat = points.reshape(-1, 3)
        chunks = [self.paint(Points(flat[n : n + _CHUNK]), edge_mm=edge_mm) for n in range(0, len(flat), _CHUNK)]
        return np.concatenate([*chunks, np.zeros(0, np.float32)]).reshape(points.shape[:-1])

    def distance_mm(self, name: str, sites: Sites) -> Floats:
        """Signed distance (mm) to the surface of the part `name`, ripple included."""
        part = self.by_name[name]
        return part.distance_mm(sites, self.ripple.at(sites) if part.ripple_mm else None)

    def paint(self, sites: Sites, *, edge_mm: float, onto: Floats | None = None) -> Floats:
        """HU at `sites`, painted over `onto` (air where it is not given)."""
        hu = np.full(sites.shape, AIR_HU, np.float32) if onto is None else onto
        grain = np.zeros(sites.shape, np.float32)
        ripple = self.ripple.at(sites)
        for part in self.parts:
            cropped = sites.crop(*part.box_mm)
            if cropped is None:
                continue
            index, places = cropped
            distance = part.distance_mm(places, ripple[index])
            for depth, material in part.layers:
                share = np.clip(np.float32(0.5) - (distance + np.float32(depth)) / np.float32(edge_mm), 0, 1)
                hu[index] += share * (np.float32(material.hu) - hu[index])
                grain[index] += share * (np.float32(material.texture_hu) - grain[index])
        return hu + grain * self.texture.at(sites)

    def reach_mm(self, direction: ArrayLike, *, from_mm: ArrayLike) -> float:
        """How far the body (the first part) reaches along a unit `direction` from a place, within 130 mm up and down the patient."""
        across, along = np.arange(-300.0, 301.0, 5.0), np.arange(-130.0, 131.0, 10.0)
        corner = np.asarray(from_mm, float) + np.array([across[0], across[0], along[0]])
        shape = (len(along), len(across), len(across))
        grid = Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=corner, spacing_mm=(5.0, 5.0, 10.0))
        k, j, i = np.nonzero(self.parts[0].distance_mm(lattice(grid)) < 0)
        inside = grid.position_mm(np.column_stack([i, j, k])) - np.asarray(from_mm, float)
        return float((inside @ np.asarray(direction, float)).max())


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A phantom and where it is: the motion from the frame of a grid to the phantom's own."""

    phantom: Phantom
    phantom_from_grid: RigidMotion


def lattice(grid: Grid) -> Lattice:
    """The voxel centres of a grid in the phantom's frame, as a set of places."""
    return Lattice.of_grid(grid, phantom_from_grid=RigidMotion.identity(target=grid.frame, source=grid.frame))


def voxelise(
    grid: Grid,
    placed: Sequence[Placed],
    *,
    refine_ijk: tuple[int, int, int] = (1, 1, 2),
    workers: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Floats:
    """Mean HU of every voxel of `grid` (k, j, i), later phantoms painted over earlier ones.

    A voxel's mean comes from `refine_ijk` sub-voxels along i, j, k, whose own partial volume is in the width of the
    soft edge. Independent of `workers`.
    """
    depth, refine = grid.shape_kji[0], np.array(refine_ijk)
    edge_mm = max(INTRINSIC_EDGE_MM, float((grid.spacing_mm / refine).mean()))
    lattices = [Lattice.of_grid(grid, phantom_from_grid=p.phantom_from_grid, refine_ijk=refine_ijk) for p in placed]
    step = max(1, _CHUNK * 4 // int(np.prod(lattices[0].shape[1:]) * refine_ijk[2]))
    out = np.empty(grid.shape_kji, np.float32)

    def slab(start: int) -> int:
        stop = min(start + step, depth)
        hu: Floats | None = None
        for item, whole in zip(placed, lattices, strict=True):
            hu = item.phantom.paint(whole.rows(start * refine_ijk[2], stop * refine_ijk[2]), edge_mm=edge_mm, onto=hu)
        assert hu is not None
        out[start:stop] = _block_mean(hu, refine_ijk[::-1])
        return stop

    with ThreadPoolExecutor(workers) as pool:
        for stop in pool.map(slab, range(0, depth, step)):
            if progress is not None:
                progress(stop / depth)
    return out


def to_hu16(hu: Floats) -> NDArray[np.int16]:
    """Rounded, and clipped to what scanners store (-1024 to 3071 HU)."""
    return np.ascontiguousarray(np.clip(np.rint(hu), -1024, 3071).astype(np.int16))


def _block_mean(values: Floats, factors_kji: tuple[int, ...]) -> Floats:
    k, j, i = (n // f for n, f in zip(values.shape, factors_kji, strict=True))
    a, b, c = factors_kji
    return np.asarray(values.reshape(k, a, j, b, i, c).mean(axis=(1, 3, 5), dtype=np.float32))
