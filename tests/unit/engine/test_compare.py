"""Two images of a set-up, beside each other: what the couch did between them is taken out; what cannot be compared says why."""

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.engine.chain import Reading
from igrt.engine.compare import as_told, compared, match_point_mm, seen, to_compare_with
from igrt.geometry.couch import couch_move
from igrt.geometry.couch_model import CouchPosition
from igrt.geometry.setup import Correction
from igrt.verification.machine import load_machine
from tests.answer_cases import still

COUCH = load_machine().couch
AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")
START = {"lateral_mm": 10.0, "longitudinal_mm": -200.0, "vertical_mm": -150.0}


def reading(**axes):
    return Reading(couch=m.CouchReadout(**START | axes), table_angle_deg=0.0, at_s=1.0)


def answer(correction, /, **changes):
    axes = {axis: getattr(correction, axis) for axis in AXES}
    known = {"correction": axes, "modality": "cone-beam CT", "table_angle_deg": 0.0, "plan_isocentre_mm": [1.0, 2.0, 3.0]}
    return known | changes


def both(first, second, *, before=None, after=None, **changes):
    earlier = seen(answer(first), image_id="a", after=None, reading=before or reading())
    later = seen(answer(second, **changes), image_id="b", after=earlier, reading=after or reading())
    assert (earlier.number, later.number) == (1, 2)
    return compared(earlier, later, couch=COUCH, reference_mm=(0.0, 0.0, 0.0))


def test_what_the_couch_did_in_between_explains_the_difference():
    wanted = still(lateral_mm=4.0, longitudinal_mm=-3.0, pitch_deg=1.0, yaw_deg=1.5)
    start = CouchPosition(**START, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
    move = couch_move(wanted.motion, model=COUCH, reference_mm=(0, 0, 0), scatter_mm2=None, start=start)
    left = Correction.from_motion(wanted.motion @ move.motion.inverse())
    shift, turn = both(wanted, left, after=reading(**{axis: getattr(move.target, axis) for axis in AXES}))
    assert shift.value == pytest.approx(0.0, abs=1e-9)
    assert turn.value == pytest.approx(0.0, abs=1e-6)
    shift, _ = both(wanted, left)  # had the couch stood still
    assert shift.value > 4.0


def test_a_patient_who_moved_is_a_warning_and_told_as_such():
    shift, turn = both(still(), still(vertical_mm=2.1, yaw_deg=0.5))
    assert (shift.level, turn.level) == ("warn", "inform")
    told = as_told(shift)
    assert (told.code, told.value, told.limit, told.unit, told.level) == ("images_differ_shift", pytest.approx(2.1), 2.0, "mm", "warn")
    assert msgspec.convert(msgspec.to_builtins(told), m.ImageDifference) == told


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"before": Reading(couch=None, table_angle_deg=0.0, at_s=1.0)}, "where the couch stood is not known"),
        ({"after": reading(yaw_deg=float("nan"))}, "where the couch stood is not known"),
        ({"plan_isocentre_mm": [1.0, 2.0, 13.0]}, "another isocentre or table angle is meant"),
        ({"table_angle_deg": 5.0}, "another isocentre or table angle is meant"),
        ({"table_angle_deg": None}, "another isocentre or table angle is meant"),
        ({"correction": None}, "shows no whole pose"),
        ({"correction": {"lateral_mm": 1.0}}, "shows no whole pose"),
    ],
)
def test_what_cannot_be_compared_says_why(changes, words):
    (finding,) = both(still(), still(), **changes)
    assert (finding.code, finding.level) == ("images_incomparable", "inform")
    assert words in finding.sentence


def test_a_single_radiograph_between_two_whole_poses_does_not_hide_the_difference():
    pair = seen(answer(still(), modality="kV pair"), image_id="a", after=None, reading=reading())
    kept = pair
    for image_id, number in (("b", 2), ("c", 3)):
        single = seen(answer(still(), modality="kV radiograph") | {"correction": None}, image_id=image_id, after=kept, reading=reading())
        assert single.number == number
        assert to_compare_with(None, single) == single
        kept = to_compare_with(kept, single)
        assert (kept.image_id, kept.number) == ("a", 1)
    volume = seen(answer(still(vertical_mm=3.0)), image_id="d", after=kept, reading=reading())
    shift, _ = compared(kept, volume, couch=COUCH, reference_mm=(0.0, 0.0, 0.0))
    assert shift.value == pytest.approx(3.0)
    assert shift.sentence.startswith("The cone-beam CT 4, which alone counts, and the kV pair 1 place the patient 3.0 mm apart")
    assert to_compare_with(kept, volume) == volume


def test_the_match_point_is_where_it_belongs_in_the_room():
    told = {"plan_isocentre_mm": [10.0, 20.0, 30.0], "position": "HFS", "table_angle_deg": 90.0}
    point = {"match_point": {"rule": "centroid of the target", "position_mm": [13.0, 20.0, 35.0]}}
    assert match_point_mm(told) == (0.0, 0.0, 0.0)
    # Left of a supine patient is +x, the head +y; the table at 90 turns +x to +y and +y to -x.
    assert match_point_mm(told | point) == pytest.approx((-5.0, 3.0, 0.0), abs=1e-12)
