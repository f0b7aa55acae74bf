"""`igrt restore`: a backup of the journal takes the place of one that is gone."""

from __future__ import annotations

import argparse

from igrt.cli.folder import add_site, engine_folder
from igrt.cli.parsing import existing

NAME = "restore"
SUMMARY = "put a backup of the journal where there is none"
DESCRIPTION = """Proves the backup's chain, then puts it at SITE/engine/journal.sqlite. A journal that is there is never overwritten:
move it away first, with what stands beside it (journal.sqlite-wal, journal.sqlite-shm). With --head, the last
that was printed or heard, it refuses a backup that lacks rows. The engine then starts idle: the plan is
loaded and the patient imaged again."""
EXAMPLES = (
    "igrt restore /backup/linac3-2026-03-02.sqlite",
    "igrt restore --site /srv/igrt/linac3 --head 812:9f3c... /backup/linac3.sqlite",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("file", type=existing, metavar="FILE", help="the backup")
    parser.add_argument("--head", metavar="NUMBER:HASH", help="a head told before: the backup must hold that row and all before it")
    add_site(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what was restored; 0."""
    from igrt.cli.terminal import console
    from igrt.engine.journal import Head
    from igrt.engine.restoring import restore_into

    head = None if options.head is None else Head.parse(options.head)
    console().print(restore_into(engine_folder(options), options.file, head=head).sentence, soft_wrap=True)
    return 0
