"""Where the machine isocentre is in the daily image: stated with the image, or by the rule of the machine profile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.images.records import Daily, Plan
from igrt.verification.machine import IsocentreKind, MachineProfile


def daily_isocentre(plan: Plan, daily: Daily, machine: MachineProfile) -> tuple[NDArray[np.float64], str]:
    """(3,) daily LPS mm, and where it is from in words; InputError where it lies outside the daily image."""
    if daily.isocentre_mm is not None:
        isocentre, source = daily.isocentre_mm, "stated with the image"
        remedy = "state the machine isocentre in the coordinates of this image"
    else:
        isocentre, rule = _by_rule(plan, daily, machine)
        source = f"{rule}, by machine profile {machine.name}"
        remedy = f"correct image.isocentre in {machine.file.path}, or state the daily isocentre with the image"
    if not daily.volume.grid.contains(isocentre):
        place = np.round(isocentre, 1).tolist()
        raise InputError(f"{daily.source}: the machine isocentre {place} mm (LPS; {source}) lies outside the daily image; {remedy}")
    return np.array(isocentre, dtype=np.float64), source


def _by_rule(plan: Plan, daily: Daily, machine: MachineProfile) -> tuple[NDArray[np.float64], str]:
    table = machine.tables.image.isocentre
    if table.point_mm is not None:
        return np.array(table.point_mm), "at the point"
    own_frame = daily.frame_of_reference_uid not in (None, plan.identity.frame_of_reference_uid)
    if table.kind is IsocentreKind.IMAGE_ORIGIN or (table.kind is IsocentreKind.BY_FRAME_OF_REFERENCE and own_frame):
        return np.zeros(3), "at the image's 0 0 0"
    return plan.isocentre_mm, "at the coordinates of the plan isocentre"
