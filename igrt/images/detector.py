"""From what a flat panel counts to line integrals: dead pixels, glare, collimator, logarithm."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.images.radiographs import KvConventions, PixelSense, Radiograph

Floats = NDArray[np.float32]

DEAD_DEVIATIONS = 8.0  # off the median of its neighbours, in robust standard deviations of all such differences
GLARE_SHARE = 0.25  # of the darkest exposed pixels: what scatter and veiling glare add everywhere
DARK_PERCENT, BRIGHT_PERCENT = 0.5, 99.5
LEAST_SHARE = 1e-4  # of the brightest: what a pixel that saw nothing counts as
MOST_INTEGRAL = 12.0  # no patient absorbs more
DEVIATION_OF_MEDIAN = 1.4826


def line_integrals(image: Radiograph, conventions: KvConventions) -> tuple[Floats, NDArray[np.bool_]]:
    """Attenuation along each ray (rows, columns), up to a constant, and where it can be believed.

    The sense of pixels is the file's or the profile's; InputError where neither states it or where intensities are not positive. Dead
    pixels take the median of their neighbours. Not believed are pixels beyond the collimator and those that saw nothing.
    """
    sense = image.sense or conventions.pixels
    if sense is None:
        raise InputError(
            f"{image.source} states no Pixel Intensity Relationship (0028,1040) and Sign (0028,1041), and machine profile "
            f"{conventions.name} no kv.pixels; set it to what the panel writes"
        )
    exposed = image.exposed(conventions)
    values = without_dead_pixels(np.ascontiguousarray(image.pixels))
    if sense is PixelSense.ATTENUATION:
        return values, exposed
    if sense is PixelSense.LOG_INTENSITY:
        return -values, exposed
    seen = values[exposed]
    if sense is PixelSense.INVERTED and seen.size:
        values = np.float32(seen.max()) - values
        seen = values[exposed]
    if not seen.size or not float(np.percentile(seen, BRIGHT_PERCENT)) > 0 or float(np.percentile(seen, DARK_PERCENT)) < 0:
        raise InputError(f"{image.source}: its pixels are no beam intensities (they must be positive); check rescale and kv.pixels")
    return _logarithm(values, exposed, seen)


def without_dead_pixels(values: Floats) -> Floats:
    """The image with every pixel that is far above or below all eight neighbours replaced by their median."""
    median = np.asarray(cv2.medianBlur(values, 3), np.float32)
    off = np.abs(values - median)
    spread = DEAD_DEVIATIONS * DEVIATION_OF_MEDIAN * np.float32(np.median(off))
    local = DEAD_DEVIATIONS * np.asarray(cv2.blur(off, (7, 7)), np.float32)  # the panel's noise here
    around = np.ones((3, 3), np.uint8)
    around[1, 1] = 0
    above = values - cv2.dilate(values, around, borderType=cv2.BORDER_REPLICATE)
    below = cv2.erode(values, around, borderType=cv2.BORDER_REPLICATE) - values
    dead = (np.maximum(above, below) > spread) & (off > local)
    return np.where(dead, median, values)


def _logarithm(values: Floats, exposed: NDArray[np.bool_], seen: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    bright = float(np.percentile(seen, BRIGHT_PERCENT))
    glare = GLARE_SHARE * float(np.percentile(seen, DARK_PERCENT))
    primary = np.maximum(values - np.float32(glare), np.float32(LEAST_SHARE * bright))
    integrals = np.minimum(np.log(np.float32(max(bright - glare, LEAST_SHARE)) / primary), np.float32(MOST_INTEGRAL))
    return np.asarray(integrals, np.float32), exposed & (values > 0)
