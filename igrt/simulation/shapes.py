"""Smooth solids given by signed distances (mm, negative inside), evaluated on lattices or at single points.

A solid knows the box that it lies in, so that a phantom of hundreds of solids costs little more than the voxels they fill.
Distances are first-order: exact at the surface, good to a few percent within a centimetre of it, which is all that
partial volume and layers need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_TINY = 1e-9


class Sites(Protocol):
    """Where to evaluate: a set of places in the phantom's frame (mm), of any array shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the arrays that hold one value per place."""

    def crop(self, low_mm: Doubles, high_mm: Doubles) -> tuple[Any, Self] | None:
        """The places within a box: the index that selects them and themselves; None where there are none."""

    def coordinates(self, rows: Doubles, offset: Doubles) -> tuple[Floats, Floats, Floats]:
        """The three components of `rows @ place + offset`."""

    def waves(self, vectors: Doubles, phases: Doubles) -> Floats:
        """Sum over waves of `cos(vector . place + phase)`."""


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """A regular block of places: `place = mm_from_index @ (i, j, k, 1)`, arrays [k, j, i]; `index_from_mm` inverts its linear part."""

    mm_from_index: Doubles
    shape: tuple[int, int, int]
    index_from_mm: Doubles

    @classmethod
    def of_grid(cls, grid: Grid, *, phantom_from_grid: RigidMotion, refine_ijk: tuple[int, int, int] = (1, 1, 1)) -> Lattice:
        """The voxel centres of a grid, each voxel split `refine_ijk` times along i, j, k, seen in the phantom's frame."""
        refine = np.array(refine_ijk)
        affine = grid.mm_from_index
        linear = affine[:, :3] / refine
        start = affine[:, :3] @ (0.5 / refine - 0.5) + affine[:, 3]
        k, j, i = (int(n) for n in np.array(grid.shape_kji) * refine[::-1])
        turned = phantom_from_grid.turn(linear.T).T
        return cls(np.column_stack([turned, phantom_from_grid.apply(start)]), (k, j, i), np.asarray(np.linalg.inv(turned)))

    def rows(self, start: int, stop: int) -> Lattice:
        """The slices k = start ... stop - 1."""
        return self._from((start, 0, 0), (stop - start, *self.shape[1:]))

    def crop(self, low_mm: Doubles, high_mm: Doubles) -> tuple[tuple[slice, ...], Lattice] | None:
        """The smallest block of indices that holds the box; see Sites."""
        centre = self.index_from_mm @ ((low_mm + high_mm) / 2 - self.mm_from_index[:, 3])
        reach = np.abs(self.index_from_mm) @ ((high_mm - low_mm) / 2)
        first = np.maximum(np.ceil(centre - reach).astype(int), 0)[::-1]
        last = np.minimum(np.floor(centre + reach).astype(int) + 1, self.shape[::-1])[::-1]
        if not (first < last).all():
            return None
        window = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return window, self._from(tuple(first), tuple(int(n) for n in last - first))

    def coordinates(self, rows: Doubles, offset: Doubles) -> tuple[Floats, Floats, Floats]:
        """See Sites."""
        linear, start = rows @ self.mm_from_index[:, :3], rows @ self.mm_from_index[:, 3] + offset
        steps = [np.arange(n) for n in self.shape]

        def component(m: int) -> Floats:
            plane = (linear[m, 2] * steps[0] + start[m])[:, None, None] + (linear[m, 1] * steps[1])[None, :, None]
            return np.asarray(plane.astype(np.float32) + (linear[m, 0] * steps[2]).astype(np.float32))

        return component(0), component(1), component(2)

    def waves(self, vectors: Doubles, phases: Doubles) -> Floats:
        """See Sites; on a lattice a sum of plane waves is a product of two thin matrices."""
        along = vectors @ self.mm_from_index[:, :3]
        start = vectors @ self.mm_from_index[:, 3] + phases
        k, j, i = (np.arange(n) for n in self.shape)
        outer = (along[:, 2] * k[:, None] + start)[:, None, :] + along[:, 1] * j[None, :, None]
        inner = along[:, 0, None] * i
        left = np.concatenate([np.cos(outer), -np.sin(outer)], axis=-1).astype(np.float32)
        right = np.concatenate([np.cos(inner), np.sin(inner)]).astype(np.float32)
        return np.asarray(left @ right)

    def _from(self, first_kji: tuple[int, ...], shape: tuple[int, ...]) -> Lattice:
        start = self.mm_from_index[:, :3] @ np.array(first_kji[::-1]) + self.mm_from_index[:, 3]
        return Lattice(np.column_stack([self.mm_from_index[:, :3], start]), (shape[0], shape[1], shape[2]), self.index_from_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Single places (n, 3) in mm."""

    mm: Doubles

    @property
    def shape(self) -> tuple[int, ...]:
        """One value per place."""
        return (len(self.mm),)

    def crop(self, low_mm: Doubles, high_mm: Doubles) -> tuple[NDArray[np.int64], Points] | None:
        """See Sites."""
        index = np.flatnonzero(((self.mm >= low_mm) & (self.mm <= high_mm)).all(axis=1))
        return (index, Points(self.mm[index])) if len(index) else None

    def coordinates(self, rows: Doubles, offset: Doubles) -> tuple[Floats, Floats, Floats]:
        """See Sites."""
        x, y, z = (self.mm @ rows.T + offset).T.astype(np.float32)
        return x, y, z

    def waves(self, vectors: Doubles, phases: Doubles) -> Floats:
        """See Sites."""
        return np.asarray(np.cos(self.mm @ vectors.T + phases).sum(axis=1), dtype=np.float32)


class Solid(Protocol):
    """A smooth solid."""

    @property
    def box_mm(self) -> tuple[Doubles, Doubles]:
        """Lowest and highest corner of a box that holds the solid."""

    def distance_mm(self, sites: Sites) -> Floats:
        """Signed distance to the surface, negative inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """A superellipsoid `|u/a|^n + |v/b|^n + |w/c|^n = 1` of `power` n (2, 4 or 8); rows of `axes` are the directions of u, v, w."""

    centre_mm: Doubles
    radii_mm: Doubles
    axes: Doubles
    power: int = 2

    def __post_init__(self) -> None:
        if self.power not in (2, 4, 8) or not self.radii_mm.min() > 0:
            raise ValueError(f"a ball has power {self.power} and radii {self.radii_mm.tolist()}; give power 2, 4 or 8 and positive radii")

    @property
    def box_mm(self) -> tuple[Doubles, Doubles]:
        """See Solid. For n = 2 the box is the tight one; a fuller solid may reach the corners of its own box."""
        reach = np.sqrt((self.axes.T**2) @ self.radii_mm**2) if self.power == 2 else np.abs(self.axes.T) @ self.radii_mm
        return self.centre_mm - reach, self.centre_mm + reach

    def distance_mm(self, sites: Sites) -> Floats:
        """First order: (g - 1) / |grad g| with g the n-norm of (u/a, v/b, w/c)."""
        rows = self.axes / self.radii_mm[:, None]
        squares = [np.square(c, out=c) for c in sites.coordinates(rows, -rows @ self.centre_mm)]
        total = np.maximum(sum(_power(s, self.power // 2) for s in squares), np.float32(_TINY))
        norm: Floats = np.sqrt(total)
        for _ in range(self.power.bit_length() - 2):
            norm = np.sqrt(norm)
        over: Floats = np.reciprocal(np.square(norm))
        slope = np.full_like(norm, _TINY)
        for square, radius in zip(squares, self.radii_mm, strict=True):
            slope += _power(square * over, self.power - 1) * np.float32(1 / radius**2)
        return np.asarray((norm - 1) / np.sqrt(slope))


def _power(values: Floats, exponent: int) -> Floats:
    """Whole powers by multiplication, many times faster than `**`."""
    if exponent == 1:
        return values
    half = _power(values, exponent // 2)
    return half * half * values if exponent % 2 else half * half


@dataclass(frozen=True, slots=True, eq=False)
class Capsule:
    """The hull of two spheres, its radius running linearly from one end to the other (to first order)."""

    start_mm: Doubles
    end_mm: Doubles
    start_radius_mm: float
    end_radius_mm: float

    @property
    def box_mm(self) -> tuple[Doubles, Doubles]:
        """See Solid."""
        low = np.minimum(self.start_mm - self.start_radius_mm, self.end_mm - self.end_radius_mm)
        return low, np.maximum(self.start_mm + self.start_radius_mm, self.end_mm + self.end_radius_mm)

    def distance_mm(self, sites: Sites) -> Floats:
        """Distance to the axis less the radius at the nearest place on it."""
        axis = self.end_mm - self.start_mm
        x, y, z = sites.coordinates(np.eye(3), -self.start_mm)
        a, b, c = (np.float32(v) for v in axis)
        along = np.clip((x * a + y * b + z * c) / np.float32(axis @ axis), 0, 1)
        off = np.sqrt((x - a * along) ** 2 + (y - b * along) ** 2 + (z - c * along) ** 2)
        return np.asarray(off - (self.start_radius_mm + np.float32(self.end_radius_mm - self.start_radius_mm) * along))


def chain(points_mm: ArrayLike, radii_mm: float | Sequence[float]) -> tuple[Capsule, ...]:
    """A bent tube: capsules through points (n, 3), with one radius or one per point."""
    points = np.asarray(points_mm, float)
    radii = np.broadcast_to(np.asarray(radii_mm, float), len(points))
    return tuple(Capsule(p, q, float(r), float(s)) for p, q, r, s in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """A smooth random field of unit variance: plane waves of random direction and phase within a band of wavelengths."""

    vectors: Doubles
    phases: Doubles

    @classmethod
    def band(cls, random: np.random.Generator, *, count: int, shortest_mm: float, longest_mm: float) -> Waves:
        """`count` waves with lengths spread evenly in logarithm over the band."""
        lengths = np.exp(random.uniform(np.log(shortest_mm), np.log(longest_mm), count))
        directions = random.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return cls(2 * np.pi * directions / lengths[:, None], random.uniform(0, 2 * np.pi, count))

    def at(self, sites: Sites) -> Floats:
        """The field's value at each place."""
        return np.asarray(sites.waves(self.vectors, self.phases) * np.float32(np.sqrt(2 / len(self.phases))))
