"""Grids on the wire and in the house."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from igrt.bus.messages import ImageGrid, Vector
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame


def vector(values: ArrayLike) -> Vector:
    """Three numbers, as they are sent."""
    x, y, z = (float(v) for v in np.asarray(values, dtype=float).ravel())
    return (x, y, z)


def vector_or_none(values: ArrayLike | None) -> Vector | None:
    """Three numbers, or none."""
    return None if values is None else vector(values)


def wire_grid(grid: Grid) -> ImageGrid:
    """`grid` (frame daily) as it is sent."""
    if grid.frame != Frame.DAILY:
        raise ValueError(f"the image to send lies in frame {grid.frame}; give one in frame daily")
    return grid_as_sent(grid)


def grid_as_sent(grid: Grid) -> ImageGrid:
    """`grid` in the words of the bus, which leave its frame to the message."""
    return ImageGrid(
        shape_kji=grid.shape_kji,
        origin_mm=vector(grid.origin_mm),
        spacing_mm=vector(grid.spacing_mm),
        direction_i=vector(grid.direction[:, 0]),
        direction_j=vector(grid.direction[:, 1]),
        direction_k=vector(grid.direction[:, 2]),
    )


def daily_grid(grid: ImageGrid, *, source: str) -> Grid:
    """The received grid in frame daily; InputError naming `source` where it is no grid."""
    direction = np.column_stack([grid.direction_i, grid.direction_j, grid.direction_k])
    try:
        return Grid(Frame.DAILY, grid.shape_kji, np.array(grid.origin_mm), np.array(grid.spacing_mm), direction)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{source}: {error}") from error
