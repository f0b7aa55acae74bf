"""Which isocentre an image is for, and which table angles it has, from plan and linac."""

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.engine.placing import loaded_isocentre_mm
from igrt.engine.tasks import PlannedIsocentre, PlanReady

FIRST, SECOND = (1.0, 2.0, 3.0), (1.0, 2.0, 103.0)
PLAN = PlanReady(
    number=1,
    fingerprint="f",
    patient_id="P1",
    plan_label=None,
    machine="m",
    protocol="p",
    research=True,
    prepare_s=0.0,
    plan_uid="1.2.3",
    beams=("a",),
    isocentre_mm=FIRST,
    table_angles_deg=(0.0,),
    isocentres=(
        PlannedIsocentre(isocentre_mm=FIRST, beams=("a",), table_angles_deg=(0.0,)),
        PlannedIsocentre(isocentre_mm=SECOND, beams=("b", "c"), table_angles_deg=(0.0, 30.0)),
    ),
)


def report(isocentre_mm, plan_uid="1.2.3"):
    loaded = m.LoadedPlan(
        patient_id="P1",
        plan_uid=plan_uid,
        plan_revision=None,
        plan_approval=None,
        fraction=1,
        isocentre_mm=isocentre_mm,
        beam="b",
        machine="m",
    )
    units = m.StatedUnits(length="mm", angle="deg", couch_scale="iec61217")
    return m.MachineReported(header=m.new_header(), number=1, loaded=loaded, beam_on=False, simulated=True, units=units)


def test_the_isocentre_is_the_one_that_the_linac_has_loaded():
    assert loaded_isocentre_mm(PLAN, report(SECOND)) == SECOND
    assert loaded_isocentre_mm(PLAN, report((1.0, 2.0, 103.09))) == SECOND


@pytest.mark.parametrize(
    "told",
    [
        None,
        report(FIRST),
        report(None),
        report((1.0, 2.0, 103.2)),
        report(SECOND, "1.2.4"),
        msgspec.structs.replace(report(FIRST), loaded=None),
    ],
)
def test_else_it_is_the_one_in_use(told):
    assert loaded_isocentre_mm(PLAN, told) is None
    assert loaded_isocentre_mm(None, report(SECOND)) is None


def test_beams_and_table_angles_are_of_the_isocentre():
    assert (PLAN.beams_at(None), PLAN.table_angles_at(None)) == (("a",), (0.0,))
    assert (PLAN.beams_at(list(SECOND)), PLAN.table_angles_at(SECOND)) == (("b", "c"), (0.0, 30.0))
    assert PLAN.beams_at((9.0, 9.0, 9.0)) == ("a",)
