"""The patients of the fault-injection benchmark: generated people, each of their own proportions, and real CTs without their noise.

A generated person is an anatomy of igrt.simulation, voxelised once (a file of `folder`, 1.8 mm voxels, no noise), and bent by the
person's own proportions: other heights and widths, and a smooth field that makes left and right differ. Plan and daily images are
both drawn from the bent volume, on grids that share nothing, so that no voxel of one is a voxel of the other.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import truth
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from igrt.compute.device import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.levels import shrink_factors, shrunk_grid
from igrt.simulation.anatomy import Anatomy
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import AIR_HU, Placed, lattice, to_hu16, voxelise
from igrt.simulation.shapes import Waves

Doubles = NDArray[np.float64]
VOXEL_MM = 1.8
NODE_STEP, SLAB = 5, 24  # voxels between the places where shifts are worked out; slices drawn at a time
# Half widths (mm) of what is voxelised about the middle of the site, along x, y, and how far down and up.
EXTENT_MM = {"head": (115.0, 130.0, 215.0, 125.0), "thorax": (185.0, 130.0, 180.0, 180.0), "pelvis": (185.0, 130.0, 215.0, 215.0)}
PLAN_SLICES = {"head": (86, -32.0), "thorax": (72, 0.0), "pelvis": (112, 17.0)}  # how many, and how far above the middle of the site
SIZE_SD, SIZE_MOST = 0.05, 0.12  # of heights, widths and depths
BEND_SD_MM, BEND_SHORTEST_MM, BEND_LONGEST_MM = 3.5, 150.0, 400.0
SPINES = {"head": ("C2", "C3", "C4", "C5", "C6"), "thorax": ("T4", "T5", "T6", "T7", "T8", "T9"), "pelvis": ("L3", "L4", "L5")}
MIDDLE_LEVEL = {"head": "C4", "thorax": "T7", "pelvis": "L4"}
SPINE_TARGET_MM, REAL_TARGET_MM = 12.0, 20.0
FIRST_SEED, SEEDS = 100, 70
PLAN_ACROSS, PLAN_SPACING_MM, PLAN_NOISE_HU = (136, 200), (1.9, 1.9, 3.0), 10.0
# Real CTs: file, isocentre (plan LPS mm), what stands for the distance of two vertebrae.
REAL = {
    "chest": ("chest/chest_ct.nii.gz", (14.0, -4.0, -160.0), 23.0),
    "head": ("head/head_ct.nii.gz", (0.0, 0.0, 20.0), 18.0),
    "thorax4d": ("thorax4d/thorax4d_t0.nii.gz", (0.0, 0.0, 0.0), 23.0),
    "lung": ("lung/lung_baseline.nii.gz", (-75.0, -45.0, -1270.0), 22.0),
}


@dataclass(frozen=True)
class Target:
    """What is treated: the isocentre of its plan and vertices on its surface (plan LPS mm)."""

    isocentre_mm: Doubles
    vertices_mm: Doubles


@dataclass(frozen=True)
class Person:
    """Someone: noise-free tissue in plan LPS, targets by name, centres of vertebrae from the head down, and where the back lies (y).

    The planning CT is about `middle_mm`.
    """

    name: str
    site: str
    seed: int
    tissue: Volume
    targets: Mapping[str, Target]
    spine_mm: Doubles
    back_mm: float
    middle_mm: Doubles

    @property
    def real(self) -> bool:
        """Whether this is a CT of a person rather than a formula."""
        return self.seed < 0


@dataclass(frozen=True)
class Stored:
    """A daily image that is there, of projections through a real CT: its true pose, and the pose where the isocentres lie together."""

    patient: str
    image: Volume
    plan_from_daily: RigidMotion
    start: RigidMotion


@dataclass(frozen=True)
class Proportions:
    """How a person differs from the anatomy: `anatomy point = person's point + field`, about `middle_mm`."""

    middle_mm: Doubles
    size: Doubles
    waves: tuple[Waves, Waves, Waves] | None

    @classmethod
    def of(cls, seed: int, middle_mm: Doubles) -> "Proportions":
        """Those of one person."""
        rng = np.random.default_rng([seed, 77])
        size = np.exp(np.clip(rng.normal(0, SIZE_SD, 3), -SIZE_MOST, SIZE_MOST))
        x, y, z = (Waves.band(rng, count=24, shortest_mm=BEND_SHORTEST_MM, longest_mm=BEND_LONGEST_MM) for _ in range(3))
        return cls(middle_mm, size, (x, y, z))

    @classmethod
    def none(cls, middle_mm: Doubles) -> "Proportions":
        """The anatomy as it is."""
        return cls(middle_mm, np.ones(3), None)

    def shift_mm(self, places_mm: Doubles) -> Doubles:
        """(n, 3) from the person's places to the anatomy's."""
        return (places_mm - self.middle_mm) * (1 / self.size - 1) + self._field_mm(places_mm)

    def person_from_anatomy(self, points_mm: Doubles) -> Doubles:
        """Where the person has what the anatomy has at points (n, 3)."""
        found = np.array(points_mm, float)
        for _ in range(30 if self.waves is not None else 1):
            found = self.middle_mm + (points_mm - self._field_mm(found) - self.middle_mm) * self.size
        return found

    def _field_mm(self, points_mm: Doubles) -> Doubles:
        if self.waves is None:
            return np.zeros_like(points_mm)
        values = [np.cos(points_mm @ w.vectors.T + w.phases).sum(axis=1) * np.sqrt(2 / len(w.phases)) for w in self.waves]
        return BEND_SD_MM * np.stack(values, axis=1)


class People:
    """Makes people, keeping the last few; `folder` holds the voxelised anatomies, which are made where they are not there."""

    def __init__(self, folder: Path, verbs: Verbs) -> None:
        self.verbs, self._folder = verbs, folder
        self.person = lru_cache(maxsize=8)(self._person)
        self.real = lru_cache(maxsize=len(REAL))(self._real)
        self.stored = lru_cache(maxsize=4)(self._stored)

    def _person(self, site: str, seed: int, proportions_of: int | None) -> Person:
        """The anatomy `seed` of a site with the proportions of a person (None: as the formula has them)."""
        anatomy = SITES[site].anatomy(seed)
        middle = anatomy.middle_mm
        own = Proportions.none(middle) if proportions_of is None else Proportions.of(proportions_of, middle)
        grid = anatomy_grid(site, anatomy)
        raw = Volume(grid, self.anatomy_hu(site, seed))
        hu = raw.hu if proportions_of is None else drawn(raw, grid, self.verbs, own.shift_mm)
        spine = np.array([anatomy.phantom.by_name[name].solids[0].box_mm for name in SPINES[site]]).mean(axis=1)
        levels = own.person_from_anatomy(spine)
        middle_level = levels[SPINES[site].index(MIDDLE_LEVEL[site])]
        surface = own.person_from_anatomy(_surface(anatomy))
        targets = {
            "site": Target(np.round(surface.mean(axis=0)), surface),
            "spine": Target(np.round(middle_level), np.round(middle_level) + SPINE_TARGET_MM * _ball_points(48)),
        }
        body = hu[:, :, ::4].max(axis=2) > -300
        back = float(grid.origin_mm[1] + grid.spacing_mm[1] * np.flatnonzero(body.any(axis=0)).max())
        return Person(
            f"{site} {seed}", site, seed, Volume(grid, hu), targets, levels, back, middle + np.array([0.0, 0.0, PLAN_SLICES[site][1]])
        )

    def anatomy_hu(self, site: str, seed: int) -> NDArray[np.int16]:
        """The voxels of an anatomy, from its file."""
        file = self._folder / f"{site}_{seed}.npy"
        if not file.exists():
            anatomy = SITES[site].anatomy(seed)
            still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
            hu = to_hu16(voxelise(anatomy_grid(site, anatomy), [Placed(anatomy.phantom, still)], refine_ijk=(1, 1, 1), workers=1))
            self._folder.mkdir(parents=True, exist_ok=True)
            half_done = file.with_suffix(f".{np.random.default_rng().integers(1 << 40)}.part.npy")
            np.save(half_done, hu)
            half_done.replace(file)
        return np.ascontiguousarray(np.load(file))

    def _real(self, name: str) -> Person:
        """A real CT, its noise taken off so that plan and daily image do not share it."""
        file, isocentre, step_mm = REAL[name]
        ct = truth.load(truth.DATA / file, Frame.PLAN)
        centre = np.array(isocentre)
        target = Target(centre, centre + REAL_TARGET_MM * _ball_points(48))
        spine = centre + step_mm * np.array([[0.0, 0.0, n] for n in (2, 1, 0, -1, -2)])
        quiet = median_filter(ct.hu, size=(1, 3, 3))
        body = quiet[:, :, ::4].max(axis=2) > -300
        back = float(ct.grid.origin_mm[1] + ct.grid.spacing_mm[1] * np.flatnonzero(body.any(axis=0)).max())
        tissue, targets = Volume(ct.grid, np.ascontiguousarray(quiet)), {"site": target, "spine": target}
        return Person(f"real {name}", name, -1, tissue, targets, spine, back, ct.grid.centre_mm)

    def patient(self, site: str, seed: int) -> Person:
        """The patient of a case: a real one where the seed is below 0."""
        return self.real(site) if seed < 0 else self.person(site, seed, seed)

    def another(self, patient: Person, rng: np.random.Generator) -> Person:
        """Another patient of the same site, of the same half of the patients; the only real head has a generated one."""
        if not patient.real:
            return self.person(patient.site, following(patient.seed), following(patient.seed))
        alike = [name for name in REAL if name != "head" and name != patient.site]
        if patient.site == "head":
            seed = int(rng.integers(FIRST_SEED, FIRST_SEED + SEEDS) | 1)  # real patients judge
            return self.person("head", seed, seed)
        return self.real(str(rng.choice(alike)))

    def twin(self, patient: Person) -> Person:
        """Another anatomy with the proportions of a generated patient."""
        return self.person(patient.site, following(patient.seed), patient.seed)

    def elsewhere(self, patient: Person, rng: np.random.Generator) -> Person:
        """Someone imaged at another part of the body."""
        if patient.real:
            return self.real("head" if patient.site != "head" else str(rng.choice([n for n in REAL if n != "head"])))
        return self.person(str(rng.choice([site for site in SITES if site != patient.site])), patient.seed, None)

    def _stored(self, case: str) -> Stored:
        """A daily image that is there, in voxels of about 2 mm."""
        pair = next(pair for pair in truth.pairs() if pair.case == case)
        image = truth.load(pair.daily, Frame.DAILY)
        factors = shrink_factors(image.grid, 2.0)
        small = Volume(shrunk_grid(image.grid, factors), self.verbs.shrink(image.hu, factors))
        return Stored("thorax4d" if case == "thorax_a" else case.split("_")[0], small, pair.plan_from_daily, pair.start)

    def plan(self, person: Person) -> Volume:
        """The planning CT: of a real person as it is, else on a grid of its own with 3 mm slices and noise of its own."""
        if person.real:
            return truth.load(truth.DATA / REAL[person.site][0], Frame.PLAN)
        grid = plan_grid(person.site, person.middle_mm)
        total = np.zeros(grid.shape_kji, np.float32)
        for z in (-0.75, 0.75):  # a slice is the mean of its thickness
            slices = Grid(grid.frame, grid.shape_kji, grid.origin_mm + np.array([0, 0, z]), grid.spacing_mm, grid.direction)
            total += np.float32(0.5) * drawn(person.tissue, slices, self.verbs)
        noise = np.random.default_rng([person.seed, 5]).standard_normal(grid.shape_kji, np.float32)
        return Volume(grid, to_hu16(total + np.float32(PLAN_NOISE_HU) * noise))


def drawn(
    tissue: Volume,
    grid: Grid,
    verbs: Verbs,
    shift_mm: Callable[[Doubles], Doubles] | None = None,
    tissue_from_grid: RigidMotion | None = None,
) -> NDArray[np.int16]:
    """(k, j, i) HU on a grid, air where there is no tissue: taken at `tissue_from_grid` of each voxel and `shift_mm` of that beside.

    The shift is worked out every few voxels and interpolated between.
    """
    pose = tissue_from_grid or RigidMotion.identity(target=grid.frame, source=grid.frame)
    linear, start = pose.rotation @ grid.mm_from_index[:, :3], pose.apply(grid.mm_from_index[:, 3])
    shift = None if shift_mm is None else _between(grid.shape_kji, lambda index: shift_mm(index @ linear.T + start))
    hu = np.empty(grid.shape_kji, np.int16)
    j, i = (np.arange(n, dtype=float) for n in grid.shape_kji[1:])
    for first in range(0, len(hu), SLAB):
        k = np.arange(first, min(first + SLAB, len(hu)), dtype=float)
        places = np.empty((len(k), len(j), len(i), 3))
        for axis in range(3):
            row = linear[axis]
            places[..., axis] = (row[2] * k + start[axis])[:, None, None] + ((row[1] * j)[:, None] + row[0] * i)
        if shift is not None:
            weights, across = shift
            places += np.tensordot(weights[first : first + len(k)], across, axes=(1, 0))
        values = verbs.interpolate(tissue, places.reshape(-1, 3))
        hu[first : first + len(k)] = to_hu16(np.nan_to_num(values, nan=AIR_HU)).reshape(places.shape[:3])
    return hu


def _between(shape_kji: tuple[int, int, int], shift: Callable[[Doubles], Doubles]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (k, nodes) and values (nodes, j, i, 3) whose product is a shift that is given at indices (n, 3) in the order i, j, k."""
    nodes = [np.append(np.arange(0, n - 1, NODE_STEP), n - 1).astype(float) for n in shape_kji]
    index = np.stack(np.meshgrid(*nodes, indexing="ij")[::-1], -1).reshape(-1, 3)
    values = shift(index).reshape(*(len(n) for n in nodes), 3).astype(np.float32)
    weights = [
        np.stack([np.interp(np.arange(count), knots, unit) for unit in np.eye(len(knots))], axis=1).astype(np.float32)
        for knots, count in zip(nodes, shape_kji, strict=True)
    ]
    for axis in (1, 2):
        values = np.moveaxis(np.tensordot(weights[axis], values, axes=(1, axis)), 0, axis)
    return weights[0], np.ascontiguousarray(values)


