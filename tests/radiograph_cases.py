"""A small patient whose radiographs are computed with the definition of a ray sum, for tests of their registration."""

from dataclasses import dataclass, field

import numpy as np

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily

ISOCENTRE_MM = np.array([6.0, -4.0, 9.0])
POSITION = PatientPosition.HFS
START = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)


def patient(seed: int = 1, *, slices: int = 64, scale: float = 1.0) -> Volume:
    """A water ellipse full of bones and air at random places: 96 x 80 voxels of 3 mm, slices of 3 mm."""
    random = np.random.default_rng(seed)
    shape = (slices, 80, 96)
    grid = Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=ISOCENTRE_MM - 1.5 * (np.array(shape[::-1]) - 1), spacing_mm=(3.0, 3.0, 3.0))
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    x, y, z = np.moveaxis(grid.position_mm(np.stack([i, j, k], -1)) - ISOCENTRE_MM, -1, 0)
    hu = np.where((x / 120) ** 2 + (y / 95) ** 2 < 1, 0.0, -1000.0)
    for _ in range(70):
        centre = random.uniform([-85, -60, -85], [85, 60, 85])
        size = random.uniform(5, 22, 3) * scale
        inside = ((x - centre[0]) / size[0]) ** 2 + ((y - centre[1]) / size[1]) ** 2 + ((z - centre[2]) / size[2]) ** 2 < 1
        hu[inside] = random.choice([-700.0, 250.0, 700.0, 1000.0])
    return Volume(grid, np.rint(hu).astype(np.int16))


def camera(angle_deg: float, *, shape: tuple[int, int] = (150, 190), pixel_mm: float = 2.0) -> XrayCamera:
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


def motion(shift_mm=(4.0, -6.0, 5.0), pitch=1.5, roll=-2.0, yaw=1.0) -> RigidMotion:
    """`plan_from_daily` that turns about the isocentre and then shifts."""
    turn = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    return RigidMotion(Frame.PLAN, Frame.DAILY, turn, ISOCENTRE_MM - turn @ ISOCENTRE_MM + np.array(shift_mm))


@dataclass(frozen=True)
class Room:
    """The daily frame of radiographs: the machine isocentre at the plan isocentre's coordinates."""

    fixed_from_daily: RigidMotion = field(default_factory=lambda: fixed_from_daily(isocentre_mm=ISOCENTRE_MM, position=POSITION))

    @property
    def daily_from_fixed(self) -> RigidMotion:
        return self.fixed_from_daily.inverse()


def integrals(ct: Volume, plan_from_daily: RigidMotion, cameras, *, kvp: float = 100.0, noise: float = 0.01) -> list[np.ndarray]:
    """What an ideal panel would measure: line integrals with a little noise, a gain and a slow shading."""
    verbs, source = RadiographVerbs("baseline"), AttenuationField.of_ct(ct, kvp=kvp)
    found = []
    for n, one in enumerate(cameras):
        view = View.of(one, Room().daily_from_fixed).moved(plan_from_daily)
        image = verbs.radiograph(source, view)
        rows, columns = np.meshgrid(*(np.linspace(-1, 1, size) for size in one.shape), indexing="ij")
        shaded = 0.9 * image + 0.2 * rows - 0.1 * columns**2 + np.random.default_rng(n).normal(0, noise, one.shape)
        found.append(shaded.astype(np.float32))
    return found


def largest_error_mm(found: RigidMotion, truth: RigidMotion, reach_mm: float = 80.0) -> float:
    """Over the corners of a cube about the isocentre."""
    corners = ISOCENTRE_MM + reach_mm / np.sqrt(3) * np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    return float(np.linalg.norm(found.apply(truth.inverse().apply(corners)) - corners, axis=1).max())
