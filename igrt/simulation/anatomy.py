"""What the anatomies of every site are built from: tissues, a builder that varies with a seed, vertebrae and tubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from igrt.images.records import StructureKind
from igrt.simulation.phantoms import AIR_HU, Material, Part, Phantom
from igrt.simulation.shapes import Ball, Capsule, Doubles, Solid, Waves, chain

AIR = Material(AIR_HU)
GAS = Material(-980.0)
LUNG = Material(-810.0, 38.0)
FAT = Material(-100.0, 11.0)
LOOSE_FAT = Material(-85.0, 20.0)
SKIN = Material(10.0)
MUSCLE = Material(52.0, 14.0)
SOFT = Material(38.0, 9.0)
BLOOD = Material(46.0, 4.0)
FLUID = Material(6.0, 3.0)
BRAIN = Material(34.0, 7.0)
LIVER = Material(62.0, 9.0)
CARTILAGE = Material(105.0, 10.0)
DISC = Material(85.0, 12.0)
CORTEX = Material(1150.0, 80.0)
SPONGY = Material(270.0, 75.0)
MARROW = Material(60.0, 70.0)
TOOTH = Material(2100.0, 60.0)
METAL = Material(3050.0)
CALCIUM = Material(750.0)
STOOL = Material(20.0, 60.0)

BONE = ((0.0, CORTEX), (1.9, SPONGY))
THICK_BONE = ((0.0, CORTEX), (4.5, MARROW))
THIN_BONE = ((0.0, Material(900.0, 90.0)), (1.3, SPONGY))

LPS_AXES = np.eye(3)


@dataclass(frozen=True, slots=True)
class Organ:
    """What is delineated: the part, at `margin_mm` outside its surface, without the parts named in `minus`."""

    name: str
    kind: StructureKind
    part: str
    margin_mm: float = 0.0
    minus: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient: the phantom, what is delineated in it, the isocentre (LPS mm) of the plan, and the middle of the site."""

    phantom: Phantom
    organs: tuple[Organ, ...]
    isocentre_mm: Doubles
    middle_mm: Doubles


def tilt(*, about_lr_deg: float = 0.0, about_ap_deg: float = 0.0, about_si_deg: float = 0.0) -> Doubles:
    """Rows are a solid's own axes after right-handed turns about left-right, then front-back, then up-down."""
    a, b, c = np.radians([about_lr_deg, about_ap_deg, about_si_deg])
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray((z @ y @ x).T)


def beside(point_mm: Doubles, x: float, y: float, z: float) -> Doubles:
    """The place that lies x, y, z mm from a point."""
    return np.asarray(point_mm + np.array([x, y, z]))


