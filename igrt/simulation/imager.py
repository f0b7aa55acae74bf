"""A simulated imaging system: sends a daily image slab by slab, at the pace of a scanner, through the bus client alone."""

from __future__ import annotations

import time
from dataclasses import dataclass

from igrt.bus.client import Client, CouchReadout, Progress
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How an imaging system hands over a reconstruction: `slab_slices` at a time, `slices_per_s` (None: as fast as it goes)."""

    slab_slices: int = 8
    slices_per_s: float | None = None

    def __post_init__(self) -> None:
        if self.slab_slices < 1:
            raise ValueError(f"slab_slices is {self.slab_slices}; give at least 1")
        if self.slices_per_s is not None and not self.slices_per_s > 0:
            raise ValueError(f"slices_per_s is {self.slices_per_s}; give a positive number, or None for no limit")


def send_daily(
    client: Client,
    daily: Daily | Radiographs,
    *,
    pace: Pace | None = None,
    image_id: str | None = None,
    table_angle_deg: float | None = None,
    couch: CouchReadout | None = None,
    progress: Progress | None = None,
) -> str:
    """Send `daily` for the plan that `client` knows and end the image; returns its id.

    `couch` is where the couch stands all through the scan. A slab is sent when its last slice is due, radiographs as fast as they go;
    `progress` hears slices (or radiographs) on the engine's disk, and in all. Exceptions as of `Client`.
    """
    if isinstance(daily, Radiographs):
        return client.send_radiographs(daily, image_id=image_id, table_angle_deg=table_angle_deg, couch=couch, progress=progress)
    pace = pace or Pace()
    transfer = client.begin_image(
        daily.volume.grid,
        position=daily.position,
        image_id=image_id,
        isocentre_mm=daily.isocentre_mm,
        patient_id=daily.patient_id,
        frame_of_reference_uid=daily.frame_of_reference_uid,
        table_angle_deg=table_angle_deg,
        couch=couch,
        source=daily.source,
    )
    hu = daily.volume.hu
    began_s = time.monotonic()
    for first, end in list(transfer.missing):
        for k in range(first, end, pace.slab_slices):
            slab = hu[k : min(k + pace.slab_slices, end)]
            if pace.slices_per_s:
                due_s = began_s + (k + len(slab)) / pace.slices_per_s
                time.sleep(max(0.0, due_s - time.monotonic()))
            transfer.send(k, slab)
            if progress:
                progress(transfer.slices_stored, len(hu))
    transfer.send_missing(hu, slab_slices=pace.slab_slices, progress=progress)
    transfer.end(couch=couch)
    return transfer.image_id
