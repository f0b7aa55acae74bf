"""`igrt backup`: a proved copy of the engine's journal in one file, also while the engine runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from igrt.cli.folder import add_site, engine_folder

NAME = "backup"
SUMMARY = "copy the engine's journal to one file, also while the engine runs"
DESCRIPTION = """Copies SITE/engine/journal.sqlite as it is at one moment, proves the copy's chain and only then gives it its name.
The copy holds patient data, and keeps it when a patient is erased from the journal. Images are not in it:
copy SITE/engine/spool where they are to be kept longer."""
EXAMPLES = ("igrt backup /backup/linac3-2026-03-02.sqlite", "igrt backup --site /srv/igrt/linac3 /backup/linac3-2026-03-02.sqlite")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup; nothing may be there yet")
    add_site(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what the copy holds; 0."""
    from igrt.cli.terminal import console
    from igrt.engine.journal_backup import backup
    from igrt.engine.record import FILE

    console().print(backup(engine_folder(options) / FILE, options.file).sentence, soft_wrap=True)
    return 0
