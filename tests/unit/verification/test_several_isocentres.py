"""Several isocentres of one plan: one correction each, worked out from one registration, and none used for another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, ImageAxes, correction_motion, fixed_from_daily, fixed_from_plan
from igrt.verification.findings import Level
from igrt.verification.several_isocentres import IsocentreCorrection, correction_for, other_isocentre

FIELDS = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")
STAYED = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
ISOCENTRES = {"breast": (10.0, -20.0, 30.0), "axilla": (10.0, -20.0, 150.0)}
errors = st.tuples(*[st.floats(-8, 8)] * 6).map(lambda values: Correction(**dict(zip(FIELDS, values, strict=True))).motion)
points = st.tuples(*[st.floats(-150, 150)] * 3)


def correction(name, pose, *, isocentres=ISOCENTRES, moved=STAYED, table=0.0, axes=ImageAxes.ROOM, position=PatientPosition.HFS):
    return correction_for(
        name,
        pose,
        isocentres_mm=isocentres,
        daily_isocentre_mm=(0, 0, 0),
        plan_position=position,
        daily_position=position,
        moved=moved,
        table_angle_deg=table,
        image_axes=axes,
    )


def pose_of(error, *, isocentre="breast", table=0.0, axes=ImageAxes.ROOM, position=PatientPosition.HFS):
    """`plan_from_daily` of a patient set up for that isocentre with an error."""
    goal = fixed_from_plan(isocentre_mm=ISOCENTRES[isocentre], position=position, table_angle_deg=table)
    now = fixed_from_daily(isocentre_mm=(0, 0, 0), position=position, table_angle_deg=table, image_axes=axes)
    return goal.inverse() @ error @ now


def test_a_patient_set_up_right_for_one_isocentre_is_moved_to_the_other():
    pose = pose_of(STAYED)
    assert correction("breast", pose).correction.translation_mm.tolist() == pytest.approx([0, 0, 0])
    assert correction("axilla", pose).correction.translation_mm.tolist() == pytest.approx([0, -120, 0])


@given(
    error=errors,
    position=st.sampled_from(list(PatientPosition)),
    table=st.floats(-90, 90),
    axes=st.sampled_from(list(ImageAxes)),
    point=points,
)
def test_each_isocentre_of_the_patient_comes_to_the_isocentre_of_the_room(error, position, table, axes, point):
    where = {"table": table, "axes": axes, "position": position}
    pose = pose_of(error, **where)
    now = fixed_from_daily(isocentre_mm=(0, 0, 0), position=position, table_angle_deg=table, image_axes=axes)
    for name, isocentre in ISOCENTRES.items():
        goal = fixed_from_plan(isocentre_mm=isocentre, position=position, table_angle_deg=table)
        tissue = pose.inverse().apply(point)
        after = correction(name, pose, **where).correction.apply(now.apply(tissue))
        assert np.abs(after - goal.apply(point)).max() < 1e-9


@given(error=errors)
def test_the_second_isocentre_is_reached_from_where_the_first_left_the_patient(error):
    pose = pose_of(error)
    first = correction("breast", pose)
    onward = correction("axilla", pose, moved=first.correction)
    assert np.abs((onward.correction @ first.correction).matrix - correction("axilla", pose).correction.matrix).max() < 1e-9


def test_one_isocentre_is_what_it_always_was():
    pose = pose_of(STAYED)
    alone = correction_motion(
        pose,
        plan_isocentre_mm=ISOCENTRES["axilla"],
        daily_isocentre_mm=(0, 0, 0),
        plan_position=PatientPosition.HFS,
        daily_position=PatientPosition.HFS,
    )
    chosen = correction("axilla", pose)
    assert chosen.isocentre == "axilla"
    assert np.array_equal(chosen.correction.matrix, alone.matrix)


@pytest.mark.parametrize(("isocentres", "words"), [(ISOCENTRES, "'breast', 'axilla'"), ({}, "none")])
def test_an_isocentre_that_the_plan_does_not_have_is_refused(isocentres, words):
    with pytest.raises(InputError, match=words):
        correction("neck", pose_of(STAYED), isocentres=isocentres)


def test_a_correction_is_not_shared():
    axilla = correction("axilla", pose_of(STAYED))
    assert other_isocentre(axilla, treated="axilla") == ()
    (finding,) = other_isocentre(axilla, treated="breast")
    assert (finding.code, finding.level) == ("isocentre_other", Level.STOP)
    assert finding.sentence == "The correction is for isocentre 'axilla', the beam for isocentre 'breast'."


def test_a_motion_between_other_frames_is_refused():
    pose = pose_of(STAYED)
    with pytest.raises(ValueError, match="correction for isocentre 'breast' is plan_from_daily"):
        IsocentreCorrection(isocentre="breast", correction=pose)
    with pytest.raises(ValueError, match="moved is plan_from_daily"):
        correction("breast", pose, moved=pose)
