"""The demo's judgement and its words, without the minutes that its images take; `ONCE=1 make demo` in CI plays it whole."""

from pathlib import Path

import numpy as np
import pytest

from igrt.bus.messages import AlertState
from igrt.cli import demo
from igrt.cli.bus_imager import Heard
from igrt.cli.demo_fraction import Played, error_of, expected_verdicts, objections
from igrt.cli.demo_release import Chain
from igrt.cli.main import main
from igrt.cli.terminal import console
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.load import load_daily, load_plan
from igrt.simulation.patients import FRACTIONS, PATIENTS, plan_from_daily
from igrt.verification.findings import Verdict
from igrt.verification.protocol import load_protocol

ALERT = AlertState(code="verdict_stop", priority="medium", sentence="Stop: far away.", remedy="do not treat", cleared_by="next")


def expected_of(fraction) -> tuple[Verdict, ...]:
    return expected_verdicts(fraction, load_protocol(PATIENTS[fraction.patient].protocol).tables.setup)


def test_the_table_holds_what_the_demo_promises():
    expected = [expected_of(fraction) for fraction in FRACTIONS]
    assert expected.count((Verdict.REFUSED,)) == 1
    assert (Verdict.CAUTION, Verdict.STOP) in expected
    assert (Verdict.PROCEED,) in expected


@pytest.fixture
def heard(images, found):
    """Whatever a test wants the engine to have said."""

    def say(shift_mm=(-1.0, 0.0, 0.0), difference_mm=0.02, alerts=()) -> Heard:
        found(shift_mm, difference_mm)
        import igrt.answer

        plan = load_plan(images[0], isocentre_mm=[0, -4, -2.5], position="HFS")
        return Heard(igrt.answer.verify(plan, load_daily(images[1], position="HFS")).to_json(), tuple(alerts), 0.7)

    return say


def test_what_is_as_it_must_be_is_not_objected_to(heard):
    assert objections(heard(), 0.1, (Verdict.PROCEED,)) == ()
    assert objections(heard(difference_mm=14.2, alerts=[ALERT]), None, (Verdict.REFUSED,)) == ()


@pytest.mark.parametrize(
    ("shift_mm", "difference_mm", "error_mm", "expected", "said"),
    [
        ((-1.0, 0.0, 0.0), 0.02, 0.1, (Verdict.REFUSED,), "the verdict is proceed, not refused"),
        ((-1.0, 0.0, 0.0), 14.2, None, (Verdict.PROCEED,), "the verdict is refused, not proceed"),
        ((-1.0, 0.0, 0.0), 0.02, 1.2, (Verdict.PROCEED,), "1.20 mm from the truth"),
        ((-1.0, 0.0, 0.0), 0.02, float("nan"), (Verdict.PROCEED,), "from the truth"),
        ((-30.0, 0.0, 0.0), 0.02, 0.1, (Verdict.CAUTION, Verdict.STOP), "raised no alert"),
    ],
)
def test_the_demo_objects(shift_mm, difference_mm, error_mm, expected, said, heard):
    (objection,) = [o for o in objections(heard(shift_mm, difference_mm), error_mm, expected) if said in o]
    assert objection


def test_the_error_is_the_largest_displacement_about_the_isocentre(images):
    """1 mm off at the centre and 0.5 degrees about z: sqrt(3) x 80 mm away, at most 1 + 80 sqrt(2) x 2 sin(0.25 deg) = 1.99 mm."""
    plan = load_plan(images[0], isocentre_mm=[0, -4, -2.5], position="HFS")
    truth = plan_from_daily(FRACTIONS[0].correction, isocentre_mm=plan.isocentre_mm, position=plan.position)
    angle = np.radians(0.5)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    off = RigidMotion(Frame.PLAN, Frame.PLAN, turn, plan.isocentre_mm - turn @ plan.isocentre_mm + [1.0, 0.0, 0.0])
    told = Heard({"plan_from_daily": (off @ truth).matrix.tolist()}, (), 0.0)
    error = error_of(told, FRACTIONS[0], plan)
    assert error is not None
    assert 1.5 < error <= 1 + 80 * np.sqrt(2) * 2 * np.sin(angle / 2)
    assert error_of(Heard({"plan_from_daily": truth.matrix.tolist()}, (), 0.0), FRACTIONS[0], plan) < 1e-9
    assert error_of(Heard({"plan_from_daily": None}, (), 0.0), FRACTIONS[0], plan) is None


def played(heard: Heard, fraction, objections=(), chain=None) -> Played:
    return Played(
        chain=chain or Chain(),
        fraction=fraction,
        heard=heard,
        error_mm=None if heard.answer["plan_from_daily"] is None else 0.12,
        report=Path("1-head.html"),
        plan_folder=Path("plan"),
        daily_folder=Path("daily"),
        objections=tuple(objections),
    )


def test_what_is_caught_is_printed_as_caught(heard, capsys):
    impostor = next(fraction for fraction in FRACTIONS if fraction.impostor_seed is not None)
    out = console()
    home = Chain(
        steps=[("Approval", "by the simulated therapist"), ("Beam", "on and off again")], left=FRACTIONS[0].correction, verified=True
    )
    ones = [
        played(heard(), FRACTIONS[0], chain=home),
        played(heard((-30.0, 0.0, 0.0), alerts=[ALERT]), FRACTIONS[2]),
        played(heard(difference_mm=14.2), impostor),
    ]
    for one in ones:
        demo._tell(out, one)
    assert not demo._conclude(out, ones, Path("reports"))
    text = " ".join(capsys.readouterr().out.split())
    assert "found to 0.12 mm; it is out of tolerance: caught" in text
    assert "the image is of someone else: caught" in text
    assert "Approval by the simulated therapist Beam on and off again" in text
    assert "medium priority: Stop: far away. What to do: do not treat." in text
    assert (
        "All 3 as they must be: 1 out of tolerance and 1 of another patient, caught; 1 brought home by the simulated couch, 1 verified"
        in text
    )


def test_what_is_not_caught_fails_loudly(heard, capsys):
    one = played(heard(), FRACTIONS[3], ["the verdict is proceed, not refused"])
    demo._tell(console(), one)
    assert demo._conclude(console(), [one], Path("reports"))
    text = " ".join(capsys.readouterr().out.split())
    assert "NOT as it must be: the verdict is proceed, not refused" in text
    assert "The demo FAILED: thorax fraction-2" in text


def test_a_folder_of_reports_that_cannot_be_made_is_bad_input(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--once", "--output", str(tmp_path / "file")]) == 4
    assert "--output" in capsys.readouterr().err
