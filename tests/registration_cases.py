"""An anatomy that is a formula, so that it can be put on any grid in any pose without one image being made from another."""

import numpy as np

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

ISOCENTRE_MM = np.array([8.0, -12.0, 20.0])
# centre (mm), half axes (mm), HU
ORGANS = (
    ((0, 0, 0), (110, 80, 300), 1000.0),
    ((-45, -8, 10), (38, 50, 90), -820.0),
    ((48, -5, 0), (34, 46, 80), -820.0),
    ((-15, 60, 30), (22, 6, 9), 500.0),
    ((24, 62, -25), (20, 6, 9), 500.0),
    ((12, -30, -5), (30, 24, 34), 90.0),
    ((-60, 20, -30), (9, 12, 14), 780.0),
    ((62, -25, 35), (8, 14, 12), 700.0),
    ((-20, -55, -12), (18, 8, 16), 420.0),
    ((30, 30, 44), (12, 10, 8), 260.0),
    *(((5, 52, z), (16, 14, 11), 550.0) for z in range(-116, 117, 29)),  # vertebrae
    *(((side * 84, 12, z), (7, 30, 6), 600.0) for side in (-1, 1) for z in range(-100, 101, 25)),  # ribs
)


def anatomy_hu(points_mm: np.ndarray) -> np.ndarray:
    """HU at plan points (..., 3): air, a body, lungs, bones; edges about 2 mm wide."""
    hu = np.full(points_mm.shape[:-1], -1000.0)
    for centre, half, value in ORGANS:
        radius = np.linalg.norm((points_mm - np.array(centre)) / np.array(half), axis=-1)
        hu += value / (1 + np.exp(np.clip((radius - 1) * min(half[:2]) / 1.0, -40, 40)))
    return hu


def axis_angle(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """(3, 3) rotation about an axis."""
    w = np.array(axis, float) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), -w)
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def grid_about(centre_mm, *, shape_kji=(40, 72, 84), spacing_mm=(3.0, 3.0, 4.0), direction=None, frame=Frame.PLAN) -> Grid:
    """A grid whose centre lies at `centre_mm`."""
    turn = np.eye(3) if direction is None else direction
    origin = np.array(centre_mm) - turn @ (np.array(spacing_mm) * (np.array(shape_kji[::-1]) - 1) / 2)
    return Grid(frame, shape_kji, origin, np.array(spacing_mm), turn)


def image(grid: Grid, plan_from_grid: RigidMotion | None = None, *, gain=1.0, offset=0.0, noise=0.0, seed=0) -> Volume:
    """The anatomy on `grid`; where the grid is daily, seen through `plan_from_grid`."""
    points = grid.position_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij"), -1)[..., ::-1])
    hu = anatomy_hu(points if plan_from_grid is None else plan_from_grid.apply(points))
    hu = hu * gain + offset + np.random.default_rng(seed).normal(0, noise, hu.shape)
    return Volume(grid, np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def motion(translation_mm=(0, 0, 0), axis=(1, 2, 3), degrees=0.0, daily_isocentre_mm=(0, 0, 0)) -> RigidMotion:
    """`plan_from_daily` that turns about the daily isocentre and lays it at the plan isocentre plus a translation."""
    turn = axis_angle(axis, degrees)
    shift = ISOCENTRE_MM + np.array(translation_mm) - turn @ np.array(daily_isocentre_mm)
    return RigidMotion(Frame.PLAN, Frame.DAILY, turn, shift)


def daily_grid(**options) -> Grid:
    """A daily grid about the daily isocentre at zero."""
    return grid_about((0, 0, 0), **({"shape_kji": (30, 76, 80), "spacing_mm": (2.5, 2.5, 3.0), "frame": Frame.DAILY} | options))


def displacement_mm(first: RigidMotion, second: RigidMotion) -> np.ndarray:
    """Distances between where two motions put points that the first puts within 80 mm of the isocentre."""
    axis = np.linspace(-80, 80, 5)
    points = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3) + ISOCENTRE_MM
    return np.linalg.norm(second.apply(first.inverse().apply(points)) - points, axis=1)