@dataclass
class Builder:
    """Collects parts; every position and size wanders a little with the seed, and the whole is scaled by a few percent.

    Positions and radii are given for the mean patient in LPS mm about the middle of the site; `offset_mm` is where that
    middle lies in the coordinates of the planning CT.
    """

    seed: int
    offset_mm: Doubles
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.scale = 1 + np.clip(self.random.normal(0, 0.025, 3), -0.05, 0.05)
        self.mean_scale = float(self.scale.mean())

    def point(self, *xyz: float, wander_mm: float = 0.0) -> Doubles:
        """A position of the mean patient, in this one."""
        return np.asarray(np.array(xyz) * self.scale + self.offset_mm + self.random.normal(0, 1, 3) * wander_mm)

    def ball(
        self,
        centre: ArrayLike,
        radii: ArrayLike,
        *,
        axes: Doubles = LPS_AXES,
        power: int = 2,
        wander_mm: float = 0.8,
        vary: float = 0.02,
    ) -> Ball:
        """A superellipsoid of this patient."""
        scale = self.scale if axes is LPS_AXES else self.mean_scale
        size = np.asarray(radii, float) * scale * np.exp(self.random.normal(0, 1, 3) * vary)
        return Ball(self.point(*np.asarray(centre, float), wander_mm=wander_mm), size, axes, power)

    def tube(self, points: ArrayLike, radii: float | Sequence[float], *, wander_mm: float = 0.8) -> tuple[Capsule, ...]:
        """A bent tube of this patient."""
        placed = [self.point(*p, wander_mm=wander_mm) for p in np.asarray(points, float)]
        return chain(placed, (np.asarray(radii, float) * self.mean_scale).tolist())

    def add(
        self,
        name: str,
        solids: Sequence[Solid],
        layers: Material | tuple[tuple[float, Material], ...],
        *,
        ripple_mm: float = 0.0,
        within: Solid | None = None,
    ) -> None:
        """One more part, over those before it."""
        table = ((0.0, layers),) if isinstance(layers, Material) else layers
        self.parts.append(Part(name, tuple(solids), table, ripple_mm, within))

    def body(self, solids: Sequence[Solid], *, fat_mm: float, ripple_mm: float) -> None:
        """Skin and fat, then muscle `fat_mm` below the surface."""
        self.add("body", solids, ((0.0, SKIN), (1.6, FAT)))
        self.add("muscle", solids, ((fat_mm, MUSCLE),), ripple_mm=ripple_mm)

    def vertebra(self, name: str, centre: ArrayLike, *, radii: ArrayLike, lean_deg: float, reach_mm: float) -> None:
        """One vertebra: body, arch, transverse and spinous processes, canal; sizes differ from level to level."""
        c = np.asarray(centre, float)
        width, length, height = np.asarray(radii, float) * np.exp(self.random.normal(0, 0.045, 3))
        lean = tilt(about_lr_deg=lean_deg, about_ap_deg=float(self.random.normal(0, 1.5)))
        side = np.exp(self.random.normal(0, 0.06, 2))
        canal = beside(c, 0, length + 0.55 * width, 0)
        spine_tip = beside(canal, float(self.random.normal(0, 1.2)), reach_mm, -0.75 * height - 2)
        arch: list[Solid] = [self.ball(c, (width, length, height * 0.86), axes=lean, power=4, wander_mm=0.0)]
        arch += self.tube([beside(canal, 0, 0.6 * width, 0), spine_tip], (0.27 * width, 0.2 * width), wander_mm=0.3)
        for sign, factor in ((-1, side[0]), (1, side[1])):
            pedicle, facet = beside(c, sign * 0.62 * width, 0.8 * length, 2), beside(canal, sign * 0.78 * width, 1, 0)
            tip = beside(canal, sign * (width + 0.75 * reach_mm) * factor, 4, 1)
            arch += self.tube([pedicle, facet, beside(canal, 0, 0.6 * width, 0)], 0.26 * width, wander_mm=0.3)
            arch += self.tube([facet, tip], (0.3 * width, 0.2 * width), wander_mm=0.3)
        self.add(name, arch, BONE)
        self.add(f"{name} canal", self.tube([beside(canal, 0, 0, -height), beside(canal, 0, 0, height)], 0.5 * width, wander_mm=0.0), SOFT)

    def spine(self, levels: Sequence[tuple[str, float, float, float]], *, width_mm: float, growth: float, reach_mm: float) -> None:
        """Vertebrae from the top down: name, height z, front-back y and lean of each; discs between them."""
        column = [(0.0, y, z) for _, z, y, _ in levels]
        self.add("discs", self.tube(column, 0.78 * width_mm, wander_mm=0.0), DISC)
        for n, (name, z, y, lean_deg) in enumerate(levels):
            following = levels[min(n + 1, len(levels) - 1)][1] if n + 1 < len(levels) else 2 * z - levels[n - 1][1]
            size = width_mm * (1 + growth * n)
            half = 0.5 * abs(z - following)
            x = 2.2 * np.sin(z / 55.0 + self.seed)
            self.vertebra(name, (x, y, z), radii=(size, 0.76 * size, half), lean_deg=lean_deg, reach_mm=reach_mm)

    def pair(self, name: str, centre: ArrayLike, radii: ArrayLike, material: Material, *, axes: Doubles = LPS_AXES, power: int = 2) -> None:
        """The same on both sides (name with `left`, `right`), each wandering on its own; `axes` are those of the left."""
        mirror = np.diag([-1.0, 1.0, 1.0])
        x, y, z = np.asarray(centre, float)
        right = axes if axes is LPS_AXES else mirror @ axes @ mirror
        self.add(f"{name} left", [self.ball((x, y, z), radii, axes=axes, power=power)], material)
        self.add(f"{name} right", [self.ball((-x, y, z), radii, axes=right, power=power)], material)

    def phantom(self) -> Phantom:
        """What was built, with this patient's own texture."""
        texture = Waves.band(self.random, count=120, shortest_mm=5.0, longest_mm=45.0)
        ripple = Waves.band(self.random, count=40, shortest_mm=22.0, longest_mm=90.0)
        return Phantom(tuple(self.parts), texture, ripple)
