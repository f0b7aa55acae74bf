"""What the patients of the fault-injection benchmark are made from: proportions of a person, real CTs, and tissue drawn on other grids."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import truth
from numpy.typing import NDArray

from igrt.compute.device import Verbs
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.load import load_plan
from igrt.simulation.anatomy import Anatomy
from igrt.simulation.phantoms import AIR_HU, to_hu16
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
REAL_SEED, STORED_SEED, ARCHIVED_SEED = -1, -2, -10
PLAN_ACROSS, PLAN_SPACING_MM, PLAN_NOISE_HU = (136, 200), (1.9, 1.9, 3.0), 10.0


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


@dataclass(frozen=True)
class RealCt:
    """A CT of a person, a file or a DICOM folder, of a kind of image; `seed` says which half of the patients it is of.

    The isocentre is in plan LPS mm (None: in the middle of the body); two vertebrae are taken to lie `vertebra_mm` apart.
    """

    path: Path
    isocentre_mm: tuple[float, float, float] | None = None
    vertebra_mm: float = 22.0
    kind: str = "thorax"
    seed: int = REAL_SEED

    def volume(self) -> Volume:
        """In frame plan."""
        if self.path.is_dir():
            try:
                return load_plan(self.path).ct
            except InputError:  # a CT without a plan, which then has no isocentre of its own
                return load_plan(self.path, isocentre_mm=self.isocentre_mm or (0.0, 0.0, 0.0)).ct
        return truth.load(self.path, Frame.PLAN)


REAL_CTS = {
    "chest": RealCt(truth.DATA / "chest/chest_ct.nii.gz", (14.0, -4.0, -160.0), 23.0),
    "head": RealCt(truth.DATA / "head/head_ct.nii.gz", (0.0, 0.0, 20.0), 18.0, "head"),
    "thorax4d": RealCt(truth.DATA / "thorax4d/thorax4d_t0.nii.gz", (0.0, 0.0, 0.0), 23.0),
    "lung": RealCt(truth.DATA / "lung/lung_baseline.nii.gz", (-75.0, -45.0, -1270.0), 22.0),
}


def archived(folder: Path) -> dict[str, RealCt]:
    """The CTs of a folder: each DICOM folder or volume file in it a patient; `isocentres.json` may give isocentres by name (plan LPS mm).

    Every second patient, by name, judges.
    """
    file = folder / "isocentres.json"
    isocentres = json.loads(file.read_text()) if file.exists() else {}
    paths = sorted(p for p in folder.iterdir() if p.is_dir() or p.name.endswith((".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")))
    names = [p.name.split(".")[0] for p in paths]
    # -3 and below, like all real patients below 0; the lowest bit says which half.
    return {n: RealCt(p, isocentres.get(n), seed=ARCHIVED_SEED - count) for count, (n, p) in enumerate(zip(names, paths, strict=True))}


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
