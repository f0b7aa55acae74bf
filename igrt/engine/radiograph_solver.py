"""The worker's part for radiographs: their frames as they lie on disk, and what matches them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.bus.radiographs import received
from igrt.compute import device as devices
from igrt.compute.device import Device
from igrt.engine.spool import Description
from igrt.images.radiographs import Radiographs
from igrt.images.records import Plan
from igrt.verification import radiograph_case


def frames_of(description: Description, path: Path) -> NDArray[np.uint16]:
    """(frames, rows, columns) of an image's file, mapped."""
    return np.asarray(np.memmap(path, dtype="<u2", mode="r", shape=description.shape))


def radiographs_of(description: Description, stored: NDArray[np.uint16]) -> Radiographs:
    """The day's radiographs; InputError where a field of them cannot be."""
    return received(
        description.radiographs or (),
        stored,
        position=description.position,
        patient_id=description.patient_id,
        source=description.source,
        image_id=description.image_id,
    )


def device_for(device: Device) -> Device:
    """The worker's device where it matches radiographs, else the processor: no GPU does so yet."""
    return device if device.name.partition(" ")[0] == "cpu" else devices.choose("cpu")


def prepare(plan: Plan, device: Device) -> None:
    """The planning CT, ready for radiographs; kept for the match."""
    radiograph_case.prepare_plan(plan.ct, radiograph_case.verbs_of(device).instruction_set)
