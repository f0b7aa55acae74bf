"""A small patient with bones, air and four gold seeds: planning CT, cone-beam CT and radiographs in any pose, truth known."""

from functools import lru_cache

import numpy as np

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily
from igrt.registration.marker_kind import MarkerKind
from igrt.simulation.markers import Seed, cast, implant

ISOCENTRE_MM = np.array([6.0, -4.0, 9.0])
POSITION = PatientPosition.HFS
KIND = MarkerKind(diameter_mm=1.2, length_mm=4.0)
PLACES_MM = np.array([[14.0, 6.0, -9.0], [-11.0, 9.0, 3.0], [4.0, -10.0, 12.0], [-7.0, -8.0, -14.0]])
AXES = np.array([[1.0, 0.2, 0.3], [0.1, 1.0, -0.4], [0.5, -0.5, 1.0], [0.0, 0.3, 1.0]])
FIXED_FROM_DAILY = fixed_from_daily(isocentre_mm=ISOCENTRE_MM, position=POSITION)
SPACING_MM = 1.5


def seeds(places_mm=PLACES_MM) -> list[Seed]:
    return [Seed(ISOCENTRE_MM + p, a, KIND.diameter_mm, KIND.length_mm) for p, a in zip(places_mm, AXES, strict=True)]


def motion(shift_mm=(2.0, -1.5, 1.0), pitch=0.4, roll=-0.5, yaw=0.6) -> RigidMotion:
    """`plan_from_daily` that turns about the isocentre and then shifts."""
    turn = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    return RigidMotion(Frame.PLAN, Frame.DAILY, turn, ISOCENTRE_MM - turn @ ISOCENTRE_MM + np.array(shift_mm))


def anatomy(points_mm, seed=1):
    """HU at plan places (..., 3): a water ellipse full of bones and air, none of them where the seeds are."""
    random = np.random.default_rng(seed)
    off = np.asarray(points_mm) - ISOCENTRE_MM
    hu = np.where((off[..., 0] / 85) ** 2 + (off[..., 1] / 70) ** 2 < 1, 0.0, -1000.0)
    for _ in range(45):
        centre, size = random.uniform([-60, -48, -55], [60, 48, 55]), random.uniform(5, 16, 3)
        if np.linalg.norm(centre) < 24 + size.max():
            continue
        hu = np.where((((off - centre) / size) ** 2).sum(axis=-1) < 1, random.choice([-700.0, 250.0, 700.0, 1000.0]), hu)
    waves = random.normal(size=(24, 3))
    waves *= 2 * np.pi / random.uniform(9, 40, (24, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    grain = sum(np.cos(off @ wave + phase) for wave, phase in zip(waves, random.uniform(0, 6.28, 24), strict=True))
    return (hu + np.where(hu > -500, 20.0 * grain, 0.0)).astype(np.float32)


def volume(frame: Frame, pose: RigidMotion | None = None, markers=None, *, noise_hu=15.0, along=90, seed=3) -> Volume:
    """The patient on 1.5 mm voxels about the isocentre; a pose makes it the day's image."""
    grid = _grid(frame, (along, 100, 120))
    hu = _unmarked(None if pose is None else pose.matrix.tobytes(), grid.shape_kji).copy()
    moved = seeds() if markers is None else markers
    implant(hu, grid, moved if pose is None else [one.moved(pose.inverse()) for one in moved])
    hu += np.random.default_rng(seed).normal(0, noise_hu, hu.shape).astype(np.float32)
    return Volume(grid, np.clip(np.rint(hu), -1024, 3071).astype(np.int16))


def camera(angle_deg: float) -> XrayCamera:
    shape, pixel_mm = (280, 360), 0.8
    return XrayCamera(
        source_angle_deg=angle_deg,
        sad_mm=1000.0,
        receptor_translation_mm=(3.0, -2.0, -500.0),
        receptor_angle_deg=0.0,
        first_pixel_mm=(-(shape[1] - 1) / 2 * pixel_mm, (shape[0] - 1) / 2 * pixel_mm),
        spacing_mm=(pixel_mm, pixel_mm),
        shape=shape,
        orientation=DEFAULT_ORIENTATION,
    )


def integrals(pose: RigidMotion, cameras, markers=None, *, noise=0.01, seed=5, position=POSITION) -> list[np.ndarray]:
    """Line integrals (rows, columns) of the patient in a pose, seeds as exact cylinders."""
    field = _field()
    verbs, random, images = RadiographVerbs(), np.random.default_rng(seed), []
    plan_from_fixed = pose @ fixed_from_daily(isocentre_mm=ISOCENTRE_MM, position=position).inverse()
    for one in cameras:
        view = View.of(one, plan_from_fixed)
        image = verbs.radiograph(field, view).copy()
        cast(image[None], view.cameras, seeds() if markers is None else markers, water_per_mm=0.0208)
        images.append(image + random.normal(0, noise, image.shape).astype(np.float32))
    return images


@lru_cache(maxsize=1)
def _field() -> AttenuationField:
    return AttenuationField.of_ct(volume(Frame.PLAN, markers=[], noise_hu=0.0), kvp=100)


@lru_cache(maxsize=4)
def _unmarked(pose: bytes | None, shape) -> np.ndarray:
    """HU without seeds; the same poses come again and again."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    places = _grid(Frame.PLAN, shape).position_mm(np.stack([i, j, k], -1))
    if pose is None:
        return anatomy(places)
    matrix = np.frombuffer(pose).reshape(4, 4)
    return anatomy(places @ matrix[:3, :3].T + matrix[:3, 3])


def _grid(frame: Frame, shape) -> Grid:
    return Grid.aligned(
        frame, shape_kji=shape, origin_mm=ISOCENTRE_MM - SPACING_MM / 2 * (np.array(shape[::-1]) - 1), spacing_mm=(SPACING_MM,) * 3
    )
