"""`igrt support`: one file for support, without patient data."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from igrt.cli.folder import add_site, engine_folder

NAME = "support"
SUMMARY = "make one file for support: versions, machine, configuration, logs, counts from the journal; no patient data"
DESCRIPTION = """Writes a zip with a manifest: versions of the software and what it rests on, the machine, the site's machine profiles,
protocols and QA records, what `igrt doctor` finds, the ends of the logs, and from the journal counts, states and alert
codes alone. A file in which a patient, plan or image of the journal or the spool is named is left out, and the
manifest says so. May be run while the engine runs. Look into it before you send it."""
EXAMPLES = ("igrt support support.zip", "igrt support --site /srv/igrt/linac3 /tmp/linac3-support.zip")
PACKAGES = ("numpy", "pyzmq", "msgspec", "pydicom", "SimpleITK", "scikit-image", "rich", "jinja2", "platformdirs")
CONFIGURATION = ("machines", "protocols", "records")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the zip to write; nothing may be there yet")
    add_site(parser)


def run(options: argparse.Namespace) -> int:
    """Writes the file and says what is in it; 0."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from igrt.cli.doctor import examine
    from igrt.cli.terminal import console
    from igrt.engine.support import begin_bundle

    folder = engine_folder(options)
    bundle = begin_bundle(folder)
    bundle.add("versions.json", versions())
    bundle.add("machine.json", machine())
    bundle.add_checked("doctor.json", json.dumps([asdict(row) for row in examine(folder.parent)], indent=2))
    for kind in CONFIGURATION:
        for path in sorted((folder.parent / kind).glob("*.toml")):
            bundle.add_checked(f"{kind}/{path.name}", path.read_text(encoding="utf-8", errors="replace"))
    bundle.write(options.file, now_utc=datetime.now(UTC))
    out = console()
    out.print(f"{options.file}: {len(bundle.files)} files, without patient data: {', '.join(sorted(bundle.files))}.", soft_wrap=True)
    for name, why in bundle.left_out.items():
        out.print(f"Left out: {name}, for {why}.", soft_wrap=True)
    return 0


def versions() -> dict[str, str]:
    """Of igrt, Python and what igrt rests on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("igrt", *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, object]:
    """System, processor and memory; not the machine's name."""
    import os
    import platform

    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": pages,
    }
