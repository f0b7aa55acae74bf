"""Two images on one picture: a magenta-green blend that turns grey where they agree, and a checkerboard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SQUARE_MM = 30.0
PERCENTILES = (4.0, 25.0, 50.0, 75.0, 90.0, 96.0, 99.3)
OUTSIDE_BRIGHTNESS = 0.4


@dataclass(frozen=True, slots=True)
class Window:
    """HU (rising) and the brightness in [0, 1] that each is shown with; straight lines between, black below, white above."""

    hu: tuple[float, ...]
    brightness: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.hu) != len(self.brightness) or len(self.hu) < 2 or not all(a < b for a, b in zip(self.hu, self.hu[1:], strict=False)):
            raise ValueError(
                f"window hu is {self.hu} for brightness {self.brightness}; give as many rising HU as brightnesses, at least two"
            )

    def grey(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        """Brightness in [0, 1]; NaN stays NaN."""
        shown = np.interp(hu, self.hu, self.brightness).astype(np.float32)
        return np.where(np.isfinite(hu), shown, np.float32(np.nan))


PLAIN = Window((-1000.0, 600.0), (0.0, 1.0))


def windows(plan_hu: NDArray[np.float32], daily_hu: NDArray[np.float32]) -> tuple[Window, Window]:
    """A window for each image: linear for the plan; for the daily image such that equal shares of the anatomy are equally bright.

    A cone-beam image's HU are not those of the CT, so one window for both would tint what agrees. Only the brightness
    follows, the same over the whole image: what is out of place stays so. Arrays (n,) are HU at the same places, NaN outside.
    """
    anatomy = np.isfinite(plan_hu) & np.isfinite(daily_hu) & (plan_hu > -900)
    if int(anatomy.sum()) < 100:
        return PLAIN, PLAIN
    plan, daily = _rising(plan_hu[anatomy]), _rising(daily_hu[anatomy])
    linear = tuple((value - plan[0]) / (plan[-1] - plan[0]) for value in plan)
    return Window((plan[0], plan[-1]), (0.0, 1.0)), Window(daily, linear)


def blend(plan: NDArray[np.float32], daily: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Plan in magenta, daily in green, equal brightness grey; where only one image is, it is a dim grey."""
    rgb = np.stack([plan, daily, plan], axis=-1)
    return _rgb(rgb, plan, daily)


def checkerboard(plan: NDArray[np.float32], daily: NDArray[np.float32], *, pixel_mm: float) -> NDArray[np.uint8]:
    """Squares of plan and daily in turn, both grey: edges that run on across squares agree."""
    rows, columns = np.indices(plan.shape)
    square = max(SQUARE_MM / pixel_mm, 1.0)
    shows_plan = ((rows // square).astype(int) + (columns // square).astype(int)) % 2 == 0
    grey = np.where(shows_plan, plan, daily)
    return _rgb(np.repeat(grey[..., None], 3, axis=-1), plan, daily)


def _rgb(rgb: NDArray[np.float32], plan: NDArray[np.float32], daily: NDArray[np.float32]) -> NDArray[np.uint8]:
    both = np.isfinite(plan) & np.isfinite(daily)
    either = np.where(np.isfinite(plan), plan, daily)
    lone = np.nan_to_num(either, nan=0.0) * OUTSIDE_BRIGHTNESS
    shown = np.where(both[..., None], rgb, lone[..., None])
    return np.asarray(np.rint(shown * 255), np.uint8)


def _rising(hu: NDArray[np.float32]) -> tuple[float, ...]:
    """The percentiles, each at least 1 HU above the one before."""
    values = np.percentile(hu, PERCENTILES).tolist()
    for index in range(1, len(values)):
        values[index] = max(values[index], values[index - 1] + 1.0)
    return tuple(values)
