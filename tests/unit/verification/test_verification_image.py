"""When an image must show that a correction was right, and when correcting ends."""

import math

import pytest

from igrt.errors import InputError
from igrt.geometry.setup import Correction
from igrt.verification.findings import Level
from igrt.verification.verification_image import ImagePolicy, Move, verification_image

STILL = dict.fromkeys(("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"), 0.0)


def move(*, manual=False, overridden=False, limited=(), interrupted=False, **axes):
    return Move(made=Correction(**STILL | axes), manual_match=manual, overridden=overridden, limited=limited, interrupted=interrupted)


def words(found):
    return [finding.sentence.removeprefix("A verification image is required before the beam: ") for finding in found]


def test_a_small_automatic_correction_needs_none():
    assert verification_image(move(lateral_mm=6, longitudinal_mm=8, yaw_deg=1.99), images_taken=0) == ()


@pytest.mark.parametrize(
    ("made", "policy", "sentence"),
    [
        (move(), ImagePolicy(always=True), "the protocol asks for it after the first correction."),
        (move(lateral_mm=6, longitudinal_mm=8, vertical_mm=1), ImagePolicy(), "the patient was moved by 10.05 mm, more than 10 mm."),
        (move(pitch_deg=1.5, roll_deg=-1.5), ImagePolicy(), "the patient was turned by 2.1°, more than 2°."),
        (move(manual=True), ImagePolicy(), "the match was made by hand."),
        (move(overridden=True), ImagePolicy(), "a verdict was set aside."),
        (move(limited=("pitch", "yaw")), ImagePolicy(), "limits of the couch held back pitch, yaw."),
        (move(interrupted=True), ImagePolicy(), "the move was interrupted."),
        (move(vertical_mm=3.1), ImagePolicy(shift_mm=3.0), "the patient was moved by 3.1 mm, more than 3 mm."),
    ],
)
def test_each_cause_asks_for_one_by_itself(made, policy, sentence):
    (finding,) = verification_image(made, images_taken=0, policy=policy)
    assert words([finding]) == [sentence]
    assert (finding.code, finding.level) == ("verification_image", Level.WARN)
    assert (finding.value is None) == (finding.limit is None) == (finding.unit == "")


def test_a_value_at_a_limit_is_within_it():
    turned = move(yaw_deg=1.5)
    at_limit = ImagePolicy(shift_mm=0.0, turn_deg=turned.turn_deg)
    assert verification_image(turned, images_taken=0, policy=at_limit) == ()
    (finding,) = verification_image(move(yaw_deg=1.6), images_taken=0, policy=at_limit)
    assert finding.unit == "°"


def test_the_measures_are_told_beside_their_limits():
    shift, turn = verification_image(move(vertical_mm=-12.0, yaw_deg=3.0), images_taken=1)
    assert (shift.value, shift.limit, shift.unit) == (12.0, 10.0, "mm")
    assert (turn.value, turn.limit, turn.unit) == (pytest.approx(3.0), 2.0, "°")


def test_all_causes_are_told():
    every = move(manual=True, overridden=True, limited=("yaw",), interrupted=True, lateral_mm=11, yaw_deg=3)
    assert len(verification_image(every, images_taken=0, policy=ImagePolicy(always=True))) == 7


@pytest.mark.parametrize(("taken", "stops"), [(0, False), (1, False), (2, True), (3, True)])
def test_after_two_rounds_the_patient_is_set_up_again(taken, stops):
    found = verification_image(move(manual=True, interrupted=True), images_taken=taken)
    assert [finding.level for finding in found] == ([Level.STOP] if stops else [Level.WARN, Level.WARN])
    if stops:
        (finding,) = found
        assert (finding.code, finding.value, finding.limit) == ("verification_rounds", taken, 2.0)
        assert finding.unit == "images"
        assert finding.sentence == (
            f"After {taken} verification images a further one would be required: the match was made by hand; the move was interrupted."
        )


def test_the_last_round_ends_well_where_no_further_image_is_required():
    assert verification_image(move(lateral_mm=1.0), images_taken=2) == ()


def test_a_protocol_may_allow_one_round_only():
    (finding,) = verification_image(move(manual=True), images_taken=1, policy=ImagePolicy(rounds=1))
    assert finding.level is Level.STOP


@pytest.mark.parametrize(
    "limits",
    [
        {"shift_mm": 10.1},
        {"shift_mm": -1.0},
        {"shift_mm": math.nan},
        {"turn_deg": 2.1},
        {"turn_deg": math.nan},
        {"rounds": 3},
        {"rounds": 0},
    ],
)
def test_a_policy_may_be_tightened_and_never_loosened(limits):
    with pytest.raises(InputError, match=next(iter(limits))):
        ImagePolicy(**limits)


def test_a_count_below_zero_is_refused():
    with pytest.raises(ValueError, match="images_taken is -1"):
        verification_image(move(), images_taken=-1)


def test_always_is_after_the_first_correction_alone():
    """Else correcting by a tenth of a millimetre would ask for images without end."""
    always = ImagePolicy(always=True)
    assert len(verification_image(move(), images_taken=0, policy=always)) == 1
    assert verification_image(move(lateral_mm=1.0), images_taken=1, policy=always) == ()
    (again,) = verification_image(move(lateral_mm=11.0), images_taken=1, policy=always)
    assert "moved by 11.0 mm" in again.sentence
