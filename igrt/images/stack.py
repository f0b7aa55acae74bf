"""Whether slices stack into a regular grid, and which; every way in which they do not has its own sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

FEWEST_SLICES = 3  # with two, a missing slice cannot be seen
RIGHT_ANGLE_TOLERANCE = 1e-3  # direction cosines are written with as few as four digits
SAME_ORIENTATION_TOLERANCE = 1e-4  # 0.05 mm at the edge of a slice
STACK_TOLERANCE_MM = 0.1  # how far a slice may lie from the regular grid: positions are written with as few as one digit
STEP_TOLERANCE_MM = 2 * STACK_TOLERANCE_MM  # two neighbours off to either side
SPACING_TOLERANCE = 1e-4
TILT_TOLERANCE_DEG = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Where one slice lies: centre of its first pixel and direction cosines in LPS, row and column spacing (mm), rows and columns."""

    path: Path
    sop_uid: str
    position_mm: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    shape: tuple[int, int]
    stated_tilt_deg: float


def stack_grid(slices: Sequence[Slice], frame: Frame, source: str) -> tuple[Grid, tuple[Slice, ...]]:
    """The grid on which the slices lie and the slices in its order (ascending along row x column); InputError where there is none."""
    if len(slices) < FEWEST_SLICES:
        raise InputError(f"{source} holds {len(slices)} CT slice(s); a volume takes at least {FEWEST_SLICES}: give the whole series")
    _same_plane(slices, source)
    direction = _direction(slices[0])
    normal = direction[:, 2]
    _stated_tilt(slices[0], normal, source)
    ordered = tuple(sorted(slices, key=lambda s: float(s.position_mm @ normal)))
    positions_mm = np.array([s.position_mm for s in ordered])
    _regular_steps(positions_mm @ normal, ordered, source)
    origin_mm, step_mm = _fit(positions_mm, normal, ordered, source)
    spacing_mm = np.array([slices[0].spacing_mm[1], slices[0].spacing_mm[0], step_mm])
    return Grid(frame, (len(ordered), *slices[0].shape), origin_mm, spacing_mm, direction), ordered


def _same_plane(slices: Sequence[Slice], source: str) -> None:
    first = slices[0]
    if not first.spacing_mm.min() > 0:
        raise InputError(f"{first.path}: Pixel Spacing (0028,0030) is {first.spacing_mm.tolist()}; export the series again")
    for other in slices[1:]:
        pair = f"{source}: {first.path.name} and {other.path.name}"
        if other.shape != first.shape:
            raise InputError(f"{pair} have {first.shape} and {other.shape} rows and columns; give the slices of one reconstruction")
        if not np.abs(other.spacing_mm / first.spacing_mm - 1).max() < SPACING_TOLERANCE:
            raise InputError(
                f"{pair} have pixels of {first.spacing_mm.tolist()} and {other.spacing_mm.tolist()} mm; "
                "give the slices of one reconstruction"
            )
        if not np.abs(other.orientation - first.orientation).max() < SAME_ORIENTATION_TOLERANCE:
            raise InputError(f"{pair} differ in Image Orientation (0020,0037); give the slices of one reconstruction")


def _direction(at: Slice) -> NDArray[np.float64]:
    """Right-handed direction cosines, columns i, j, k: the orthonormal pair nearest to the stated row and column, and their normal."""
    stated = at.orientation.reshape(2, 3).T
    if not np.abs(stated.T @ stated - np.eye(2)).max() < RIGHT_ANGLE_TOLERANCE:
        raise InputError(
            f"{at.path}: Image Orientation (0020,0037) {at.orientation.tolist()} is no right angle of unit vectors; export it again"
        )
    u, _, vt = np.linalg.svd(stated, full_matrices=False)
    row, column = (u @ vt).T
    return np.column_stack([row, column, np.cross(row, column)])


