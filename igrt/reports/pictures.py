"""The pictures of a report: in three planes through the isocentre, the images before and after the match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.geometry.motion import RigidMotion
from igrt.images.records import Daily, Plan
from igrt.registration.field import FieldFinder
from igrt.reports.outlines import Outline, outlines
from igrt.reports.overlay import Window, blend, checkerboard, windows
from igrt.reports.planes import Plane, planes_through, resample
from igrt.reports.png import data_uri

SCALE_BARS_MM = (100, 50, 20, 10)


@dataclass(frozen=True, slots=True)
class Picture:
    """One overlay: its heading, what it says to a screen reader, and the PNG as a `data:` address."""

    heading: str
    label: str
    uri: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From where to where (pixel units), whether it is long enough to matter, and what it says to a reader."""

    begin: tuple[float, float]
    end: tuple[float, float]
    far: bool
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One plane: its pictures, which share size, letters, isocentre mark, outlines and scale bar (pixel units)."""

    name: str
    letters: tuple[str, str, str, str]
    width: int
    height: int
    isocentre: tuple[float, float]
    scale_mm: int
    scale_pixels: float
    outlines: tuple[Outline, ...]
    pictures: tuple[Picture, ...]
    arrows: tuple[Arrow, ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """Three rows, and the windows of the two images (HU), which all pictures share."""

    rows: tuple[Row, ...]
    plan_window: Window
    daily_window: Window


def gallery(plan: Plan, daily: Daily, *, before: RigidMotion, after: RigidMotion | None) -> Gallery:
    """Overlays at pose `before` (plan_from_daily, set-up as it is) and, where there is a match, `after`."""
    poses = [before] if after is None else [before, after]
    planes = planes_through(plan.isocentre_mm, plan=plan.ct.grid, daily=daily.volume.grid, poses=poses)
    seen = sections(plan, daily, planes, poses)
    rows = [_row(plan, plane, *greys) for plane, greys in zip(planes, seen.greys, strict=True)]
    return Gallery(tuple(rows), seen.plan_window, seen.daily_window)


@dataclass(frozen=True, slots=True, eq=False)
class Sections:
    """Of each plane the brightness of the plan and of the daily image in each pose, and the windows that give it."""

    greys: tuple[tuple[NDArray[np.float32], list[NDArray[np.float32]]], ...]
    plan_window: Window
    daily_window: Window


def sections(plan: Plan, daily: Daily, planes: Sequence[Plane], poses: Sequence[RigidMotion]) -> Sections:
    """Both images on every plane, the daily one in every pose `plan_from_daily`; the windows are those of the last pose."""
    shown = _field_of_view(plan.ct)
    plan_hu = [resample(plan.ct, plane.points_mm, plane.shape, shown=shown) for plane in planes]
    shown = _field_of_view(daily.volume)
    daily_hu = [
        [resample(daily.volume, pose.inverse().apply(plane.points_mm), plane.shape, shown=shown) for plane in planes] for pose in poses
    ]
    plan_window, daily_window = windows(_flat(plan_hu), _flat(daily_hu[-1]))
    greys = tuple((plan_window.grey(hu), [daily_window.grey(pose[index]) for pose in daily_hu]) for index, hu in enumerate(plan_hu))
    return Sections(greys, plan_window, daily_window)


def _field_of_view(volume: Volume) -> NDArray[np.bool_]:
    """(k, j, i) where the image shows something: what lies outside a reconstruction's circle is not air."""
    finder = FieldFinder(volume.grid)
    finder.add(0, volume.hu)
    return finder.finish(int(volume.hu[0, 0, 0])).on(volume.grid, (1, 1, 1))


def _row(plan: Plan, plane: Plane, plan_grey: NDArray[np.float32], greys: list[NDArray[np.float32]]) -> Row:
    pictures = [_picture(plane, "before", "blend", blend(plan_grey, greys[0]))]
    if len(greys) > 1:
        pictures.append(_picture(plane, "after", "blend", blend(plan_grey, greys[-1])))
    board = checkerboard(plan_grey, greys[-1], pixel_mm=plane.pixel_mm)
    pictures.append(_picture(plane, "after" if len(greys) > 1 else "before", "checkerboard", board))
    return framed(plan, plane, pictures)


def framed(plan: Plan, plane: Plane, pictures: Sequence[Picture], *, drawn: bool = True) -> Row:
    """Pictures of one plane with what they share; `drawn` says whether the structures are outlined."""
    rows, columns = plane.shape
    scale_mm = next((bar for bar in SCALE_BARS_MM if bar / plane.pixel_mm < 0.4 * columns), SCALE_BARS_MM[-1])
    column, row = plane.pixel_of(plan.isocentre_mm)
    return Row(
        name=plane.name,
        letters=plane.letters,
        width=columns,
        height=rows,
        isocentre=(column + 0.5, row + 0.5),
        scale_mm=scale_mm,
        scale_pixels=scale_mm / plane.pixel_mm,
        outlines=outlines(plan.structures, plane) if drawn else (),
        pictures=tuple(pictures),
    )


def _picture(plane: Plane, when: str, kind: str, rgb: NDArray[np.uint8]) -> Picture:
    how = "plan in magenta, daily in green, grey where they agree" if kind == "blend" else "squares of plan and daily in turn"
    return Picture(
        heading=f"{when.capitalize()} · {kind}",
        label=f"{plane.name} plane through the isocentre, {when} the match: {how}",
        uri=data_uri(rgb),
    )


def _flat(pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([picture.ravel() for picture in pictures])
