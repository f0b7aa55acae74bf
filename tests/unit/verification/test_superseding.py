"""A later image counts alone, never in a sum, and how far it differs from the earlier one is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import Correction
from igrt.verification.findings import Level
from igrt.verification.superseding import ImagedSetup, newest, superseded

FIELDS = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")
STAYED = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
motions = st.tuples(*[st.floats(-8, 8)] * 6).map(lambda values: Correction(**dict(zip(FIELDS, values, strict=True))).motion)


def motion(**axes):
    return Correction(**dict.fromkeys(FIELDS, 0.0) | axes).motion


def kv(correction, number=1):
    return ImagedSetup(number=number, modality="kV pair", correction=correction)


def cone_beam(correction, number=2):
    return ImagedSetup(number=number, modality="cone-beam CT", correction=correction)


def test_the_newest_image_alone_holds_its_own_correction():
    first, second = kv(motion(lateral_mm=4.0)), cone_beam(motion(lateral_mm=5.0))
    assert newest([second, first]) is second
    third = kv(STAYED, number=3)
    assert newest([second, third, first]) is third
    assert newest([first, second]).correction.translation_mm.tolist() == [5.0, 0.0, 0.0]


def test_the_newest_counts_even_where_it_shows_no_whole_pose():
    first, second = cone_beam(STAYED, number=1), kv(None, number=2)
    assert newest([first, second]) is second


@pytest.mark.parametrize(("images", "words"), [([], "no image"), ([kv(STAYED), cone_beam(STAYED, number=1)], "one number")])
def test_what_leaves_no_choice_is_refused(images, words):
    with pytest.raises(ValueError, match=words):
        newest(images)


def test_the_difference_is_found_with_its_size():
    shift, turn = superseded(kv(motion(lateral_mm=4.0)), cone_beam(motion(lateral_mm=5.0, yaw_deg=0.4)), moved=STAYED)
    assert shift.sentence == "The cone-beam CT 2, which alone counts, and the kV pair 1 place the patient 1.0 mm apart."
    assert turn.sentence == "The cone-beam CT 2, which alone counts, and the kV pair 1 turn the patient 0.4° against each other."
    assert (shift.value, shift.unit, turn.value, turn.unit) == (pytest.approx(1.0, abs=0.05), "mm", pytest.approx(0.4), "°")
    assert [shift.level, turn.level] == [Level.INFORM, Level.INFORM]


@pytest.mark.parametrize(
    ("later", "levels"),
    [
        (motion(vertical_mm=2.0), [Level.INFORM, Level.INFORM]),
        (motion(vertical_mm=2.001), [Level.WARN, Level.INFORM]),
        (motion(roll_deg=1.01), [Level.INFORM, Level.WARN]),
    ],
)
def test_a_large_difference_warns(later, levels):
    assert [finding.level for finding in superseded(kv(STAYED), cone_beam(later), moved=STAYED)] == levels


@given(setup=motions, moved=motions, point=st.tuples(*[st.floats(-100, 100)] * 3))
def test_a_patient_who_lay_still_on_the_couch_makes_no_difference(setup, moved, point):
    """Wherever the couch went between the images: the later image asks for what the move has left."""
    found = superseded(kv(setup), cone_beam(setup @ moved.inverse()), moved=moved, reference_mm=point)
    assert [finding.value for finding in found] == pytest.approx([0.0, 0.0], abs=1e-6)


@given(setup=motions, moved=motions, slip=motions, point=st.tuples(*[st.floats(-100, 100)] * 3))
def test_the_difference_is_how_far_the_tissue_slipped(setup, moved, slip, point):
    """Tissue that the first image puts at the reference point slips before the couch moves."""
    slipped = setup.inverse() @ slip @ setup  # a slip of the planned place, seen where the patient lies
    later = cone_beam(setup @ slipped.inverse() @ moved.inverse())
    shift, turn = superseded(kv(setup), later, moved=moved, reference_mm=point)
    undone = slip.inverse()
    assert shift.value == pytest.approx(np.linalg.norm(undone.apply(point) - point), abs=1e-6)
    assert turn.value == pytest.approx(superseded(kv(STAYED), cone_beam(slip), moved=STAYED)[1].value, abs=1e-6)


@pytest.mark.parametrize(("earlier", "later"), [(kv(None), cone_beam(STAYED)), (kv(STAYED), cone_beam(None))])
def test_an_image_without_a_whole_pose_is_not_compared(earlier, later):
    (finding,) = superseded(earlier, later, moved=STAYED)
    assert (finding.code, finding.level, finding.value) == ("images_incomparable", Level.INFORM, None)
    part = "kV pair 1" if earlier.correction is None else "cone-beam CT 2"
    assert finding.sentence == f"The {part} shows no whole pose to compare; the cone-beam CT 2 alone counts."


def test_the_tissue_at_the_isocentre_is_compared_where_no_other_is_named():
    shift, _ = superseded(kv(STAYED), cone_beam(motion(pitch_deg=2.0, roll_deg=3.0, yaw_deg=4.0)), moved=STAYED)
    assert shift.value == pytest.approx(0.0, abs=1e-9)


def test_the_order_of_the_images_matters():
    with pytest.raises(ValueError, match="not later"):
        superseded(cone_beam(STAYED), kv(STAYED), moved=STAYED)
    with pytest.raises(ValueError, match="not later"):
        superseded(kv(STAYED), cone_beam(STAYED, number=1), moved=STAYED)


def test_a_motion_between_other_frames_is_refused():
    pose = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    with pytest.raises(ValueError, match="correction of image 1 is plan_from_daily"):
        kv(pose)
    with pytest.raises(ValueError, match="moved is plan_from_daily"):
        superseded(kv(STAYED), cone_beam(STAYED), moved=pose)
