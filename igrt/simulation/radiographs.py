"""Simulated kV radiographs: the anatomy in the day's pose seen from a few angles, with the same physics as the cone-beam scanner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.compute.projection import Cameras, CpuProjector
from igrt.compute.radiographs import View
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.images.write_radiograph import write_radiograph
from igrt.simulation.couches import MACHINE_COUCH, CouchTop
from igrt.simulation.markers import Seed, cast
from igrt.simulation.patients import PATIENTS, Fraction, anatomy_of, identity_of, make_daily, new_folder, plan_from_daily, truth_of
from igrt.simulation.phantoms import Phantom, Placed, voxelise
from igrt.simulation.reconstruction import Orbit
from igrt.simulation.scanner import WATER_PER_MM, Physics, Progress, Scan, attenuation, detect, room_grid
from igrt.simulation.shapes import Floats

KVP = 110.0
UNATTENUATED = 60000.0
ANGLES_DEG = (0.0, 270.0)
PANEL = Orbit(views=2, start_deg=0.0, arc_deg=360.0, columns=512, rows=384, pixel_mm=0.776)
ANATOMY_VOXEL_MM = 1.0
PHYSICS = Physics()


def camera_at(angle_deg: float, *, panel: Orbit = PANEL) -> XrayCamera:
    """The imager's camera: source and centred panel of the scanner's geometry."""
    return XrayCamera(
        source_angle_deg=angle_deg,
        sad_mm=panel.source_axis_mm,
        receptor_translation_mm=np.array([0.0, 0.0, panel.source_axis_mm - panel.source_panel_mm]),
        receptor_angle_deg=0.0,
        first_pixel_mm=panel.pixel_mm / 2 * np.array([1.0 - panel.columns, panel.rows - 1.0]),
        spacing_mm=(panel.pixel_mm, panel.pixel_mm),
        shape=(panel.rows, panel.columns),
        orientation=np.array(DEFAULT_ORIENTATION),
    )


def take(
    phantom: Phantom,
    *,
    plan_from_daily: RigidMotion,
    position: PatientPosition,
    angles_deg: Sequence[float] = ANGLES_DEG,
    panel: Orbit = PANEL,
    physics: Physics = PHYSICS,
    anatomy_voxel_mm: float = ANATOMY_VOXEL_MM,
    seed: int,
    couch: CouchTop | None = MACHINE_COUCH,
    seeds: Sequence[Seed] = (),
    progress: Progress | None = None,
) -> tuple[NDArray[np.uint16], ...]:
    """Linear intensities (rows, columns) from each source angle, 60000 unattenuated, of a patient in the pose that `plan_from_daily` says.

    Daily LPS mm with the machine isocentre at (0, 0, 0), as for `acquire`; the couch top stays with the machine. `seed` decides the noise;
    `seeds` are implanted markers, in the phantom's frame.
    """
    integrals = ray_sums(
        phantom,
        plan_from_daily=plan_from_daily,
        position=position,
        angles_deg=angles_deg,
        panel=panel,
        physics=physics,
        anatomy_voxel_mm=anatomy_voxel_mm,
        couch=couch,
        progress=progress,
    )
    cast_seeds(integrals, seeds, plan_from_daily=plan_from_daily, position=position, angles_deg=angles_deg, panel=panel)
    return expose(integrals, panel=panel, physics=physics, seed=seed)


def ray_sums(
    phantom: Phantom,
    *,
    plan_from_daily: RigidMotion,
    position: PatientPosition,
    angles_deg: Sequence[float] = ANGLES_DEG,
    panel: Orbit = PANEL,
    physics: Physics = PHYSICS,
    anatomy_voxel_mm: float = ANATOMY_VOXEL_MM,
    couch: CouchTop | None = MACHINE_COUCH,
    progress: Progress | None = None,
) -> Floats:
    """Line integrals (views, rows, columns) of the anatomy alone; the arguments are those of `take`."""
    tell = progress or (lambda _stage, _share: None)
    scan = _scan(panel, physics, anatomy_voxel_mm)
    plan_from_fixed = _plan_from_fixed(plan_from_daily, position)
    here = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
    placed = [Placed(phantom, plan_from_fixed)]
    if couch is not None:
        placed.insert(0, couch.under(phantom, patient_from_room=plan_from_fixed, room_from_grid=here))
    room = room_grid(phantom, plan_from_fixed, scan)
    hu = voxelise(room, placed, refine_ijk=(1, 1, 1), progress=lambda share: tell("anatomy", share))
    values, projector = attenuation(hu, physics), CpuProjector()
    return np.stack([projector.project(values, room, _view(angle, panel))[0] for angle in angles_deg])


def cast_seeds(
    integrals: Floats,
    seeds: Sequence[Seed],
    *,
    plan_from_daily: RigidMotion,
    position: PatientPosition,
    angles_deg: Sequence[float] = ANGLES_DEG,
    panel: Orbit = PANEL,
) -> None:
    """Add implanted markers (in the phantom's frame) to line integrals (views, rows, columns)."""
    moved = [seed.moved(_plan_from_fixed(plan_from_daily, position).inverse()) for seed in seeds]
    for image, angle in zip(integrals, angles_deg, strict=True):
        cast(image[None], _view(angle, panel), moved, water_per_mm=WATER_PER_MM)


def expose(integrals: Floats, *, panel: Orbit = PANEL, physics: Physics = PHYSICS, seed: int) -> tuple[NDArray[np.uint16], ...]:
    """What the panel reads of line integrals (views, rows, columns): linear intensities, 60000 unattenuated."""
    scan = _scan(panel, physics, ANATOMY_VOXEL_MM)
    measured = detect(integrals.transpose(0, 2, 1), scan, np.random.default_rng(seed)).transpose(0, 2, 1)
    return tuple(np.clip(np.rint(UNATTENUATED * np.exp(-image)), 1, 65535).astype(np.uint16) for image in measured)


def make_image(fraction: Fraction, folder: Path, *, progress: Progress | None = None) -> Path:
    """Write what a fraction is imaged by first, radiographs or a cone-beam CT; the folder of it, beside which its truth lies."""
    if not fraction.kv:
        return make_daily(fraction, folder, progress=progress)
    return make_radiographs(fraction, folder, progress=progress)[0].parent


def _scan(panel: Orbit, physics: Physics, anatomy_voxel_mm: float) -> Scan:
    return Scan(orbit=panel, voxel_mm=(1.0, 1.0), across=2, along=2, anatomy_voxel_mm=anatomy_voxel_mm, physics=physics)


def _plan_from_fixed(plan_from_daily: RigidMotion, position: PatientPosition) -> RigidMotion:
    return plan_from_daily @ RigidMotion(Frame.DAILY, Frame.FIXED, position.fixed_from_lps.T, np.zeros(3))


def _view(angle_deg: float, panel: Orbit) -> Cameras:
    return View.of(camera_at(angle_deg, panel=panel), RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)).cameras


