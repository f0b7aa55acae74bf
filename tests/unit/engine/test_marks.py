"""A patient is found where they are named and not where somebody else is."""

import msgspec
import pytest

from igrt.engine.marks import Marks, marks_of
from igrt.engine.survey import InHand, Survey, _Plan, _Request


@pytest.mark.parametrize("text", ["P12", "p12", "/plans/P12/ct", "of P12.", "P12_a", "a-P12-b", "(P12)"])
def test_a_word_is_found_where_it_stands_alone(text):
    assert Marks(["P12"]).within(text)


@pytest.mark.parametrize("text", ["P123", "XP12", "P1", "", "P 12", "ÄP12"])
def test_a_word_is_not_found_in_another(text):
    assert not Marks(["P12"]).within(text)


@pytest.mark.parametrize(
    ("text", "found"), [("1.2.3", True), ("is 1.2.3.", True), ("1.2.3.4", False), ("9.1.2.3", False), ("1.2.3-4", False)]
)
def test_a_token_is_no_part_of_a_longer_one(text, found):
    assert Marks([], tokens=["1.2.3"]).within(text) is found


def test_the_longer_name_of_another_patient_is_not_this_ones():
    marks = Marks(["DOE"], others=["DOE-2", "ROE"])
    assert not marks.within("seen: doe-2")
    assert marks.within("DOE-2 and DOE")


@pytest.mark.parametrize("name", ["DOE", "DÖE"])
def test_messages_are_searched_through(name):
    marks = Marks([name])
    for value in ({"a": [{"b": [1, None, {"c": f"/plans/{name}".encode()}]}]}, {name: 1}, {"a": name.lower()}):
        assert marks.inside(msgspec.msgpack.encode(value))
    for value in ({"a": [1, 2.5, True, None, "ROE"]}, {"a": f"{name}S"}):
        assert not marks.inside(msgspec.msgpack.encode(value))


def test_no_name_finds_nothing():
    for marks in (Marks([]), Marks(["", " "], tokens=[""])):
        assert not marks.within("")
        assert not marks.within("anything")


def used(patient, path, fingerprint, uid=None):
    return InHand(plan_request=_Request(path), plan=_Plan(fingerprint, patient, uid))


def test_plans_and_images_name_their_patient_unless_others_share_the_name():
    told = Survey(
        images={"scan-1": "P1", "scan-2": "P2", "both": "P1"},
        shared={"both"},
        patients={"P1", "P2"},
        in_use={used("P1", "/export", "f1", "1.2.1"), used("P1", "/plans/jane", "f3"), used("P2", "/export", "f2", "1.2.2")},
    )
    marks = marks_of("P1", told, [], ["Jane Doe"])
    for text in ("P1", "jane doe", "scan-1", "f1", "f3", "1.2.1", "/plans/jane/ct.dcm"):
        assert marks.within(text), text
    for text in ("P2", "scan-2", "scan-12", "f2", "1.2.2", "/export", "both", "jane"):
        assert not marks.within(text), text
