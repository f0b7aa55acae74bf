"""A fake worker whose answers can be released: the correction stands in the plan's file, all else follows from it by geometry."""

import numpy as np

from igrt.engine.worker import main
from igrt.geometry.couch import CouchPosition, couch_move
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, fixed_from_daily, fixed_from_plan
from igrt.verification.machine import load_machine
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
        return type(ready)(**{f: getattr(ready, f) for f in ready.__struct_fields__} | changes)

    def begin(self, description, path):
        super().begin(description, path)
        self.description = description

    def answer(self, progress):
        answer, d = super().answer(progress), self.description
        if answer["outcome"] != "accepted":
            return answer
        correction = Correction(**dict(zip(AXES, self.plan.get("move", (1.0, -2.0, 3.0, 0.0, 0.0, 0.0)), strict=True)))
        goal = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=d.position, table_angle_deg=d.table_angle_deg)
        now = fixed_from_daily(isocentre_mm=DAILY_ISOCENTRE_MM, position=d.position, table_angle_deg=d.table_angle_deg)
        start = d.couch and CouchPosition(**{axis: getattr(d.couch, axis) for axis in AXES})
        move = couch_move(
            correction.motion,
            model=self.profile.couch,
            reference_mm=np.zeros(3),
            scatter_mm2=None,
            start=start,
            table_angle_deg=d.table_angle_deg,
        )

        def axes(value):
            return {axis: getattr(value, axis) for axis in AXES}

        return answer | {
            "plan_from_daily": (goal.inverse() @ correction.motion @ now).matrix.tolist(),
            "correction": axes(correction),
            "couch": {
                "model": self.profile.couch.name,
                "made": axes(Correction.from_motion(move.motion)),
                "target": move.target and axes(move.target),
                "limited": list(move.limited),
            },
            "position": d.position.value,
            "table_angle_deg": d.table_angle_deg,
            "plan_isocentre_mm": list(ISOCENTRE_MM),
            "daily_isocentre_mm": list(DAILY_ISOCENTRE_MM),
            "machine": self.profile.name,
            "research": True,
        }


if __name__ == "__main__":
    main(make_solver=ChainSolver)