def make_radiographs(
    fraction: Fraction, folder: Path, *, angles_deg: Sequence[float] = ANGLES_DEG, coarser: int = 1, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write a fraction's radiographs as DICOM RT Images to FOLDER/<patient>/<fraction>_kv and return their paths.

    Beside the folder <fraction>_kv_truth.json, in the daily frame of radiographs, whose machine isocentre has the plan isocentre's
    coordinates. InputError where the folder holds files.
    """
    patient = PATIENTS[fraction.patient]
    target = new_folder(folder / patient.name / f"{fraction.name}_kv")
    someone = anatomy_of(fraction)
    pose = plan_from_daily(fraction.correction, isocentre_mm=someone.isocentre_mm, position=patient.position)
    panel = Orbit(
        views=2,
        start_deg=0.0,
        arc_deg=360.0,
        columns=PANEL.columns // coarser,
        rows=PANEL.rows // coarser,
        pixel_mm=PANEL.pixel_mm * coarser,
    )
    images = take(
        someone.phantom,
        plan_from_daily=pose,
        position=patient.position,
        angles_deg=angles_deg,
        panel=panel,
        anatomy_voxel_mm=ANATOMY_VOXEL_MM * coarser,
        seed=fraction.seed,
        progress=progress,
    )
    identity, paths = identity_of(fraction, f"{fraction.name} kv"), []
    for angle, pixels in zip(angles_deg, images, strict=True):
        paths.append(target / f"kv{angle % 360:03.0f}.dcm")
        camera = camera_at(angle, panel=panel)
        write_radiograph(pixels, paths[-1], camera=camera, identity=identity, position=patient.position, kvp=KVP, series=fraction.name)
    isocentre = patient.anatomy.isocentre_mm
    centred = RigidMotion(Frame.DAILY, Frame.DAILY, np.eye(3), -isocentre)
    truth = truth_of(fraction, pose @ centred if fraction.impostor_seed is None else None)
    truth |= {"daily": [path.name for path in paths], "daily_isocentre_lps_mm": isocentre.tolist()}
    (target.parent / f"{fraction.name}_kv_truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return tuple(paths)
