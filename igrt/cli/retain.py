"""`igrt retain`: which images may go from an engine's disk, and, when told so, their removal."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from igrt.cli.folder import add_site, engine_folder, mib
from igrt.cli.parsing import days

if TYPE_CHECKING:
    from igrt.engine.retention import Judged, Looked

NAME = "retain"
SUMMARY = "list the images on the engine's disk that are old enough to go; --delete removes them"
DESCRIPTION = """Lists every image in SITE/engine/spool, how old it is, and whether it may go: never the image in hand, nor
one of the plan in use or of an open session, nor one of which the journal does not tell. Without --delete
nothing is changed, and the engine may be running. --delete needs the engine stopped; each removal is
written into the journal first. A running engine removes by itself what `igrt serve --keep-days` says."""
EXAMPLES = (
    "igrt retain --older-than 90",
    "igrt retain --site /srv/igrt/linac3 --older-than 90 --delete",
    "igrt retain --older-than 30 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--older-than", type=days, required=True, metavar="DAYS", help="since the image was last written; 1 or more")
    parser.add_argument("--delete", action="store_true", help="remove what may go")
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")
    add_site(parser)


def run(options: argparse.Namespace) -> int:
    """Prints the list; 0."""
    from igrt.engine.retention import look, retain

    folder = engine_folder(options)
    now_utc_s = time.time()
    looked = look(folder, keep_days=options.older_than, now_utc_s=now_utc_s)
    gone: set[str] = set()
    if options.delete:
        retain(folder, keep_days=options.older_than, now_utc_s=now_utc_s, removed=lambda image: gone.add(image.image_id))
    if options.json:
        sys.stdout.write(json.dumps(_as_json(looked, gone), indent=2) + "\n")
    else:
        _print(folder, looked, gone, deleted=options.delete)
    return 0


def _as_json(looked: Looked, gone: set[str]) -> dict[str, object]:
    images = [
        {
            "image_id": judged.image.image_id,
            "age_days": judged.age_days,
            "bytes": judged.image.bytes,
            "kept_because": judged.why_kept,
            "removed": judged.image.image_id in gone,
        }
        for judged in looked.images
    ]
    return {"version": "igrt-retain/1", "images": images, "free_bytes": looked.free_bytes}


def _print(folder: Path, looked: Looked, gone: set[str], *, deleted: bool) -> None:
    from rich.table import Table

    from igrt.cli.terminal import console
    from igrt.engine.spool import free_bytes

    table = Table("image", "age (days)", "size", "", box=None, pad_edge=False)
    for judged in looked.images:
        table.add_row(judged.image.image_id, f"{judged.age_days:.1f}", mib(judged.image.bytes), _fate(judged, gone, deleted=deleted))
    out = console()
    if looked.images:
        out.print(table)
    count, size = len(looked.may_go), sum(judged.image.bytes for judged in looked.may_go)
    if deleted:
        size = sum(judged.image.bytes for judged in looked.images if judged.image.image_id in gone)
        out.print(f"Removed: {len(gone)} of {len(looked.images)} images, {mib(size)}; {mib(free_bytes(folder))} are free now.")
    else:
        out.print(f"May go: {count} of {len(looked.images)} images, {mib(size)}; {mib(looked.free_bytes)} are free. Nothing was removed.")


def _fate(judged: Judged, gone: set[str], *, deleted: bool) -> str:
    if judged.image.image_id in gone:
        return "removed"
    if judged.why_kept is not None:
        return f"kept: {judged.why_kept}"
    return "kept: it came into use meanwhile" if deleted else "may go"
