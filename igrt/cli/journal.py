"""`igrt journal`: prove that an engine's journal is whole and as it was written."""

from __future__ import annotations

import argparse
from pathlib import Path

from igrt.cli.parsing import Parser, existing

NAME = "journal"
SUMMARY = "prove that an engine's journal is whole and as it was written"
DESCRIPTION = """An engine writes down every request, event, reply and release before it tells it, each row sealed by the
hash of the one before. `verify` reads every row and checks every seal; it may be run while the engine
runs. Rows cut off at the end leave a journal that holds: compare the head with one that was told
before (the engine's heartbeat carries it) with --head."""
EXAMPLES = ("igrt journal verify site/engine/journal.sqlite", "igrt journal verify /srv/igrt/linac3/engine")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True, parser_class=Parser)
    verify = parts.add_parser("verify", help="check every row", description="Reads every row of a journal and checks every seal.")
    verify.add_argument("journal", type=existing, metavar="PATH", help="the journal, or the engine's folder that holds it")
    verify.add_argument("--head", metavar="NUMBER:HASH", help="a head told before: the journal must still hold that row and all before it")


def run(options: argparse.Namespace) -> int:
    """Prints what was found; 0 where every row holds, 4 where one does not."""
    from igrt.cli.terminal import console
    from igrt.engine.journal import Head
    from igrt.engine.journal_verify import verify
    from igrt.engine.record import FILE
    from igrt.errors import InputError

    path: Path = options.journal / FILE if options.journal.is_dir() else options.journal
    found = verify(path, head=None if options.head is None else Head.parse(options.head))
    if not found.holds:
        raise InputError(found.sentence)
    console().print(found.sentence, soft_wrap=True)
    return 0
