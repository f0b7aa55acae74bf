"""Generated anatomies as pairs of volumes: one phantom of igrt.simulation put on two grids, the second in a known pose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import Placed, to_hu16, voxelise

SLICE_MM = 3.0  # of the plan


@dataclass(frozen=True)
class Pair:
    """A plan, a daily image, where the isocentre is, and the pose that is right."""

    case: str
    plan: Volume
    daily: Volume
    isocentre_mm: NDArray[np.float64]
    plan_from_daily: RigidMotion


def pose(rng: np.random.Generator, isocentre_mm: NDArray[np.float64], *, shift_mm: float, turn_deg: float) -> RigidMotion:
    """A pose uniform within the limits on every axis: the daily isocentre, at 0, comes near the plan's."""
    pitch, roll, yaw = rng.uniform(-turn_deg, turn_deg, 3)
    rotation = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    return RigidMotion(Frame.PLAN, Frame.DAILY, rotation, isocentre_mm + rng.uniform(-shift_mm, shift_mm, 3))


def voxel_pair(site: str, seed: int, *, noise_hu: float = 30.0, gain: float = 0.9, offset_hu: float = -60.0) -> Pair:
    """An anatomy on a CT's grid and, up to 8 mm and 3 degrees off, on a cone-beam scanner's, with noise and another scale."""
    anatomy, rng = SITES[site].anatomy(seed), np.random.default_rng(seed)
    truth = pose(rng, anatomy.isocentre_mm, shift_mm=8.0, turn_deg=3.0)
    plan = centred(Frame.PLAN, anatomy.middle_mm, (72, 170, 200), (1.9, 1.9, SLICE_MM))
    daily = centred(Frame.DAILY, np.zeros(3), (72, 128, 128), (2.0, 2.0, 2.4))
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    ct = voxelise(plan, [Placed(anatomy.phantom, still)], refine_ijk=(1, 1, 1))
    image = voxelise(daily, [Placed(anatomy.phantom, truth)], refine_ijk=(1, 1, 1))
    image = gain * image + offset_hu + noise_hu * rng.standard_normal(image.shape, np.float32)
    return Pair(f"{site} {seed}", Volume(plan, to_hu16(ct)), Volume(daily, to_hu16(image)), anatomy.isocentre_mm, truth)


def centred(frame: Frame, middle_mm: NDArray[np.float64], shape_kji: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Grid:
    """A grid along the axes about a point."""
    origin = middle_mm - (np.array(shape_kji[::-1]) - 1) / 2 * spacing_mm
    return Grid.aligned(frame, shape_kji=shape_kji, origin_mm=origin, spacing_mm=spacing_mm)
