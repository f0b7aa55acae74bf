"""A simulated cone-beam scanner: the anatomy in the day's pose, projected, made real by physics, and reconstructed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from igrt.compute.projection import CpuProjector
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.simulation.couches import MACHINE_COUCH, CouchTop
from igrt.simulation.markers import Seed, cast
from igrt.simulation.phantoms import AIR_HU, Phantom, Placed, to_hu16, voxelise
from igrt.simulation.reconstruction import Doubles, Floats, Orbit, reconstruct

WATER_PER_MM = 0.0199  # water for 120 kVp behind 20 cm of water, a mean energy near 65 keV
# The axes of the grids that are projected: i along y of IEC fixed, then z, then x. Rays of one detector column share
# their path across y, so that they read neighbouring voxels.
_FIXED_AXES = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """What makes a cone-beam image differ from a CT.

    A three-line spectrum hardens in the patient (`spectrum`: share and attenuation relative to the mean), bone absorbs more
    than its density says, scatter is a broad blur of what the patient let through, and each pixel counts photons.
    """

    spectrum: tuple[tuple[float, float], ...] = ((0.3, 1.20), (0.4, 1.0), (0.3, 0.80))
    bone_excess: float = 0.25
    bone_from_hu: float = 200.0
    scatter: float = 0.045
    scatter_sd_mm: float = 110.0
    photons: float = 4.0e4
    water_share: float = 0.955


IDEAL = Physics(spectrum=((1.0, 1.0),), bone_excess=0.0, scatter=0.0, photons=np.inf, water_share=1.0)
"""A scanner without flaws, for tests of geometry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """How a cone-beam scan is taken and reconstructed: across is left-right and up-down, along is the patient's length."""

    orbit: Orbit
    voxel_mm: tuple[float, float]
    across: int
    along: int
    anatomy_voxel_mm: float = 1.3
    physics: Physics = Physics()

    def coarser(self, factor: int) -> Scan:
        """The same field of view with fewer, larger pixels, views and voxels: for tests."""
        o = self.orbit
        orbit = Orbit(
            views=max(o.views // factor, 90),
            start_deg=o.start_deg,
            arc_deg=o.arc_deg,
            columns=o.columns // factor,
            rows=o.rows // factor,
            pixel_mm=o.pixel_mm * factor,
            panel_offset_mm=o.panel_offset_mm,
        )
        voxel = (self.voxel_mm[0] * factor, self.voxel_mm[1] * factor)
        return Scan(
            orbit=orbit,
            voxel_mm=voxel,
            across=self.across // factor,
            along=self.along // factor,
            anatomy_voxel_mm=self.anatomy_voxel_mm * factor,
            physics=self.physics,
        )


def acquire(
    phantom: Phantom,
    *,
    plan_from_daily: RigidMotion,
    position: PatientPosition,
    scan: Scan,
    seed: int,
    couch: CouchTop | None = MACHINE_COUCH,
    seeds: Sequence[Seed] = (),
    projector: CpuProjector | None = None,
    progress: Progress | None = None,
) -> Volume:
    """The cone-beam CT of a patient in the pose that `plan_from_daily` says; daily LPS mm, machine isocentre at (0, 0, 0).

    The gantry turns in the room, whichever way the patient lies; the couch top stays with the machine, at the height at which the
    patient rests on it. `seed` decides the noise; `seeds` are implanted markers, in the phantom's frame.
    """
    tell = progress or (lambda _stage, _share: None)
    projector = projector or CpuProjector()
    daily_from_fixed = RigidMotion(Frame.DAILY, Frame.FIXED, position.fixed_from_lps.T, np.zeros(3))
    plan_from_fixed = plan_from_daily @ daily_from_fixed
    room = room_grid(phantom, plan_from_fixed, scan)
    placed = [Placed(phantom, plan_from_fixed)]
    if couch is not None:
        here = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
        placed.insert(0, couch.under(phantom, patient_from_room=plan_from_fixed, room_from_grid=here))
    hu = voxelise(room, placed, refine_ijk=(1, 1, 1), progress=lambda share: tell("anatomy", share))
    integrals = _project(attenuation(hu, scan.physics), room, scan.orbit, projector, tell)
    cast(integrals, scan.orbit.cameras(), [one.moved(plan_from_fixed.inverse()) for one in seeds], water_per_mm=WATER_PER_MM)
    measured = detect(integrals, scan, np.random.default_rng(seed))
    tell("reconstruction", 0.0)
    volume = _reconstruct(measured, scan, position, projector)
    tell("reconstruction", 1.0)
    return volume


def attenuation(hu: Floats, physics: Physics) -> Floats:
    """Attenuation (per mm) at the mean energy, with the extra absorption of bone."""
    per_mm = np.maximum(1 + hu / 1000, 0)
    if physics.bone_excess:
        per_mm += physics.bone_excess / 1000 * np.maximum(hu - physics.bone_from_hu, 0)
    return np.ascontiguousarray(per_mm * WATER_PER_MM, np.float32)


def detect(integrals: Floats, scan: Scan, random: np.random.Generator) -> Floats:
    """What the panel makes of line integrals (views, columns, rows): hardened, scattered on, counted, and logged again."""
    physics, orbit = scan.physics, scan.orbit
    hardness = sum(share * relative for share, relative in physics.spectrum)
    blur_u, blur_v = (_blur(n, physics.scatter_sd_mm / orbit.pixel_mm) for n in (orbit.columns, orbit.rows))
    out = np.empty_like(integrals)
    for view, image in enumerate(integrals):
        primary = sum(share * np.exp(-np.float32(relative / hardness) * image) for share, relative in physics.spectrum)
        seen = np.asarray(primary, np.float32)
        if physics.scatter:
            seen = seen + np.float32(physics.scatter) * (blur_u @ (seen * image) @ blur_v.T)
        if np.isfinite(physics.photons):
            seen = np.maximum(random.poisson(seen * physics.photons), 1).astype(np.float32) / np.float32(physics.photons)
        out[view] = -np.log(seen)
    return out


def _blur(count: int, sd_pixels: float) -> Floats:
    """(count, count) Gaussian blur that keeps a constant image constant."""
    place = np.arange(count)
    weights = np.exp(-0.5 * ((place[:, None] - place) / sd_pixels) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def room_grid(phantom: Phantom, plan_from_fixed: RigidMotion, scan: Scan) -> Grid:
    """A grid in IEC fixed that holds the patient, the couch top and all that the cone crosses of their length."""
    orbit, step = scan.orbit, scan.anatomy_voxel_mm
    along = orbit.rows_mm.max() * (1 + 1.1 * orbit.reach_mm / orbit.source_axis_mm) + 10.0
    low, high = np.empty(3), np.empty(3)
    for axis, margin in ((0, 6.0), (2, 6.0)):
        unit = np.eye(3)[axis]
        high[axis] = _reach(phantom, plan_from_fixed, unit) + margin
        low[axis] = -_reach(phantom, plan_from_fixed, -unit) - margin
    across = orbit.reach_mm + 10.0  # the couch top goes on beyond the field of view
    low[0], high[0], low[2] = min(low[0], -across), max(high[0], across), low[2] - 60.0
    low[1], high[1] = -along, along
    count = np.ceil((high - low) / step).astype(int)
    origin = (low + high) / 2 - (count - 1) / 2 * step
    return Grid(Frame.FIXED, (int(count[0]), int(count[2]), int(count[1])), origin, np.full(3, step), _FIXED_AXES)


def _reach(phantom: Phantom, plan_from_fixed: RigidMotion, direction: Doubles) -> float:
    return phantom.reach_mm(plan_from_fixed.turn(direction), from_mm=plan_from_fixed.translation_mm)


def _project(values: Floats, room: Grid, orbit: Orbit, projector: CpuProjector, tell: Progress) -> Floats:
    """All views, in a few goes, so that progress can be told."""
    cameras = orbit.cameras()
    parts = np.array_split(np.arange(orbit.views), max(1, orbit.views // 30))
    images = []
    for n, part in enumerate(parts, 1):
        images.append(projector.project(values, room, cameras.views(part)))
        tell("projection", n / len(parts))
    return np.concatenate(images)


def image_axes(position: PatientPosition) -> Doubles:
    """(3, 3) directions of i, j, k in patient LPS of an image whose rows and columns stay with the room.

    i to the right facing the gantry, j down, k toward the gantry: for a patient head first supine, x, y and z of LPS.
    """
    return np.asarray(position.fixed_from_lps.T @ np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]))


def _reconstruct(measured: Floats, scan: Scan, position: PatientPosition, projector: CpuProjector) -> Volume:
    """HU on the scanner's grid: machine isocentre in its middle, -1000 HU beyond the field of view."""
    count = np.array([scan.across, scan.across, scan.along])
    size = np.array([scan.voxel_mm[0], scan.voxel_mm[0], scan.voxel_mm[1]])
    direction = image_axes(position)
    grid = Grid(Frame.DAILY, (scan.along, scan.across, scan.across), direction @ (-(count - 1) / 2 * size), size, direction)
    # Backprojected in the order k, i, j, fastest first: neighbours along the patient lie along one detector column.
    order = [2, 0, 1]
    axes = (position.fixed_from_lps @ direction)[:, order]
    room = Grid(Frame.FIXED, (scan.across, scan.across, scan.along), axes @ (-(count[order] - 1) / 2 * size[order]), size[order], axes)
    per_mm = reconstruct(measured, scan.orbit, room, projector).transpose(2, 0, 1)
    hu = 1000 * (per_mm / np.float32(WATER_PER_MM * scan.physics.water_share) - 1)
    x = (np.arange(scan.across) - (scan.across - 1) / 2) * scan.voxel_mm[0]
    hu[:, x[:, None] ** 2 + x**2 > (scan.orbit.reach_mm - 1) ** 2] = AIR_HU
    return Volume(grid, to_hu16(hu))
