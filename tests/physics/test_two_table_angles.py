"""A turntable that yawed for a correction is imaged again: the verification image asks for nothing, in the room's axes and the table's.

The patient, the couch and what the image shows are the simulation's, which shares no matrix with geometry.
"""

import dataclasses

import msgspec
import numpy as np
import pytest

from igrt.answer import verify
from igrt.geometry.couch import CouchPosition, YawAxis
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes
from igrt.registration.match import Match
from igrt.simulation.couch import AXES, SimulatedCouch, simple_mechanics
from igrt.simulation.lying import imaged, laid_down
from igrt.verification.machine import load_machine
from tests.answer_cases import GOOD, ISOCENTRE_MM, NOW, make_daily, make_plan

ERROR = Correction(lateral_mm=6.0, longitudinal_mm=-4.0, vertical_mm=3.0, pitch_deg=0.8, roll_deg=-0.5, yaw_deg=2.6)
STEP = 0.01


def profile(yaw_axis, image_axes):
    """The research machine with fine steps, this yaw and these axes."""
    machine = load_machine()
    tables = machine.tables
    fine = {
        axis: dataclasses.replace(getattr(machine.couch, axis), step=STEP)
        for axis in ("lateral", "longitudinal", "vertical", "pitch", "roll", "yaw")
    }
    couch = dataclasses.replace(machine.couch, yaw_axis=yaw_axis, **fine)
    image = msgspec.structs.replace(tables.image, axes_at_table_angle=image_axes)
    return dataclasses.replace(machine, couch=couch, tables=msgspec.structs.replace(tables, image=image))


@pytest.mark.parametrize("position", [PatientPosition.HFS, PatientPosition.FFDL])
@pytest.mark.parametrize("planned_deg", [-90.0, 0.0, 30.0])
@pytest.mark.parametrize("image_axes", ImageAxes)
@pytest.mark.parametrize("yaw_axis", YawAxis)
def test_the_image_after_a_yaw_asks_for_nothing(yaw_axis, image_axes, planned_deg, position):
    turntable = yaw_axis is YawAxis.TURNTABLE
    plan = make_plan(position=position)
    plan = dataclasses.replace(plan, identity=dataclasses.replace(plan.identity, table_angles_deg=(planned_deg,)))
    machine = profile(yaw_axis, image_axes)
    mechanics = simple_mechanics(step_mm=STEP, step_deg=STEP, top_yaws=not turntable)
    standing = SimulatedCouch(
        mechanics=mechanics,
        lateral_mm=5.0,
        longitudinal_mm=-300.0,
        vertical_mm=-150.0,
        yaw_deg=planned_deg if turntable else 0.0,
        turntable_deg=planned_deg,
    )
    patient = laid_down(standing, position=position, isocentre_mm=ISOCENTRE_MM, table_angle_deg=planned_deg, error=ERROR)

    def answer(couch):
        read_deg = couch.yaw_deg if turntable else couch.turntable_deg
        turn_deg = read_deg if image_axes is ImageAxes.TABLE else 0.0
        pose = imaged(patient, couch, position=position, isocentre_mm=(0, 0, 0), image_turn_deg=turn_deg)
        return verify(
            plan,
            make_daily(position=position),
            machine=machine,
            couch_start=CouchPosition(**couch.reading()),
            image_table_angle_deg=None if turntable else couch.turntable_deg,
            now=NOW,
            matcher=lambda _plan, _daily, _start: Match(pose, np.eye(6) * 1e-6, GOOD),
        )

    first = answer(standing)
    assert abs(first.correction.yaw_deg) > 2.0
    there = standing.move_to(first.couch.target).end
    second = answer(there)
    if turntable:
        assert abs(second.image_table_angle_deg - planned_deg) > 2.0
    assert second.table_angle_deg == planned_deg
    left = [abs(getattr(second.correction, axis)) for axis in AXES]
    assert max(left) <= 0.05
    assert there.move_to(second.couch.target).end.reading() == pytest.approx(there.reading(), abs=2 * STEP)
