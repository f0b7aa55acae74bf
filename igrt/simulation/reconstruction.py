"""Cone-beam reconstruction after Feldkamp, Davis and Kress: redundancy and cosine weights, ramp filter, backprojection.

Images are (views, columns, rows): the second axis runs across the gantry's axis, along which the ramp filter works, and
the third along it, so that neighbours in memory share their path through the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from igrt.compute.projection import Cameras, CpuProjector
from igrt.geometry.angles import rotation_y
from igrt.geometry.grid import Grid

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orbit:
    """A circle of the X-ray source about the y axis of IEC fixed, and the panel opposite.

    Angles are of the source, IEC 61217; `panel_offset_mm` shifts the panel along the gantry's x, at the panel. A full circle
    has a panel centred (full fan) or shifted (half fan); a shorter arc must cover 180 degrees and the fan, panel centred.
    """

    views: int
    start_deg: float
    arc_deg: float
    columns: int
    rows: int
    pixel_mm: float
    panel_offset_mm: float = 0.0
    source_axis_mm: float = 1000.0
    source_panel_mm: float = 1500.0

    def __post_init__(self) -> None:
        if (
            self.views < 2
            or min(self.columns, self.rows) < 2
            or not self.pixel_mm > 0
            or not 0 < self.source_axis_mm < self.source_panel_mm
        ):
            raise ValueError(f"{self} is no orbit; give at least 2 views of 2 x 2 pixels and a panel beyond the axis")
        if self.arc_deg != 360.0 and (self.panel_offset_mm or not 180 + 2 * self.fan_deg <= self.arc_deg < 360):
            raise ValueError(
                f"an arc of {self.arc_deg} degrees is too short; a centred panel needs {180 + 2 * self.fan_deg:.1f}, a shifted one 360"
            )
        if not abs(self.panel_offset_mm) < self.columns * self.pixel_mm / 2:
            raise ValueError(
                f"panel_offset_mm is {self.panel_offset_mm}; give a shift by less than half of the panel, which must see the axis"
            )

    @property
    def angles_deg(self) -> Doubles:
        """(views,) source angles: both ends of an arc, one of a circle."""
        return np.asarray(self.start_deg + np.arange(self.views) * self.step_deg)

    @property
    def step_deg(self) -> float:
        """Angle between two views."""
        return self.arc_deg / (self.views if self.arc_deg == 360.0 else self.views - 1)

    @property
    def columns_mm(self) -> Doubles:
        """(columns,) position of each column along the gantry's x, scaled to the axis."""
        at_panel = (np.arange(self.columns) - (self.columns - 1) / 2) * self.pixel_mm + self.panel_offset_mm
        return np.asarray(at_panel * self.source_axis_mm / self.source_panel_mm)

    @property
    def rows_mm(self) -> Doubles:
        """(rows,) position of each row along y, scaled to the axis."""
        at_panel = (np.arange(self.rows) - (self.rows - 1) / 2) * self.pixel_mm
        return np.asarray(at_panel * self.source_axis_mm / self.source_panel_mm)

    @property
    def fan_deg(self) -> float:
        """Angle between the axis and the outermost ray."""
        return float(np.degrees(np.arctan(np.abs(self.columns_mm).max() / self.source_axis_mm)))

    @property
    def reach_mm(self) -> float:
        """Radius about the axis that every view (half fan: every view or its opposite) sees."""
        return self.source_axis_mm * float(np.sin(np.radians(self.fan_deg)))

    @property
    def unseen(self) -> tuple[int, int]:
        """Columns that a shifted panel lacks before the first and after the last, to see the field of view from every angle."""
        u = self.columns_mm
        lacking = int(np.ceil(abs(abs(u[0]) - abs(u[-1])) / (u[1] - u[0]) - 1e-9))
        return (lacking, 0) if abs(u[0]) < abs(u[-1]) else (0, lacking)

    def widened(self) -> Orbit:
        """The orbit with a panel that has the unseen columns too."""
        before, after = self.unseen
        shift = (after - before) * self.pixel_mm / 2
        return replace(self, columns=self.columns + before + after, panel_offset_mm=self.panel_offset_mm + shift)

    def cameras(self) -> Cameras:
        """The views in IEC fixed mm, as (column, row) images."""
        scale = self.source_panel_mm / self.source_axis_mm
        turns = np.stack([rotation_y(a) for a in self.angles_deg])
        first = np.array([self.columns_mm[0] * scale, self.rows_mm[0] * scale, self.source_axis_mm - self.source_panel_mm])
        return Cameras(
            turns @ [0.0, 0.0, self.source_axis_mm],
            turns @ first,
            turns @ [self.pixel_mm, 0.0, 0.0],
            turns @ [0.0, self.pixel_mm, 0.0],
            (self.columns, self.rows),
        )


