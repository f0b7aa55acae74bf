"""A fake worker whose answers can be released: the correction stands in the plan's file, all else follows from it by geometry."""

import numpy as np

from igrt.engine.worker import main
from igrt.geometry.couch import CouchPosition, couch_move
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, fixed_from_daily, fixed_from_plan
from igrt.verification.machine import load_machine
from igrt.verification.table_angle import table_angles
from tests.bus.fake_worker import FakeSolver

ISOCENTRE_MM = (12.0, -34.0, 56.0)
DAILY_ISOCENTRE_MM = (1.0, 2.0, 3.0)
AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


class ChainSolver(FakeSolver):
    """As the fake one, with a plan, a correction and a couch."""

    def __init__(self, site, device):
        super().__init__(site, device)
        self.site = site

    def load(self, number, request, progress):
        ready = super().load(number, request, progress)
        self.profile = load_machine(request.machine, self.site)
        changes = {
            "machine": self.profile.name,
            "plan_uid": "1.2.3",
            "plan_revision": "20260301120000",
            "plan_approval": "APPROVED",
            "beams": ("field 1", "field 2"),
            "isocentre_mm": ISOCENTRE_MM,
            "position": PatientPosition.HFS,
        }
        self.ready = type(ready)(**{f: getattr(ready, f) for f in ready.__struct_fields__} | changes)
        return self.ready

    def begin(self, description, path):
        super().begin(description, path)
        self.description = description

    def answer(self, progress):
        answer, d = super().answer(progress), self.description
        if answer["outcome"] != "accepted":
            return answer
        angles = self.angles(d)
        planned_deg, image_deg = angles.table_angle_deg, angles.image_table_angle_deg
        isocentre_mm = d.plan_isocentre_mm or ISOCENTRE_MM
        axes = self.profile.tables.image.axes_at_table_angle
        goal = fixed_from_plan(isocentre_mm=isocentre_mm, position=d.position, table_angle_deg=planned_deg)
        now = fixed_from_daily(isocentre_mm=DAILY_ISOCENTRE_MM, position=d.position, table_angle_deg=image_deg, image_axes=axes)
        pose = self.pose(d, goal, now)
        correction = Correction.from_motion(goal @ pose @ now.inverse())
        start = d.couch and CouchPosition(**{axis: getattr(d.couch, axis) for axis in AXES})
        move = couch_move(
            correction.motion,
            model=self.profile.couch,
            reference_mm=np.zeros(3),
            scatter_mm2=None,
            start=start,
            table_angle_deg=image_deg,
        )
        return answer | {
            "plan_from_daily": pose.matrix.tolist(),
            "correction": axes_of(correction),
            "couch": {
                "model": self.profile.couch.name,
                "made": axes_of(Correction.from_motion(move.motion)),
                "target": move.target and axes_of(move.target),
                "limited": list(move.limited),
            },
            "position": d.position.value,
            "table_angle_deg": planned_deg,
            "image_table_angle_deg": image_deg,
            "plan_isocentre_mm": list(isocentre_mm),
            "daily_isocentre_mm": list(DAILY_ISOCENTRE_MM),
            "machine": self.profile.name,
            "research": True,
        }

    def angles(self, d):
        """The table angles of the image."""
        return table_angles(
            planned_deg=self.ready.table_angles_at(d.plan_isocentre_mm),
            couch=self.profile.couch,
            couch_yaw_deg=d.couch and d.couch.yaw_deg,
            table_angle_deg=d.table_angle_deg,
            image_table_angle_deg=d.read_table_angle_deg,
        )

    def pose(self, _d, goal, now):
        """From which the plan file's `move` follows, for every image."""
        correction = Correction(**dict(zip(AXES, self.plan.get("move", (1.0, -2.0, 3.0, 0.0, 0.0, 0.0)), strict=True)))
        return goal.inverse() @ correction.motion @ now


def axes_of(value):
    return {axis: getattr(value, axis) for axis in AXES}


if __name__ == "__main__":
    main(make_solver=ChainSolver)
