"""How a match is sought: on which part of the anatomy, on which tissue, with which motions free. One type for library, command and bus."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, frozen_array
from igrt.images.records import Structure

LARGEST_MARGIN_MM = 100.0
Point = tuple[float, float, float]


class Mode(StrEnum):
    """Which tissue of the planning CT the match looks at."""

    GREY = "grey"
    BONE = "bone"
    SOFT = "soft"


class Freedom(StrEnum):
    """Which motions are sought; the others stay as the start has them."""

    SIX = "six"
    TRANSLATIONS = "translations"
    ROTATIONS = "rotations"


@dataclass(frozen=True, slots=True)
class Clipbox:
    """A box of plan LPS mm, its sides along the axes of the patient."""

    low_mm: Point
    high_mm: Point

    def __post_init__(self) -> None:
        low, high = (frozen_array(getattr(self, name), (3,), f"clipbox {name}") for name in ("low_mm", "high_mm"))
        if not (low < high).all():
            raise InputError(f"clipbox from {low.tolist()} to {high.tolist()} mm holds nothing; give the lower corner first")
        object.__setattr__(self, "low_mm", tuple(low.tolist()))
        object.__setattr__(self, "high_mm", tuple(high.tolist()))

    @property
    def words(self) -> str:
        """For the output."""
        return f"box {_figures(self.low_mm)} to {_figures(self.high_mm)} mm"


@dataclass(frozen=True, slots=True)
class Around:
    """Structures of the plan, together, and what lies within `margin_mm` of them."""

    structures: tuple[Structure, ...]
    margin_mm: float = 0.0

    def __post_init__(self) -> None:
        if not self.structures:
            raise InputError("a region about structures needs at least one; name a structure that the plan has")
        if not 0.0 <= self.margin_mm <= LARGEST_MARGIN_MM:
            raise InputError(f"margin_mm of a region is {self.margin_mm}; give 0 to {LARGEST_MARGIN_MM:g} mm")

    @property
    def words(self) -> str:
        """For the output."""
        names = ", ".join(structure.name for structure in self.structures)
        return f"{names} and {self.margin_mm:g} mm around" if self.margin_mm else names


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Voxels (k, j, i) of a grid in the plan's frame, which need not be that of the CT; `words` says what they are."""

    grid: Grid
    inside: NDArray[np.bool_]
    words: str = "mask"

    def __post_init__(self) -> None:
        if self.grid.frame != Frame.PLAN or self.inside.dtype != np.bool_ or self.inside.shape != self.grid.shape_kji:
            raise InputError(f"a mask is bool {self.grid.shape_kji} in frame plan; this is {self.inside.dtype} {self.inside.shape}")
        if not self.inside.any():
            raise InputError("the mask of the region is empty; give one that holds the anatomy to match")


Region = Clipbox | Around | Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOptions:
    """What a match looks at and what it may move. The default is the whole body, all tissue, all six motions.

    `region` is a part of the planning CT (None: the whole). `rotation_centre_mm` (plan LPS) is the point that stays where the
    start puts it, with rotations alone; None is the plan isocentre.
    """

    region: Region | None = None
    mode: Mode = Mode.GREY
    freedom: Freedom = Freedom.SIX
    rotation_centre_mm: Point | None = None

    def __post_init__(self) -> None:
        if self.rotation_centre_mm is None:
            return
        if self.freedom is not Freedom.ROTATIONS:
            raise InputError(
                f"rotation_centre_mm is given, but {self.freedom} are sought: only a match of rotations alone turns about a point; "
                "seek rotations, or leave the point out"
            )
        centre = frozen_array(self.rotation_centre_mm, (3,), "rotation_centre_mm")
        object.__setattr__(self, "rotation_centre_mm", tuple(centre.tolist()))

    @property
    def restricted(self) -> bool:
        """Whether only a part of the anatomy decides."""
        return self.region is not None or self.mode is not Mode.GREY

    @property
    def region_words(self) -> str:
        """The region, for the output."""
        return "whole" if self.region is None else self.region.words


def _figures(point_mm: Point) -> str:
    return " ".join(f"{value:g}" for value in point_mm)