def reconstruct(line_integrals: Floats, orbit: Orbit, grid: Grid, projector: CpuProjector, *, hann_cutoff: float = 0.9) -> Floats:
    """Attenuation (per mm) on `grid`, in IEC fixed, from line integrals (views, columns, rows).

    `hann_cutoff` is where the Hann window reaches zero, as a share of the Nyquist frequency of the columns.
    """
    u, v, sad = orbit.columns_mm, orbit.rows_mm, orbit.source_axis_mm
    cosine = sad / np.sqrt(sad**2 + u[:, None] ** 2 + v**2)
    wide = orbit.widened()  # filtered, a shifted panel's image reaches beyond the panel
    ramp = ramp_matrix(orbit.columns, float(u[1] - u[0]), hann_cutoff, beyond=orbit.unseen)
    scale = np.radians(orbit.step_deg) * sad**2
    filtered = np.empty((orbit.views, wide.columns, wide.rows), np.float32)
    for view, (image, share) in enumerate(zip(line_integrals, redundancy(orbit), strict=True)):
        filtered[view] = ramp @ (image * (share[:, None] * cosine * scale).astype(np.float32))
    return projector.backproject(filtered, wide.cameras(), grid)


def redundancy(orbit: Orbit) -> Doubles:
    """(views, columns) share of each ray, so that a ray and the one that runs the other way add up to one.

    Centred circle: one half. Shifted panel: a smooth step over the part seen from both sides (Wang 2002). Arc: Parker 1982, for the
    fan that the arc allows, which may be wider than the panel's (Silver 2000).
    """
    u = orbit.columns_mm
    if orbit.arc_deg != 360.0:
        return _parker(orbit)
    if not orbit.panel_offset_mm:
        return np.full((orbit.views, orbit.columns), 0.5)
    towards = np.sign(orbit.panel_offset_mm)
    overlap = np.arctan(-towards * u[0 if towards > 0 else -1] / orbit.source_axis_mm)
    angle = np.clip(towards * np.arctan(u / orbit.source_axis_mm) / overlap, -1, 1)
    return np.tile(0.5 + 0.5 * np.sin(np.pi / 2 * angle), (orbit.views, 1))


def _parker(orbit: Orbit) -> Doubles:
    travelled = np.radians(np.arange(orbit.views) * orbit.step_deg)[:, None]
    fan = np.radians(orbit.arc_deg - 180.0) / 2
    # Positive fan angle where the source's own turn comes later to the same line: clockwise about +y is toward -x.
    angle = -np.arctan(orbit.columns_mm / orbit.source_axis_mm)[None, :]
    begin, end = 2 * (fan - angle), np.pi - 2 * angle
    rise = np.sin(np.pi / 4 * np.clip(travelled / np.maximum(fan - angle, 1e-9), 0, 2)) ** 2
    fall = np.sin(np.pi / 4 * np.clip((np.pi + 2 * fan - travelled) / np.maximum(fan + angle, 1e-9), 0, 2)) ** 2
    return np.where(travelled < begin, rise, np.where(travelled <= end, 1.0, fall))


def ramp_matrix(columns: int, step_mm: float, hann_cutoff: float, *, beyond: tuple[int, int] = (0, 0)) -> Floats:
    """(columns and those `beyond` each end, columns) ramp filter with a Hann window, on data continued smoothly to zero.

    The continuation (a squared cosine over an eighth of the panel) keeps the edge of a truncated patient from ringing.
    """
    length = 8 * columns
    lag = np.minimum(np.arange(length), length - np.arange(length))
    impulse = np.where(lag % 2 == 1, -1.0 / (np.pi * np.maximum(lag, 1) * step_mm) ** 2, 0.0)
    impulse[0] = 1.0 / (2 * step_mm) ** 2
    frequency = np.abs(np.fft.fftfreq(length)) * 2 / hann_cutoff
    window = np.where(frequency < 1, 0.5 + 0.5 * np.cos(np.pi * frequency), 0.0)
    kernel = np.fft.ifft(np.fft.fft(impulse) * window).real * step_mm
    tail = columns // 8
    taper = np.cos(np.pi / 2 * (np.arange(1, tail + 1) / (tail + 1))) ** 2
    continued = np.zeros((columns + 2 * tail, columns))
    continued[tail : tail + columns] = np.eye(columns)
    continued[:tail, 0], continued[tail + columns :, -1] = taper[::-1], taper
    to, given = np.arange(-beyond[0], columns + beyond[1]), np.arange(-tail, columns + tail)
    return np.asarray(kernel[np.abs(to[:, None] - given)] @ continued, np.float32)
