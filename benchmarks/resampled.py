"""Pairs whose images differ in nothing but the pose: a CT and itself, resampled; an anatomy that is a formula, put on two grids.

What a match is off by here is its own: no noise, no scatter, no breathing, no other scanner. The resampling must be better
than what it tests: a spline of fifth order through every voxel of the CT.
"""

from collections.abc import Iterator

import numpy as np
from anatomies import Pair, centred, pose
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter
from truth import Truth, load

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import Placed, to_hu16, voxelise

SHIFT_MM, TURN_DEG = 8.0, 3.0
DAILY_SHAPE, DAILY_MM = (64, 200, 200), (1.25, 1.25, 2.0)
SEED = 41


def resampled_pairs(truths: list[Truth], poses: int) -> Iterator[Pair]:
    """Each CT with itself in some poses."""
    for path, isocentre_mm in {truth.plan: truth.isocentre_mm for truth in truths}.items():
        ct = load(path, Frame.PLAN)
        spline = spline_filter(ct.hu.astype(np.float32), order=5, output=np.float32, mode="nearest")
        for n in range(poses):
            truth = pose(np.random.default_rng([SEED, n]), isocentre_mm, shift_mm=SHIFT_MM, turn_deg=TURN_DEG)
            daily = centred(Frame.DAILY, np.zeros(3), DAILY_SHAPE, DAILY_MM)
            yield Pair(f"{path.name.split('.')[0]} {n}", ct, resampled(ct.grid, spline, daily, truth), isocentre_mm, truth)


def resampled(from_grid: Grid, spline: NDArray[np.float32], grid: Grid, plan_from_daily: RigidMotion) -> Volume:
    """The CT, given by its spline, on another grid; air where it has nothing."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    points_mm = plan_from_daily.apply(grid.position_mm(np.stack([i, j, k], -1).reshape(-1, 3)))
    index = from_grid.index_ijk(points_mm)[:, ::-1].T
    hu = map_coordinates(spline, index, order=5, prefilter=False, mode="constant", cval=-1000.0)
    return Volume(grid, to_hu16(hu.reshape(grid.shape_kji)))


def formula_pairs(poses: int) -> Iterator[Pair]:
    """Each anatomy as a mean over the voxels of a CT's grid and of a daily image's."""
    for site, made in SITES.items():
        for n in range(poses):
            anatomy = made.anatomy(SEED + n)
            truth = pose(np.random.default_rng([SEED, n]), anatomy.isocentre_mm, shift_mm=SHIFT_MM, turn_deg=TURN_DEG)
            still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
            plan = centred(Frame.PLAN, anatomy.middle_mm, (90, 240, 280), (1.4, 1.4, 2.5))
            daily = centred(Frame.DAILY, np.zeros(3), DAILY_SHAPE, DAILY_MM)
            images = [voxelise(grid, [Placed(anatomy.phantom, at)], refine_ijk=(1, 1, 2)) for grid, at in ((plan, still), (daily, truth))]
            yield Pair(
                f"{site} {SEED + n}", Volume(plan, to_hu16(images[0])), Volume(daily, to_hu16(images[1])), anatomy.isocentre_mm, truth
            )
