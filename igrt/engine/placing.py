"""Where an image of the plan in use was taken, and for which isocentre: its table angles, and what the linac has loaded. Pure."""

from __future__ import annotations

import math

from igrt.bus import messages as m
from igrt.engine.spool import Description
from igrt.engine.tasks import PlanReady
from igrt.geometry.couch_model import CouchModel
from igrt.guard.policy import LIMITS
from igrt.verification.table_angle import TableAngles, table_angles

SAME_ISOCENTRE_MM = LIMITS["isocentre_mm"]


def angles_of(d: Description, plan: PlanReady, couch: CouchModel) -> TableAngles:
    """The table angles of an image; InputError where they are not known or contradict each other."""
    return table_angles(
        planned_deg=plan.table_angles_at(d.plan_isocentre_mm),
        couch=couch,
        couch_yaw_deg=None if d.couch is None else d.couch.yaw_deg,
        table_angle_deg=d.table_angle_deg,
        image_table_angle_deg=d.read_table_angle_deg,
    )


def loaded_isocentre_mm(plan: PlanReady | None, report: m.MachineReported | None) -> tuple[float, float, float] | None:
    """The isocentre of the plan that the linac has loaded (plan LPS); None where it is the one in use, or not known."""
    loaded = report.loaded if report else None
    if plan is None or loaded is None or loaded.isocentre_mm is None or loaded.plan_uid != plan.plan_uid:
        return None
    near = [i.isocentre_mm for i in plan.isocentres if math.dist(i.isocentre_mm, loaded.isocentre_mm) <= SAME_ISOCENTRE_MM]
    return near[0] if near and near[0] != plan.isocentre_mm else None
