"""`igrt demo`: simulated patients, a simulated imager and a real engine, from images to alerts, on this machine."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from igrt.cli.demo_fraction import Played
    from igrt.simulation.patients import Fraction

NAME = "demo"
SUMMARY = "simulated patients against a real engine: corrections made and verified, a tolerance exceeded, a wrong patient"
DESCRIPTION = """Makes simulated patients (nothing is downloaded), starts an engine of its own, sends each fraction's
cone-beam CT or radiographs over ZeroMQ as an imager does, and prints what the engine answers. A simulated therapist
approves, a simulated linac claims and moves its couch, the read-back closes the chain, and a large
correction is imaged again. One fraction is out of tolerance and one is another patient; the demo fails
unless both are caught and every other patient is brought home. Then the engine goes on
for images of your own until Ctrl-C; --once (or ONCE=1) ends after the last fraction."""
EXAMPLES = ("igrt demo", "igrt demo --once --output reports/", "ONCE=1 igrt demo")
DEFAULT_OUTPUT = Path("out") / "demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--once", action="store_true", help="end after the last fraction (also ONCE=1 in the environment)")
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, metavar="DIR", help="folder of the reports, created (default %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Plays every fraction; 0 where each came out as it must, 5 where one did not."""
    from igrt.bus.client import Client
    from igrt.cli.demo_fraction import Playground, play
    from igrt.cli.demo_release import treatment_room
    from igrt.cli.engine_process import running_engine
    from igrt.cli.terminal import console, stages
    from igrt.simulation.patients import FRACTIONS
    from igrt.verification.findings import EXIT_DEFECT

    out = console()
    _make_folder(options.output)
    _introduce(out, len(FRACTIONS))
    with tempfile.TemporaryDirectory(prefix="igrt-demo-") as folder, running_engine(Path(folder) / "site") as engine:
        played = []
        with treatment_room(engine) as linac:
            for number, fraction in enumerate(FRACTIONS, start=1):
                _announce(out, number, len(FRACTIONS), fraction)
                with stages() as progress, Client(engine) as client:
                    ground = Playground(
                        patients=Path(folder) / "patients", reports=options.output, client=client, linac=linac, progress=progress
                    )
                    played.append(play(fraction, number, ground))
                _tell(out, played[-1])
        failed = _conclude(out, played, options.output)
        if not (options.once or os.environ.get("ONCE") == "1"):
            _go_on(out, engine, played[0])
    return EXIT_DEFECT if failed else 0


def _make_folder(folder: Path) -> None:
    from igrt.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(
            f"the folder {folder} of the reports cannot be made ({problem.strerror}); choose another with --output"
        ) from problem


def _introduce(out: Console, fractions: int) -> None:
    from rich.text import Text

    from igrt.verification.record import NOTICE

    out.print(Text("igrt demo", style="bold"))
    out.print(f"{fractions} fractions of simulated patients, made here and now; no image is of a person, nothing is downloaded.")
    out.print(Text(NOTICE, style="italic"))


def _announce(out: Console, number: int, fractions: int, fraction: Fraction) -> None:
    from rich.text import Text

    out.print()
    out.print(Text(f"Fraction {number} of {fractions}: {fraction.patient}, {fraction.shows}", style="bold"))


def _tell(out: Console, played: Played) -> None:
    """What the engine said of a fraction, and how that compares with what is known."""
    from rich.text import Text

    from igrt.cli.terminal import LEVEL_STYLES, STYLES, print_line
    from igrt.reports.words import correction_words, remedy, verdict_words

    answer = played.heard.answer
    word, sentence = verdict_words(answer)
    out.print(Text.assemble((f" {word.upper()} ", STYLES[answer["verdict"]]), f" {sentence}"))
    moves = ("none",) if answer["correction"] is None else correction_words(answer["correction"])
    for index, words in enumerate(moves):
        print_line(out, "" if index else "  Correction", words)
    for finding in answer["findings"]:
        if finding["level"] != "inform":
            print_line(
                out, "  Finding", f"{finding['level'].upper()}: {finding['sentence']} {remedy(finding)}", LEVEL_STYLES[finding["level"]]
            )
    for alert in played.heard.alerts:
        print_line(out, "  Alert", f"{alert.priority} priority: {alert.sentence} What to do: {alert.remedy}.")
    print_line(out, "  Answered", f"{played.heard.wait_s:.1f} s after the last byte of the image, on {answer['device']}")
    for heading, words in played.chain.steps:
        print_line(out, f"  {heading}", words)
    print_line(out, "  Truth", _truth(played))
    print_line(out, "  Report", str(played.report))


def _truth(played: Played) -> str:
    if played.objections:
        return f"NOT as it must be: {'; '.join(played.objections)}"
    if played.fraction.impostor_seed is not None:
        return "the image is of someone else: caught"
    found = f"the simulated set-up error is found to {played.error_mm:.2f} mm"
    return found if played.heard.answer["verdict"] == "proceed" else f"{found}; it is out of tolerance: caught"


def _conclude(out: Console, played: Sequence[Played], reports: Path) -> bool:
    """The last word; whether the demo failed."""
    from rich.text import Text

    failed = [one for one in played if one.objections]
    out.print()
    if failed:
        names = ", ".join(f"{one.fraction.patient} {one.fraction.name}" for one in failed)
        out.print(Text(f"The demo FAILED: {names}. Please report it with this text.", style="bold red"))
    else:
        wrong = sum(one.fraction.impostor_seed is not None for one in played)
        told = sum(one.heard.answer["verdict"] in ("caution", "stop") for one in played)
        home = sum(one.chain.left is not None for one in played)
        verified = sum(one.chain.verified for one in played)
        caught = f"{told} out of tolerance and {wrong} of another patient, caught"
        brought = f"{home} brought home by the simulated couch, {verified} verified by another image"
        out.print(Text(f"All {len(played)} as they must be: {caught}; {brought}.", style="bold green"))
    out.print(f"Reports, to open in a browser: {reports}", soft_wrap=True)
    return bool(failed)


def _go_on(out: Console, engine: Path, first: Played) -> None:
    """The engine goes on until Ctrl-C."""
    import shlex
    import signal

    from igrt.simulation.patients import PATIENTS

    out.print()
    out.print("The engine goes on, for images of your own or one of these again, from another terminal:")
    protocol = PATIENTS[first.fraction.patient].protocol
    command = [_program(), "simulate", "imager", "--engine", engine, "--plan", first.plan_folder, "--daily", first.daily_folder]
    out.print("  " + shlex.join(map(str, [*command, "--protocol", protocol])), soft_wrap=True)
    out.print("Ctrl-C ends the demo.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        out.print()


def _program() -> str:
    """How this program was called, for the reader to call it again."""
    import sys

    called = Path(sys.argv[0])
    return str(called) if called.name == "igrt" else "igrt"
