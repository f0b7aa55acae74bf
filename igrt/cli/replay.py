"""`igrt replay`: recorded messages and images through the same code again, to see whether the same comes out."""

from __future__ import annotations

import argparse
from pathlib import Path

from igrt.cli.parsing import existing

NAME = "replay"
SUMMARY = "feed a recorded session through the same code and compare what comes out"
DESCRIPTION = """Takes an engine's journal, the images beside it and the plans, has every image answered again and every
decision made again (states, expiry, approvals, the guard at each claim, the couch read back), and
compares with what was recorded: bit for bit on the build and instruction set that recorded it, within
0.01 mm, 0.01 degrees or 1 % elsewhere. Nothing is written. Also for a copy of the journal: say
with --images and --plans where images and plans lie now. Exit code 0: the same; 1: it differs, and
each line says where; 4: the journal does not hold, or an image or plan is missing or not the one
recorded."""
EXAMPLES = (
    "igrt replay site/engine",
    "igrt replay backup/journal.sqlite --images backup/spool --plans /archive/plans",
    "igrt replay site/engine --decisions --json",
)
DIFFERS = 1
SHOWN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("journal", type=existing, metavar="JOURNAL", help="the journal, or the engine's folder that holds it")
    parser.add_argument("--images", type=existing, metavar="DIR", help="where the images lie (default: spool, beside the journal)")
    parser.add_argument(
        "--plans", type=existing, metavar="DIR", help="where plans are looked for by name (default: where they were when they were loaded)"
    )
    parser.add_argument("--device", metavar="NAME", help="answer on this device (default: the recorded one, where it is here)")
    parser.add_argument("--decisions", action="store_true", help="make the decisions again and answer no image")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Prints what came of it; 0 where it is the same, 1 where it differs."""
    from igrt.cli.terminal import console, print_json, stages
    from igrt.engine.replay import replay

    journal: Path = options.journal
    with stages(quiet=options.json) as progress:
        found = replay(
            journal,
            images=options.images,
            plans=options.plans,
            device=options.device,
            answers=not options.decisions,
            progress=progress,
        )
    if options.json:
        print_json(found.to_json())
        return 0 if found.same else DIFFERS
    out, lines = console(), list(found.sentences)
    for line in lines[:SHOWN]:
        out.print(line, soft_wrap=True)
    if len(lines) > SHOWN:
        out.print(f"and {len(lines) - SHOWN} more (--json lists all)")
    out.print(found.summary, soft_wrap=True)
    return 0 if found.same else DIFFERS
