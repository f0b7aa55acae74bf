"""X-ray cameras: where a radiograph's pixels are in the room, and where a point of the room is in the radiograph (docs/geometry.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.geometry.angles import wrap_deg
from igrt.geometry.iec import fixed_from_gantry, gantry_from_receptor
from igrt.geometry.motion import ORTHONORMAL_TOLERANCE, Frame, RigidMotion, frozen_array

# RT Image Orientation (3002,0010) where a file leaves it out: rows along +x, columns along -y of the receptor.
DEFAULT_ORIENTATION = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XrayCamera:
    """A source and a flat receptor on a gantry that turns about the isocentre (DICOM PS3.3 C.8.8.2, IEC 61217).

    `source_angle_deg` is the gantry angle of the imaging source; the source is at (0, 0, `sad_mm`) of the gantry frame.
    `receptor_translation_mm` (3,) and `receptor_angle_deg` place the receptor in the gantry frame: z is below the source.
    `first_pixel_mm` (x, y) is the centre of the first pixel in receptor axes (RT Image Position), `spacing_mm` the step from row to row
    and from column to column, `orientation` (6,) the directions in which the column and the row index increase, both in the plane of the
    receptor. `shape` counts rows and columns. ValueError where the receptor is not beyond the source or a value is not finite.
    """

    source_angle_deg: float
    sad_mm: float
    receptor_translation_mm: NDArray[np.float64]
    receptor_angle_deg: float
    first_pixel_mm: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    orientation: NDArray[np.float64]

    def __post_init__(self) -> None:
        for field in ("source_angle_deg", "receptor_angle_deg"):
            object.__setattr__(self, field, wrap_deg(getattr(self, field)))
        for field, shape in (("receptor_translation_mm", (3,)), ("first_pixel_mm", (2,)), ("orientation", (6,))):
            object.__setattr__(self, field, frozen_array(getattr(self, field), shape, f"camera {field}"))
        if not (math.isfinite(self.sad_mm) and self.sad_mm > 0):
            raise ValueError(f"camera sad_mm is {self.sad_mm}; give the distance from source to isocentre")
        if not (math.isfinite(self.distance_mm) and self.distance_mm > 1.0):
            raise ValueError(f"the receptor is {self.distance_mm:.1f} mm from the source; give a receptor beyond the source")
        if len(self.spacing_mm) != 2 or not all(math.isfinite(s) and s > 0 for s in self.spacing_mm):
            raise ValueError(f"camera spacing_mm is {self.spacing_mm}; give the positive steps from row to row and column to column")
        if len(self.shape) != 2 or min(self.shape) < 2:
            raise ValueError(f"camera shape is {self.shape}; give at least 2 rows and 2 columns")
        axes = self.orientation.reshape(2, 3)
        if not np.abs(axes @ axes.T - np.eye(2)).max() < ORTHONORMAL_TOLERANCE or axes[:, 2].any():
            raise ValueError(f"camera orientation is {self.orientation.tolist()}; give two orthonormal directions in the receptor's plane")

    @property
    def distance_mm(self) -> float:
        """From the source to the plane of the receptor (SID)."""
        return float(self.sad_mm - self.receptor_translation_mm[2])

    @property
    def fixed_from_receptor(self) -> RigidMotion:
        """`Ry(source angle) T(translation) Rz(receptor angle)`."""
        receptor = gantry_from_receptor(translation_mm=self.receptor_translation_mm, angle_deg=self.receptor_angle_deg)
        return fixed_from_gantry(angle_deg=self.source_angle_deg) @ receptor

    @property
    def source_fixed_mm(self) -> NDArray[np.float64]:
        """(3,) where the source is in the room."""
        return fixed_from_gantry(angle_deg=self.source_angle_deg).apply([0.0, 0.0, self.sad_mm])

    @property
    def column_step_fixed_mm(self) -> NDArray[np.float64]:
        """(3,) from a pixel to the one with the next column index, in the room."""
        return self.fixed_from_receptor.turn(self.orientation[:3] * self.spacing_mm[1])

    @property
    def row_step_fixed_mm(self) -> NDArray[np.float64]:
        """(3,) from a pixel to the one with the next row index, in the room."""
        return self.fixed_from_receptor.turn(self.orientation[3:] * self.spacing_mm[0])

    @property
    def first_pixel_fixed_mm(self) -> NDArray[np.float64]:
        """(3,) centre of pixel (row 0, column 0), in the room."""
        return self.fixed_from_receptor.apply([*self.first_pixel_mm, 0.0])

    @property
    def view_axis_fixed(self) -> NDArray[np.float64]:
        """(3,) unit vector from the isocentre to the source: the direction in which one image tells nothing but magnification."""
        return fixed_from_gantry(angle_deg=self.source_angle_deg).turn([0.0, 0.0, 1.0])

    def fixed_of_pixel(self, column_row: ArrayLike) -> NDArray[np.float64]:
        """(..., 3) places in the room of pixel indices (..., 2) in the order column, row; pixel centres are whole numbers."""
        index = np.asarray(column_row, dtype=np.float64)
        return self.first_pixel_fixed_mm + index[..., :1] * self.column_step_fixed_mm + index[..., 1:] * self.row_step_fixed_mm

    def pixel_of(self, points_fixed_mm: ArrayLike) -> NDArray[np.float64]:
        """(..., 2) column and row where the rays through points (..., 3) in the room meet the receptor.

        NaN for a point that lies in the plane of the source or behind it.
        """
        on_receptor = self.receptor_of(points_fixed_mm) - self.first_pixel_mm
        axes = self.orientation.reshape(2, 3)[:, :2]
        return np.asarray(on_receptor @ axes.T / np.array([self.spacing_mm[1], self.spacing_mm[0]]))

    def receptor_of(self, points_fixed_mm: ArrayLike) -> NDArray[np.float64]:
        """(..., 2) receptor x and y (mm) where the rays through points (..., 3) in the room meet the receptor; NaN as `pixel_of`."""
        points = fixed_from_gantry(angle_deg=self.source_angle_deg).inverse().apply(points_fixed_mm)
        depth = self.sad_mm - points[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            on_plane = np.where(depth > 0, self.distance_mm / depth, np.nan) * points[..., :2]
        return np.asarray((on_plane - self.receptor_translation_mm[:2]) @ _turn(self.receptor_angle_deg))

    def pixel_of_plan(self, points_mm: ArrayLike, *, fixed_from_daily: RigidMotion, plan_from_daily: RigidMotion) -> NDArray[np.float64]:
        """(..., 2) column and row of plan points (..., 3) (LPS mm) of a patient who lies as `plan_from_daily` says."""
        if fixed_from_daily.target is not Frame.FIXED:
            raise ValueError(f"a camera stands in the fixed frame; {fixed_from_daily.name} does not end there")
        return self.pixel_of((fixed_from_daily @ plan_from_daily.inverse()).apply(points_mm))


def _turn(angle_deg: float) -> NDArray[np.float64]:
    """(2, 2): rows on the left times this are turned by minus the angle."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([[c, -s], [s, c]])
