"""`igrt erase`: one patient's data leaves an engine's folder, or a backup of its journal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from igrt.cli.folder import add_site, engine_folder, mib

if TYPE_CHECKING:
    from igrt.engine.erasure import Erased, Found

NAME = "erase"
SUMMARY = "erase one patient's images, log lines and journal entries; the journal's chain still holds"
DESCRIPTION = """Removes the patient's images from SITE/engine/spool, their lines from the logs, and what the journal says of
them, in rows of their own and in any other that names their id, plan or images. The rows stay as sealed
places without content, so that `igrt journal verify` still proves that nothing else was changed. Needs the
engine stopped and no session of the patient open; asks before it does anything. Backups made before still
hold the data: erase from each with --backup, or delete it. Exit code 1: erased, but the id still stands
somewhere, which is named."""
EXAMPLES = (
    "igrt erase 4711-0815",
    "igrt erase 4711-0815 --also DOE^JANE --site /srv/igrt/linac3 --yes",
    "igrt erase 4711-0815 --backup /backup/linac3-2026-03-02.sqlite",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("patient", metavar="PATIENT", help="the patient's id, as the plan states it")
    parser.add_argument(
        "--also", action="append", default=[], metavar="TEXT", help="another word that names the patient, such as the name; may be repeated"
    )
    parser.add_argument("--backup", type=Path, metavar="FILE", help="erase from this backup of a journal, not from the engine's folder")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_site(parser)


def run(options: argparse.Namespace) -> int:
    """Says what is there, asks, erases and says what was erased; 0, or 1 where something is left."""
    from igrt.errors import InputError

    if not options.patient.strip():
        raise InputError("the patient's id is blank; give it as the plan states it")
    return _in_backup(options) if options.backup else _in_folder(options)


def _in_folder(options: argparse.Namespace) -> int:
    from igrt.cli.terminal import console
    from igrt.engine.erasure import erase, find

    out, folder = console(), engine_folder(options)
    found = find(folder, options.patient, also=options.also)
    if found.nothing:
        out.print(f"Nothing in {folder} is of this patient; ids are compared letter by letter.", soft_wrap=True)
    else:
        out.print(f"In {folder} of patient {options.patient}: {_words(found)}.", soft_wrap=True)
        _ask(options)
    erased = erase(folder, options.patient, also=options.also)
    return _tell(erased)


def _words(found: Found) -> str:
    images = f"{len(found.images)} images ({mib(sum(image.bytes for image in found.images))})"
    return f"{images}, {found.rows} journal rows of theirs, {len(found.mentions)} other rows that name them"


def _tell(erased: Erased) -> int:
    from igrt.cli.terminal import console

    out = console()
    if erased.row is not None:
        late = (
            ""
            if erased.row.scrubbed
            else " Their bytes leave the file when the engine next starts: the disk is full or the journal is read."
        )
        out.print(
            f"Erased: {len(erased.found.images)} images, {erased.row.payloads} journal payloads (row {erased.row.number} says so), "
            f"{erased.log_lines} log lines.{late} Backups made before still hold them: erase from each with --backup, or delete it.",
            soft_wrap=True,
        )
    for path in erased.left:
        out.print(f"Still names the patient: {path}; look what it is, and give the word that it stands in with --also.", soft_wrap=True)
    if erased.sealed:
        rows = ", ".join(map(str, erased.sealed[:10]))
        sentence = (
            f"Request ids in {len(erased.sealed)} rows ({rows}) were made from the patient's id and are part of the chain; "
            "have the client number its requests otherwise."
        )
        out.print(sentence, soft_wrap=True)
    unscrubbed = erased.row is not None and not erased.row.scrubbed
    return 1 if erased.left or erased.sealed or unscrubbed else 0


def _in_backup(options: argparse.Namespace) -> int:
    from igrt.cli.terminal import console
    from igrt.engine.erasure import erase_in_backup

    _ask(options)
    row = erase_in_backup(options.backup, options.patient, also=options.also)
    if row is None:
        console().print(f"Nothing in {options.backup} is of this patient; it was left as it is.", soft_wrap=True)
    else:
        console().print(f"Erased from {options.backup}: {row.payloads} journal payloads (row {row.number} says so).", soft_wrap=True)
    return 0


def _ask(options: argparse.Namespace) -> None:
    """InputError unless the patient's id is typed again, or --yes was given."""
    from igrt.errors import InputError

    if options.yes:
        return
    if not sys.stdin.isatty():
        raise InputError("nobody can be asked here and nothing was erased; give --yes to erase without asking")
    sys.stdout.write("This cannot be undone. Type the patient's id to erase: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != options.patient:
        raise InputError("that is not the patient's id; nothing was erased")
