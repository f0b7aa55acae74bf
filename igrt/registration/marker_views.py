"""Markers from two or more radiographs: which spots can be one marker by epipolar geometry, and where it is in the room."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igrt.geometry.camera import XrayCamera
from igrt.geometry.motion import RigidMotion
from igrt.registration.marker_pattern import Candidate

Doubles = NDArray[np.float64]

GATE_MM = 1.0  # between two rays, beyond three of their own standard deviations: what geometry and rest of motion may add
DEVIATIONS = 3.0
STEP_MM = 0.5  # for the derivative of a projection
LEAST_ANGLE_DEG = 10.0  # between two rays that place a point
REFINEMENTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class ViewSpots:
    """What one radiograph shows: column and row (n, 2) of every spot, its standard deviation (n,) in pixels, how it stands out (n,)."""

    camera: XrayCamera
    pixels: Doubles
    sd_px: Doubles
    strengths: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Triangulated:
    """A place in the room (mm), its covariance (mm²), and `gap_mm`: how far its rays pass it by at most."""

    fixed_mm: Doubles
    covariance_mm2: Doubles
    gap_mm: float


def triangulate(cameras: Sequence[XrayCamera], pixels: Doubles, sd_px: Doubles) -> Triangulated:
    """The place whose projections (n, 2) lie closest to the spots, weighted, and its covariance from their deviations (n,).

    From one camera the depth is not known: ValueError. Gauss-Newton on the pixels from the place closest to all rays.
    """
    if len(cameras) < 2:
        raise ValueError(f"{len(cameras)} radiograph places no point in depth; give two or more")
    sources = np.array([camera.source_fixed_mm for camera in cameras])
    rays = np.array([_ray(camera, pixel) for camera, pixel in zip(cameras, pixels, strict=True)])
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    place = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, sources))
    normal = np.eye(3)
    for _ in range(REFINEMENTS):
        slopes = np.array([_slope(camera, place) for camera in cameras])
        off = pixels - np.array([camera.pixel_of(place) for camera in cameras])
        weight = 1 / sd_px**2
        normal = np.einsum("n,nji,njk->ik", weight, slopes, slopes)
        place = place + np.linalg.solve(normal, np.einsum("n,nji,nj->i", weight, slopes, off))
    gaps = np.linalg.norm(np.einsum("nij,nj->ni", across, place - sources), axis=1)
    return Triangulated(place, np.asarray(np.linalg.inv(normal), np.float64), float(gaps.max()))


def candidates_of(
    views: Sequence[ViewSpots], *, daily_from_fixed: RigidMotion, centre_fixed_mm: Doubles, reach_mm: float
) -> tuple[Candidate, ...]:
    """Every place within reach of a point of the room where rays of two or more radiographs meet, in the daily frame.

    Spots of two images that can be one by epipolar geometry make a place; spots of further images that lie where it would be seen join it.
    Many places are no markers: a spot belongs to as many as its ray meets others. The plan's pattern decides (`Pattern.sought_in`).
    """
    best: dict[frozenset[tuple[int, int]], Candidate] = {}
    for first, second in itertools.combinations(range(len(views)), 2):
        for n, m in _meeting(views[first], views[second], centre_fixed_mm, reach_mm):
            chosen = {first: n, second: m}
            place = _placed(views, chosen)
            for other in set(range(len(views))) - {first, second}:
                joined = _joining(views[other], place)
                if joined is not None:
                    chosen[other] = joined
            sources = frozenset(chosen.items())
            if sources not in best:
                whole = _placed(views, chosen) if len(chosen) > 2 else place
                strength = min(float(views[v].strengths[s]) for v, s in sources)
                turn = daily_from_fixed.rotation
                best[sources] = Candidate(daily_from_fixed.apply(whole.fixed_mm), turn @ whole.covariance_mm2 @ turn.T, strength, sources)
    whole_sets = [sources for sources in best if not any(sources < other for other in best)]
    return tuple(best[sources] for sources in whole_sets)


def _placed(views: Sequence[ViewSpots], chosen: dict[int, int]) -> Triangulated:
    pixels = np.array([views[v].pixels[s] for v, s in chosen.items()])
    deviations = np.array([views[v].sd_px[s] for v, s in chosen.items()])
    return triangulate([views[v].camera for v in chosen], pixels, deviations)


def _meeting(one: ViewSpots, other: ViewSpots, centre_mm: Doubles, reach_mm: float) -> list[tuple[int, int]]:
    """Pairs of spots whose rays pass each other closely, within reach of a place."""
    if not len(one.pixels) or not len(other.pixels):
        return []
    source, second = one.camera.source_fixed_mm, other.camera.source_fixed_mm
    rays = np.array([_ray(one.camera, p) for p in one.pixels])[:, None]
    others = np.array([_ray(other.camera, p) for p in other.pixels])[None]
    cosine = (rays * others).sum(axis=2)
    sine2 = 1 - cosine**2
    apart = second - source
    with np.errstate(divide="ignore", invalid="ignore"):
        along = ((rays @ apart) - cosine * (others @ apart)) / sine2
        back = (cosine * (rays @ apart) - (others @ apart)) / sine2
    place, opposite = source + along[..., None] * rays, second + back[..., None] * others
    gap = np.linalg.norm(place - opposite, axis=2)
    at = [view.camera.spacing_mm[0] * view.camera.sad_mm / view.camera.distance_mm for view in (one, other)]
    gate = GATE_MM + DEVIATIONS * np.hypot(at[0] * one.sd_px[:, None], at[1] * other.sd_px)
    near = np.linalg.norm((place + opposite) / 2 - centre_mm, axis=2) <= reach_mm
    wide = sine2 >= np.sin(np.radians(LEAST_ANGLE_DEG)) ** 2
    n, m = np.nonzero((gap <= gate) & near & wide)
    return list(zip(n.tolist(), m.tolist(), strict=True))


def _joining(view: ViewSpots, place: Triangulated) -> int | None:
    """The spot that lies where a place would be seen, if there is one."""
    if not len(view.pixels):
        return None
    off = view.pixels - view.camera.pixel_of(place.fixed_mm)
    slope = _slope(view.camera, place.fixed_mm)
    spread = np.sqrt(np.linalg.eigvalsh(slope @ place.covariance_mm2 @ slope.T)[-1] + view.sd_px**2)
    pixel_mm = view.camera.spacing_mm[0] * view.camera.sad_mm / view.camera.distance_mm
    excess = np.linalg.norm(off, axis=1) - DEVIATIONS * spread - GATE_MM / pixel_mm
    nearest = int(excess.argmin())
    return nearest if excess[nearest] <= 0 else None


def _ray(camera: XrayCamera, pixel: Doubles) -> Doubles:
    way = camera.fixed_of_pixel(pixel) - camera.source_fixed_mm
    return np.asarray(way / np.linalg.norm(way))


def _slope(camera: XrayCamera, place_mm: Doubles) -> Doubles:
    """(2, 3) pixels per mm by which the projection of a place moves with it."""
    steps = STEP_MM * np.eye(3)
    return np.asarray((camera.pixel_of(place_mm + steps) - camera.pixel_of(place_mm - steps)).T / (2 * STEP_MM))
