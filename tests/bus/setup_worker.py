"""A worker for a set-up that is imaged more than once: a simulated patient lies on the couch and shows where they are in each image.

The plan's file has `error` (the set-up error, six axes), `slips` (for each image, by how much the patient moved on the table before it),
`modalities`, `manual` and `partial` (for each image), `table_angles`, and `isocentres` (plan LPS, the first is in use) with a beam each.
`spoil` are values of the answer, by path, that are put in place of the right ones.
"""

from dataclasses import replace

from igrt.engine.tasks import PlannedIsocentre
from igrt.engine.worker import main
from igrt.geometry.couch_model import YawAxis
from igrt.geometry.setup import Correction, ImageAxes
from igrt.simulation.couch import SimulatedCouch, simple_mechanics
from igrt.simulation.lying import imaged, laid_down
from tests.bus.chain_worker import AXES, DAILY_ISOCENTRE_MM, ISOCENTRE_MM, ChainSolver


class SetupSolver(ChainSolver):
    """The patient lies down at the first image, with the couch where that image says."""

    def __init__(self, site, device):
        super().__init__(site, device)
        self.images, self.patient = 0, None

    def load(self, number, request, progress):
        ready = super().load(number, request, progress)
        angles = tuple(self.plan.get("table_angles", ()))
        isocentres = tuple(
            PlannedIsocentre(isocentre_mm=tuple(place), beams=(f"field {index}",), table_angles_deg=angles)
            for index, place in enumerate(self.plan.get("isocentres", ()), start=1)
        )
        changes = {"table_angles_deg": angles, "isocentres": isocentres}
        if isocentres:
            changes |= {"isocentre_mm": isocentres[0].isocentre_mm, "beams": isocentres[0].beams}
        self.ready = type(ready)(**{f: getattr(ready, f) for f in ready.__struct_fields__} | changes)
        return self.ready

    def answer(self, progress):
        answer = super().answer(progress)
        this = self.images
        self.images += 1
        extras = {
            "modality": self.of("modalities", this, otherwise="cone-beam CT"),
            "match": {"manual": self.of("manual", this, otherwise=False)},
        }
        if "match_point" in self.plan:
            extras["match_point"] = {"rule": "centroid of the target", "position_mm": self.plan["match_point"]}
        for path, value in self.plan.get("spoil", {}).items():
            *way, last = path.split(".")
            place = answer
            for name in way:
                place = place[name]
            place[last] = value
        if self.of("partial", this, otherwise=False):
            extras |= {"outcome": "partial", "verdict": "caution", "correction": None, "plan_from_daily": None}
        return answer | extras

    def of(self, name, image, *, otherwise):
        """What the plan's file says for this image."""
        stated = self.plan.get(name, [])
        return stated[image] if image < len(stated) else otherwise

    def pose(self, d, goal, now):
        if "error" not in self.plan:
            return super().pose(d, goal, now)
        turntable = self.profile.couch.yaw_axis is YawAxis.TURNTABLE
        angles = self.angles(d)
        couch = SimulatedCouch(
            mechanics=simple_mechanics(top_yaws=not turntable),
            **{axis: getattr(d.couch, axis) for axis in AXES},
            turntable_deg=angles.image_table_angle_deg,
        )
        if self.patient is None:
            error = Correction(**dict(zip(AXES, self.plan["error"], strict=True)))
            self.patient = laid_down(
                couch, position=d.position.value, isocentre_mm=ISOCENTRE_MM, table_angle_deg=angles.table_angle_deg, error=error
            )
        slip = self.of("slips", self.images, otherwise=(0.0, 0.0, 0.0))
        moved = tuple(tuple(value + by for value, by in zip(corner, slip, strict=True)) for corner in self.patient.corners_mm)
        self.patient = replace(self.patient, corners_mm=moved)
        with_table = self.profile.tables.image.axes_at_table_angle is ImageAxes.TABLE
        turn_deg = angles.image_table_angle_deg if with_table else 0.0
        return imaged(self.patient, couch, position=d.position.value, isocentre_mm=DAILY_ISOCENTRE_MM, image_turn_deg=turn_deg)


if __name__ == "__main__":
    main(make_solver=SetupSolver)
