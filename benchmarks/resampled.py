"""Pairs whose images differ in nothing but the pose: a CT and itself, resampled; an anatomy that is a formula, put on two grids.

    python benchmarks/resampled.py [--poses N] [--device NAME]

What a match is off by here is its own: no noise, no scatter, no breathing, no other scanner. The resampling must be better
than what it tests: a spline of fifth order through every voxel of the CT. Errors are displacements over +-80 mm about the isocentre.
"""

import argparse
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from anatomies import Pair, centred, pose
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter
from truth import Truth, load, pairs

from igrt.compute import device
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
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
            ct, image = (Volume(grid, to_hu16(hu)) for grid, hu in zip((plan, daily), images, strict=True))
            yield Pair(f"{site} {SEED + n}", ct, image, anatomy.isocentre_mm, truth)


def main() -> None:
    """Match all, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=2, help="of each CT and each site")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs = device.choose(options.device).verbs
    print("| pair | CT voxel mm | mean mm | max mm | isocentre mm |\n|" + " --- |" * 5)
    for pair in chain(resampled_pairs(pairs(), options.poses), formula_pairs(options.poses)):
        start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), pair.isocentre_mm)
        plan, daily = prepare_plan(pair.plan, verbs), prepare_daily(pair.daily, verbs)
        found = match_rigid(plan, daily, start=start, isocentre_mm=pair.isocentre_mm, verbs=verbs).plan_from_daily
        truth = Truth(pair.case, Path(), Path(), pair.plan_from_daily, start, pair.isocentre_mm)
        off = truth.errors_mm(found)
        voxel = " × ".join(f"{step:.2f}" for step in pair.plan.grid.spacing_mm)
        print(f"| {pair.case} | {voxel} | {off.mean():.3f} | {off.max():.3f} | {off[len(off) // 2]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