def _regular_steps(along_mm: NDArray[np.float64], ordered: Sequence[Slice], source: str) -> None:
    """No slice twice, none missing, all steps alike; positions along the normal in ascending order."""
    steps_mm = np.diff(along_mm)
    for k in np.flatnonzero(steps_mm < STACK_TOLERANCE_MM).tolist():
        pair = f"{ordered[k].path.name} and {ordered[k + 1].path.name}"
        raise InputError(f"{source} holds a slice twice: {pair} both lie at {along_mm[k]:.2f} mm; remove one, or give one series alone")
    step_mm = float(np.median(steps_mm))
    odd = np.flatnonzero(~(np.abs(steps_mm - step_mm) <= STEP_TOLERANCE_MM))
    if not len(odd):
        return
    k = int(odd[0])
    between = f"between {ordered[k].path.name} ({along_mm[k]:.2f} mm) and {ordered[k + 1].path.name} ({along_mm[k + 1]:.2f} mm)"
    multiples = steps_mm[odd] / step_mm
    if np.abs(multiples - np.round(multiples)).max() * step_mm <= STEP_TOLERANCE_MM and multiples.min() > 1.5:
        missing = int(np.round(multiples).sum()) - len(odd)
        raise InputError(
            f"{source} misses {missing} slice(s), the first {between} where slices are {step_mm:.2f} mm apart; copy the whole series"
        )
    raise InputError(
        f"{source} is spaced unevenly: {steps_mm[k]:.2f} mm {between}, {step_mm:.2f} mm elsewhere; reconstruct it with one slice spacing"
    )


def _fit(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64], ordered: Sequence[Slice], source: str
) -> tuple[NDArray[np.float64], float]:
    """First position and step of the regular stack along `normal` that fits best; InputError where a slice lies off it."""
    n = len(positions_mm)
    step_mm = float((positions_mm[-1] - positions_mm[0]) @ normal) / (n - 1)
    middle = np.arange(n) - (n - 1) / 2
    fitted_mm = positions_mm.mean(axis=0) + middle[:, None] * (step_mm * normal)
    off_mm = positions_mm - fitted_mm
    along_mm = off_mm @ normal
    aside_mm = off_mm - along_mm[:, None] * normal
    _not_aside(aside_mm, step_mm, ordered, source)
    if not np.abs(along_mm).max() <= STACK_TOLERANCE_MM:
        worst = int(np.abs(along_mm).argmax())
        raise InputError(
            f"{source} is spaced unevenly: {ordered[worst].path.name} lies {along_mm[worst]:.2f} mm off a regular stack; "
            "reconstruct it with one slice spacing"
        )
    return fitted_mm[0], step_mm


def _not_aside(aside_mm: NDArray[np.float64], step_mm: float, ordered: Sequence[Slice], source: str) -> None:
    """No slice lies beside the normal through the middle of the stack; a steady drift is a tilted gantry."""
    if np.linalg.norm(aside_mm, axis=1).max() <= STACK_TOLERANCE_MM:
        return
    n = len(aside_mm)
    drift_mm = (aside_mm[-1] - aside_mm[0]) / (n - 1)
    jumps_mm = np.linalg.norm(aside_mm - (np.arange(n) - (n - 1) / 2)[:, None] * drift_mm, axis=1)
    if jumps_mm.max() <= STACK_TOLERANCE_MM:
        tilt_deg = np.degrees(np.arctan2(np.linalg.norm(drift_mm), step_mm))
        raise InputError(
            f"{source} was taken with a tilted gantry, its slices are sheared by {tilt_deg:.1f} degrees; "
            "scan without tilt or resample it to right angles"
        )
    worst = ordered[int(np.linalg.norm(aside_mm - np.median(aside_mm, axis=0), axis=1).argmax())]
    raise InputError(f"{source}: {worst.path.name} lies beside the stack of the other slices; give the slices of one scan")


def _stated_tilt(at: Slice, normal: NDArray[np.float64], source: str) -> None:
    """A tilt that is stated must show in the orientation: otherwise one of the two is wrong, and with it the geometry."""
    shown_deg = float(np.degrees(np.arccos(min(1.0, np.abs(normal).max()))))
    if abs(at.stated_tilt_deg) > TILT_TOLERANCE_DEG and not abs(abs(at.stated_tilt_deg) - shown_deg) <= TILT_TOLERANCE_DEG:
        raise InputError(
            f"{source} states a gantry tilt of {at.stated_tilt_deg:.1f} degrees (0018,1120) and its orientation shows {shown_deg:.1f}; "
            "scan without tilt or resample it to right angles"
        )
