"""Samples of a daily image in regions, one chunk of the sums each: what lets regions move by themselves at the price of one evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.compute.reference import SAMPLES_PER_CHUNK
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import RigidMotion
from igrt.registration.samples import LevelScores, Samples

TARGET_MM = 40.0  # what lies this near to the isocentre may belong to the region there
NOWHERE_MM = 1e6  # where samples lie that only fill a chunk
SPLIT_BY = 8  # every so many samples tell which side of a region is longest


class Blocks:
    """Samples in n + 1 regions at a pose: n compact ones alike in number, and last the one at the isocentre, whose samples others have too.

    `local_mm` (n + 1, 3, 1024) are places about `centres_mm` (n + 1, 3), these about the plan isocentre, both in plan axes,
    `counts` (n + 1,) how many are samples.
    """

    def __init__(
        self,
        scored: LevelScores,
        samples: Samples,
        plan_from_daily: RigidMotion,
        *,
        daily_centre_mm: NDArray[np.float64],
        isocentre_mm: NDArray[np.float64],
        regions: int,
        verbs: Verbs,
        target_mm: float = TARGET_MM,
    ) -> None:
        shift = plan_from_daily.apply(daily_centre_mm) - isocentre_mm
        each = min(len(samples.values) // regions, SAMPLES_PER_CHUNK)
        chosen = (np.arange(each * regions) * len(samples.values)) // (each * regions)
        parts = [
            *chosen[split(samples.positions_mm.take(chosen, axis=1), regions)],
            nearest(samples, -shift @ plan_from_daily.rotation, target_mm),
        ]
        self.local_mm = np.full((len(parts), 3, SAMPLES_PER_CHUNK), NOWHERE_MM, np.float32)
        self.centres_mm = np.zeros((len(parts), 3))
        self.counts = np.array([len(part) for part in parts])
        values = np.zeros((len(parts), SAMPLES_PER_CHUNK), np.float32)
        turn = plan_from_daily.rotation.astype(np.float32)
        for n, part in enumerate(parts):
            if not len(part):
                continue
            positions = samples.positions_mm.take(part, axis=1)
            middle = positions.mean(axis=1)
            self.centres_mm[n] = plan_from_daily.rotation @ middle + shift
            self.local_mm[n, :, : len(part)] = turn @ (positions - middle[:, None])
            values[n, : len(part)] = samples.values.take(part)
        self._scores, self._values, self._verbs = scored.scores, values.ravel(), verbs
        self._index_from_mm = scored.grid.index_from_mm
        self._index_from_mm[:, 3] += self._index_from_mm[:, :3] @ isocentre_mm

    def sums(self, linear: NDArray[np.float64], shifts_mm: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
        """(n + 1, 32) with each region under its `linear` (n + 1, 3, 3) about its centre and then moved by `shifts_mm` (n + 1, 3)."""
        moved = linear.astype(np.float32) @ self.local_mm + (self.centres_mm + shifts_mm).astype(np.float32)[..., None]
        return self._verbs.accumulate(
            self._scores,
            self._index_from_mm,
            np.ascontiguousarray(moved.transpose(1, 0, 2)).reshape(3, -1),
            self._values,
            rotation=np.eye(3),
            translation_mm=np.zeros(3),
            scale=scale,
        )


def split(places_mm: NDArray[np.float32], regions: int) -> NDArray[np.intp]:
    """(regions, m) indices of places (3, n): halved again and again across the longest side, so that regions are compact and alike.

    `regions` is a power of two and n a multiple of it.
    """
    parts = [np.arange(places_mm.shape[1])]
    if not len(parts[0]):
        return np.zeros((regions, 0), np.intp)
    while len(parts) < regions:
        halves = []
        for part in parts:
            few, middle = places_mm[:, part[::SPLIT_BY]], len(part) // 2
            along = int(np.argmax(few.max(axis=1) - few.min(axis=1)))
            order = np.argpartition(places_mm[along, part], middle)
            halves += [part[order[:middle]], part[order[middle:]]]
        parts = halves
    return np.sort(np.array(parts), axis=1)


def nearest(samples: Samples, place_mm: NDArray[np.float64], within_mm: float) -> NDArray[np.intp]:
    """Indices of the samples nearest to a place (mm about the daily centre): a chunk at most, none farther away than `within_mm`."""
    squares = ((samples.positions_mm - place_mm.astype(np.float32)[:, None]) ** 2).sum(axis=0)
    near = np.flatnonzero(squares <= within_mm**2)
    if len(near) > SAMPLES_PER_CHUNK:
        near = np.sort(near[np.argpartition(squares[near], SAMPLES_PER_CHUNK)[:SAMPLES_PER_CHUNK]])
    return near
