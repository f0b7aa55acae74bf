"""Generated patients as pairs of small volumes: a planning CT, and a daily image of another scale in a known pose."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.preparation import PreparedDaily, PreparedPlan, prepare_daily, prepare_plan
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import Placed, to_hu16, voxelise
from tests.registration_cases import axis_angle

VERBS = cpu.CpuVerbs(cpu.BEST)


@dataclass(frozen=True)
class Patient:
    """What a match needs; `start` is where the isocentres coincide."""

    plan: PreparedPlan
    daily: PreparedDaily
    image: Volume
    isocentre_mm: np.ndarray
    truth: RigidMotion

    @property
    def start(self) -> RigidMotion:
        return RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), self.isocentre_mm)

    def moved_along(self, shift_mm: float) -> RigidMotion:
        """The truth, moved along plan z."""
        return RigidMotion(Frame.PLAN, Frame.DAILY, self.truth.rotation, self.truth.translation_mm + np.array([0.0, 0.0, shift_mm]))

    def mirrored(self) -> PreparedDaily:
        """The daily image with left and right exchanged."""
        return prepare_daily(Volume(self.image.grid, np.ascontiguousarray(self.image.hu[:, :, ::-1])), VERBS)


@lru_cache(maxsize=4)
def patient(site: str, seed: int) -> Patient:
    """A phantom on a CT's grid and, 4 to 6 mm and 2 degrees off, with noise and other HU on a scanner's."""
    anatomy, rng = SITES[site].anatomy(seed), np.random.default_rng(seed)
    truth = RigidMotion(Frame.PLAN, Frame.DAILY, axis_angle((1, -2, 1), 2.0), anatomy.isocentre_mm + np.array([4.0, -5.0, 6.0]))
    plan = centred(Frame.PLAN, anatomy.isocentre_mm, (76, 104, 124), (3.0, 3.0, 3.0))
    grid = centred(Frame.DAILY, np.zeros(3), (58, 90, 90), (2.8, 2.8, 3.0))
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    ct = to_hu16(voxelise(plan, [Placed(anatomy.phantom, still)], refine_ijk=(1, 1, 1)))
    hu = 0.9 * voxelise(grid, [Placed(anatomy.phantom, truth)], refine_ijk=(1, 1, 1)) - 60
    image = Volume(grid, to_hu16(hu + 30 * rng.standard_normal(hu.shape, np.float32)))
    return Patient(prepare_plan(Volume(plan, ct), VERBS), prepare_daily(image, VERBS), image, anatomy.isocentre_mm, truth)


def centred(frame: Frame, middle_mm, shape_kji, spacing_mm) -> Grid:
    """A grid along the axes about a point."""
    origin = np.asarray(middle_mm) - (np.array(shape_kji[::-1]) - 1) / 2 * spacing_mm
    return Grid.aligned(frame, shape_kji=shape_kji, origin_mm=origin, spacing_mm=spacing_mm)