def following(seed: int) -> int:
    """The seed of the next patient of the same half."""
    return FIRST_SEED + (seed - FIRST_SEED + 2) % SEEDS


def anatomy_grid(site: str, anatomy: Anatomy) -> Grid:
    """What of an anatomy is voxelised."""
    x, y, down, up = EXTENT_MM[site]
    count = np.round(np.array([2 * x, 2 * y, down + up]) / VOXEL_MM).astype(int)
    origin = anatomy.middle_mm - np.array([x, y, down])
    shape = (int(count[2]), int(count[1]), int(count[0]))
    return Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=origin, spacing_mm=(VOXEL_MM,) * 3)


def plan_grid(site: str, middle_mm: Doubles) -> Grid:
    """That of a generated planning CT."""
    shape = (PLAN_SLICES[site][0], *PLAN_ACROSS)
    origin = middle_mm - (np.array(shape[::-1]) - 1) / 2 * PLAN_SPACING_MM
    return Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=origin, spacing_mm=PLAN_SPACING_MM)


def _surface(anatomy: Anatomy) -> Doubles:
    """About 100 points on the surface of the first organ of the anatomy that is a clinical target, in its own coordinates."""
    organ = next(o for o in anatomy.organs if o.name == "CTV")
    part = anatomy.phantom.by_name[organ.part]
    low, high = part.box_mm
    low, high = low - organ.margin_mm, high + organ.margin_mm
    count = np.ceil((high - low) / 2.0).astype(int)
    shape = (int(count[2]), int(count[1]), int(count[0]))
    grid = Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=low, spacing_mm=(2.0, 2.0, 2.0))
    distance = anatomy.phantom.distance_mm(organ.part, lattice(grid)) - organ.margin_mm
    k, j, i = np.nonzero(np.abs(distance) < 1.0)
    points = grid.position_mm(np.column_stack([i, j, k]))
    return points[:: max(len(points) // 100, 1)]


def _ball_points(count: int) -> Doubles:
    """(count, 3) unit vectors, spread evenly."""
    n = np.arange(count) + 0.5
    z, turn = 1 - 2 * n / count, np.pi * (1 + np.sqrt(5)) * n
    ring = np.sqrt(1 - z**2)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])


def main() -> None:
    """Voxelise the anatomies of every site: python benchmarks/evidence_people.py FOLDER FIRST LAST."""
    from igrt.compute import device

    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    people = People(folder, device.choose(None).verbs)
    for seed in range(first, last + 1):
        for site in SITES:
            people.anatomy_hu(site, seed)


if __name__ == "__main__":
    main()
