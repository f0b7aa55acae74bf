"""Cone-beam images that life has been at, simulated and kept on disk: poses, breathing, flex, metal, gas, scatter, every position.

The simulator is igrt's own (igrt.simulation): analytic anatomies, projection through voxels, a three-line spectrum, photon
noise, scatter as a blur of the primary, Feldkamp reconstruction. Poses are drawn, a shift and a turn for each axis, from
Student's t with 4 degrees of freedom, scaled to a deviation of 4 mm and 1.5 degrees and cut at 20 mm and 5 degrees.

Every pose has a planning CT of 3 mm slices. The effects follow the number of the pose, so that each is there in half of the images
or fewer, in every combination: gas and metal in the daily image, breathing of 10 mm down in front and none at the spine (chest), a panel
that sags three times a turn, and four strengths of scatter, the first none, as after a perfect correction.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.compute.projection import Cameras, CpuProjector
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.simulation.anatomy import GAS, LPS_AXES, METAL, Anatomy
from igrt.simulation.patients import SITES, plan_from_daily
from igrt.simulation.phantoms import Part, Phantom
from igrt.simulation.planning import planning_ct
from igrt.simulation.scanner import Physics, acquire
from igrt.simulation.shapes import Ball

SEEDS = {"head": 31, "thorax": 32, "pelvis": 33}
SHIFT_SD_MM, SHIFT_MAX_MM, TURN_SD_DEG, TURN_MAX_DEG = 4.0, 20.0, 1.5, 5.0
SLICE_MM = 3.0
SCATTER = (0.0, 0.03, 0.045, 0.09)
BREATH_MM, BREATHS, PHASES = 10.0, 14, 4
SAG_MM = 1.0
AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


@dataclass(frozen=True)
class Effects:
    """What the daily image has that the plan has not."""

    gas: bool
    metal: bool
    breathing: bool
    flex: bool
    scatter: float


@dataclass(frozen=True)
class Case:
    """One daily image of one site: everything about it follows from its number."""

    site: str
    n: int

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.site}_{self.n}"

    @property
    def anatomy(self) -> Anatomy:
        """Whose image it is."""
        return anatomy_of(self.site)

    @property
    def position(self) -> PatientPosition:
        """One after the other."""
        return tuple(PatientPosition)[self.n % len(PatientPosition)]

    @property
    def effects(self) -> Effects:
        """By the number."""
        n = self.n
        breathing = self.site == "thorax" and n % 4 != 0
        return Effects(n % 2 == 1, n % 3 == 2, breathing, n % 5 in (1, 3), SCATTER[(n // 2) % len(SCATTER)])

    @cached_property
    def random(self) -> np.random.Generator:
        """Draws the pose first, then what is put into the image."""
        return np.random.default_rng([SEEDS[self.site], self.n])

    @cached_property
    def plan_from_daily(self) -> RigidMotion:
        """The true pose."""
        return plan_from_daily(correction(self.random), isocentre_mm=self.anatomy.isocentre_mm, position=self.position)

    @property
    def start(self) -> RigidMotion:
        """Where nothing is wrong with the set-up."""
        nothing = Correction(**dict.fromkeys(AXES, 0.0))
        return plan_from_daily(nothing, isocentre_mm=self.anatomy.isocentre_mm, position=self.position)

    def told(self) -> dict[str, object]:
        """For the results."""
        return {"site": self.site, "n": self.n, "position": str(self.position), **asdict(self.effects)}


def cases(poses: int) -> Iterator[Case]:
    """One of each site after the other."""
    return (Case(site, n) for n in range(poses) for site in SITES)


@cache
def anatomy_of(site: str) -> Anatomy:
    """The one patient of a site."""
    return SITES[site].anatomy(SEEDS[site])


def correction(rng: np.random.Generator) -> Correction:
    """The motion that would put the patient right."""
    drawn = rng.standard_t(4, 6) / np.sqrt(2)
    shift = np.clip(SHIFT_SD_MM * drawn[:3], -SHIFT_MAX_MM, SHIFT_MAX_MM)
    turn = np.clip(TURN_SD_DEG * drawn[3:], -TURN_MAX_DEG, TURN_MAX_DEG)
    return Correction(**dict(zip(AXES, [*shift, *turn], strict=True)))


def planned(case: Case, folder: Path) -> Volume:
    """The planning CT in the patient's position, its noise that of the case."""
    scan = SITES[case.site].ct
    path = folder / f"{case.site}_{case.position}_ct.npz"
    if not path.exists():
        along = int(scan.along * scan.voxel_mm[1] / SLICE_MM)
        still = replace(scan, voxel_mm=(scan.voxel_mm[0], SLICE_MM), along=along, noise_hu=0.0)
        keep(planning_ct(case.anatomy, position=case.position, scan=still, seed=0), path)
    ct = kept(path, Frame.PLAN)
    noise = scan.noise_hu * np.random.default_rng(case.n).standard_normal(ct.hu.shape, np.float32)
    return Volume(ct.grid, np.rint(ct.hu + noise).astype(np.int16))


