"""The patients of the fault-injection benchmark: generated people, each of their own proportions, and real CTs without their noise.

A generated person is an anatomy of igrt.simulation, voxelised once (a file of `folder`, 1.8 mm voxels, no noise), and bent by the
person's own proportions: other heights and widths, and a smooth field that makes left and right differ. Plan and daily images are
both drawn from the bent volume, on grids that share nothing, so that no voxel of one is a voxel of the other.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import truth
from evidence_anatomies import (
    FIRST_SEED,
    MIDDLE_LEVEL,
    PLAN_NOISE_HU,
    PLAN_SLICES,
    REAL_CTS,
    REAL_TARGET_MM,
    SEEDS,
    SPINE_TARGET_MM,
    SPINES,
    Doubles,
    Proportions,
    anatomy_grid,
    archived,
    drawn,
    plan_grid,
)
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from igrt.compute.device import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.levels import shrink_factors, shrunk_grid
from igrt.simulation.anatomy import Anatomy
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import Placed, lattice, to_hu16, voxelise

KEPT = 24  # people: of three sites and two halves, each with the next and a twin, and some from elsewhere


@dataclass(frozen=True)
class Target:
    """What is treated: the isocentre of its plan and vertices on its surface (plan LPS mm)."""

    isocentre_mm: Doubles
    vertices_mm: Doubles


@dataclass(frozen=True)
class Person:
    """Someone: noise-free tissue in plan LPS, targets by name, centres of vertebrae from the head down, and where the back lies (y).

    `site` names a real CT, or is the kind of image, which is head, thorax or pelvis. The planning CT is about `middle_mm`.
    """

    name: str
    site: str
    seed: int
    tissue: Volume
    targets: Mapping[str, Target]
    spine_mm: Doubles
    back_mm: float
    middle_mm: Doubles
    kind: str

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


class People:
    """Makes people, keeping the last few; `folder` holds the voxelised anatomies, which are made where they are not there."""

    def __init__(self, folder: Path, verbs: Verbs, archive: Path | None = None) -> None:
        self.verbs, self._folder, self.real_cts = verbs, folder, archived(archive) if archive else REAL_CTS
        self.person = lru_cache(maxsize=KEPT)(self._person)
        self.real = lru_cache(maxsize=4)(self._real)
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
        plan_middle = middle + np.array([0.0, 0.0, PLAN_SLICES[site][1]])
        return Person(f"{site} {seed}", site, seed, Volume(grid, hu), targets, levels, back, plan_middle, site)

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
        known = self.real_cts[name]
        ct = known.volume()
        quiet = median_filter(ct.hu, size=(1, 3, 3))
        body = quiet[::2, ::2, ::2] > -300
        back = float(ct.grid.origin_mm[1] + 2 * ct.grid.spacing_mm[1] * np.flatnonzero(body.any(axis=(0, 2))).max())
        middle = ct.grid.position_mm(2 * np.argwhere(body)[:, ::-1].mean(axis=0))
        centre = np.round(middle) if known.isocentre_mm is None else np.array(known.isocentre_mm)
        target = Target(centre, centre + REAL_TARGET_MM * _ball_points(48))
        spine = centre + known.vertebra_mm * np.array([[0.0, 0.0, n] for n in (2, 1, 0, -1, -2)])
        tissue, targets = Volume(ct.grid, np.ascontiguousarray(quiet)), {"site": target, "spine": target}
        return Person(f"real {name}", name, known.seed, tissue, targets, spine, back, ct.grid.centre_mm, known.kind)

    def patient(self, site: str, seed: int) -> Person:
        """The patient of a case: a real one where the seed is below 0."""
        return self.real(site) if seed < 0 else self.person(site, seed, seed)

    def another(self, patient: Person, rng: np.random.Generator) -> Person:
        """Another patient of the same site, of the same half of the patients; the only real head has a generated one."""
        if not patient.real:
            return self.person(patient.site, following(patient.seed), following(patient.seed))
        known = self.real_cts[patient.site]
        alike = [
            name for name, ct in self.real_cts.items() if name != patient.site and (ct.kind, ct.seed % 2) == (known.kind, known.seed % 2)
        ]
        if not alike:
            seed = int(rng.integers(FIRST_SEED, FIRST_SEED + SEEDS) | 1)  # such patients judge
            return self.person(known.kind, seed, seed)
        return self.real(str(rng.choice(alike)))

    def twin(self, patient: Person) -> Person:
        """Another anatomy with the proportions of a generated patient."""
        return self.person(patient.site, following(patient.seed), patient.seed)

    def elsewhere(self, patient: Person, rng: np.random.Generator) -> Person:
        """Someone imaged at another part of the body."""
        if patient.real:
            others = [name for name, ct in self.real_cts.items() if ct.kind != patient.kind]
            return self.real(str(rng.choice(others))) if others else self.person("head", FIRST_SEED + patient.seed % 2, None)
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
            return self.real_cts[person.site].volume()
        grid = plan_grid(person.site, person.middle_mm)
        total = np.zeros(grid.shape_kji, np.float32)
        for z in (-0.75, 0.75):  # a slice is the mean of its thickness
            slices = Grid(grid.frame, grid.shape_kji, grid.origin_mm + np.array([0, 0, z]), grid.spacing_mm, grid.direction)
            total += np.float32(0.5) * drawn(person.tissue, slices, self.verbs)
        noise = np.random.default_rng([person.seed, 5]).standard_normal(grid.shape_kji, np.float32)
        return Volume(grid, to_hu16(total + np.float32(PLAN_NOISE_HU) * noise))


def following(seed: int) -> int:
    """The seed of the next patient of the same half."""
    return FIRST_SEED + (seed - FIRST_SEED + 2) % SEEDS


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