def imaged(case: Case, folder: Path, coarser: int) -> Volume:
    """The daily image."""
    path = folder / f"{case.name}_{coarser}.npz"
    if not path.exists():
        effects, truth = case.effects, case.plan_from_daily
        projector = Restless(
            breath_mm=BREATH_MM * effects.breathing,
            sag_mm=SAG_MM * effects.flex,
            front=case.position.fixed_from_lps @ np.array([0.0, -1.0, 0.0]),
            towards_head=float((case.position.fixed_from_lps @ np.array([0.0, 0.0, 1.0]))[1]),
        )
        daily = acquire(
            disturbed(case.anatomy.phantom, case.anatomy.isocentre_mm, case.random, gas=effects.gas, metal=effects.metal),
            plan_from_daily=truth,
            position=case.position,
            scan=replace(SITES[case.site].cone_beam.coarser(coarser), physics=Physics(scatter=effects.scatter)),
            seed=case.n,
            projector=projector,
        )
        keep(daily, path)
    return kept(path, Frame.DAILY)


def keep(volume: Volume, path: Path) -> None:
    """Write to a file that is either whole or not there."""
    grid, begun = volume.grid, path.with_suffix(".part.npz")
    np.savez(begun, hu=volume.hu, origin_mm=grid.origin_mm, spacing_mm=grid.spacing_mm, direction=grid.direction)
    begun.rename(path)


def kept(path: Path, frame: Frame) -> Volume:
    """What was written."""
    with np.load(path) as file:
        hu = file["hu"]
        return Volume(Grid(frame, hu.shape, file["origin_mm"], file["spacing_mm"], file["direction"]), hu)


def disturbed(phantom: Phantom, middle_mm: NDArray[np.float64], rng: np.random.Generator, *, gas: bool, metal: bool) -> Phantom:
    """The phantom with bubbles that the planning CT had not, and with two pieces of metal."""
    parts = list(phantom.parts)
    if gas:
        balls = [Ball(middle_mm + rng.uniform((-45, -50, -50), (45, 10, 50)), rng.uniform(6, 14, 3), LPS_AXES) for _ in range(5)]
        parts.append(Part("moved gas", tuple(balls), ((0.0, GAS),)))
    if metal:
        balls = [Ball(middle_mm + rng.uniform((-50, -30, -40), (50, 40, 40)), np.full(3, 4.0), LPS_AXES) for _ in range(2)]
        parts.append(Part("metal", tuple(balls), ((0.0, METAL),)))
    return replace(phantom, parts=tuple(parts))


class Restless(CpuProjector):
    """Projects one anatomy while the patient breathes and the panel sags."""

    def __init__(self, *, breath_mm: float, sag_mm: float, front: NDArray[np.float64], towards_head: float) -> None:
        """`front` is the patient's in the room, `towards_head` the sign of y there."""
        super().__init__()
        self._breath_mm, self._sag_mm, self._front, self._towards_head = breath_mm, sag_mm, front, towards_head
        self._phases: dict[int, NDArray[np.float32]] = {}

    def project(self, values: NDArray[np.float32], grid: Grid, cameras: Cameras) -> NDArray[np.float32]:
        """As `CpuProjector.project`, each view of its phase."""
        angle = np.arctan2(cameras.source_mm[:, 0], cameras.source_mm[:, 2])
        rows, columns = (step / np.linalg.norm(step, axis=1, keepdims=True) for step in (cameras.row_step_mm, cameras.column_step_mm))
        sag = self._sag_mm * (np.sin(3 * angle)[:, None] * rows + np.cos(3 * angle)[:, None] * columns)
        sagged = Cameras(cameras.source_mm, cameras.first_pixel_mm + sag, cameras.row_step_mm, cameras.column_step_mm, cameras.shape)
        if not self._breath_mm:
            return super().project(values, grid, sagged)
        phase = np.rint((0.5 - 0.5 * np.cos(BREATHS * angle)) * (PHASES - 1)).astype(int)
        out = np.empty((len(angle), *cameras.shape), np.float32)
        for n in np.unique(phase):
            chosen = np.flatnonzero(phase == n)
            if n not in self._phases:  # of the one anatomy that a scan projects
                self._phases[n] = self._inhaled(values, grid, n / (PHASES - 1))
            out[chosen] = super().project(self._phases[n], grid, sagged.views(chosen))
        return out

    def _inhaled(self, values: NDArray[np.float32], grid: Grid, share: float) -> NDArray[np.float32]:
        """Tissue in front of the isocentre moved down the patient (along i of the grid), more the farther in front, none behind it."""
        k, j = np.meshgrid(*(np.arange(n) for n in grid.shape_kji[:2]), indexing="ij")
        ahead = grid.position_mm(np.stack([np.zeros_like(k), j, k], -1)) @ self._front
        steps = self._towards_head * share * self._breath_mm * np.clip(ahead / 60.0, 0, 1) / grid.spacing_mm[0]
        whole, part = np.floor(steps).astype(int), (steps % 1).astype(np.float32)
        index = np.arange(grid.shape_kji[2])[None, None, :] + whole[..., None]
        low, high = (np.take_along_axis(values, np.clip(index + n, 0, values.shape[2] - 1), axis=2) for n in (0, 1))
        return np.ascontiguousarray(low + part[..., None] * (high - low))
