"""`igrt doctor`: is this machine fit to run the engine? One row a question, each with its remedy."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "doctor"
SUMMARY = "check this machine: instruction set, GPU, disk, ports, site folder, clock"
DESCRIPTION = """Looks at what the engine needs from this machine and says what to do where something is missing.
Exit code 0: all is well; 1: something to look at; 2: igrt cannot work here."""
EXAMPLES = ("igrt doctor", "igrt doctor --site /srv/igrt/linac3", "igrt doctor --json")

LOW_DISK_GIB = 10.0
LEAST_DISK_GIB = 1.0
EARLIEST_YEAR = 2025
TIME_ERROR = 5  # what adjtimex returns while no time service keeps the clock


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: `level` ok, warn or stop; `remedy` is empty where all is well."""

    question: str
    level: str
    found: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--site", type=Path, metavar="DIR", help="the site folder to look at ($IGRT_SITE, else the user's data directory)")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Prints the rows; the exit code is the worst of them."""
    from igrt.verification.site import site_folder

    rows = examine(site_folder(options.site))
    if options.json:
        sys.stdout.write(json.dumps({"version": "igrt-doctor/1", "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    else:
        _print(rows)
    return max({"ok": 0, "warn": 1, "stop": 2}[row.level] for row in rows)


def examine(site: Path) -> list[Row]:
    """Every question's answer."""
    looks: tuple[Callable[[], Row], ...] = (
        instruction_set,
        gpu,
        lambda: disk(site),
        ports,
        lambda: site_files(site),
        clock,
    )
    return [look() for look in looks]


def instruction_set() -> Row:
    """Which native kernels run here."""
    from igrt.compute import device

    try:
        chosen = device.choose()
    except ImportError as missing:
        return Row(
            "Instruction set",
            "stop",
            str(missing),
            "build the native kernels: run `make install` in the checkout, or install the wheel again",
        )
    return Row("Instruction set", "ok", f"{chosen.name} ({chosen.why})")


def gpu() -> Row:
    """Whether a GPU is seen; none is needed."""
    nodes = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    found = f"seen ({', '.join(nodes)}), not used by this version" if nodes else "none seen"
    return Row("GPU", "ok", f"{found}; the processor computes every answer")


def disk(site: Path) -> Row:
    """Room for images where the spool lies."""
    import shutil

    folder = next(path for path in (site.absolute(), *site.absolute().parents) if path.exists())
    free_gib = shutil.disk_usage(folder).free / 2**30
    found = f"{free_gib:.1f} GiB free at {folder}"
    if free_gib < LEAST_DISK_GIB:
        return Row("Disk", "stop", found, "free space or choose another --site: a full disk refuses every image")
    if free_gib < LOW_DISK_GIB:
        return Row("Disk", "warn", found, f"free space: below {LOW_DISK_GIB:.0f} GiB a busy day of cone-beam images may not fit")
    return Row("Disk", "ok", found)


def ports() -> Row:
    """Whether the engine's usual ports can be bound."""
    import socket

    from igrt.cli.serve import PORTS

    taken = []
    for name, number in PORTS.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                taken.append(f"{number} ({name})")
    every = ", ".join(f"{number} ({name})" for name, number in PORTS.items())
    if taken:
        return Row(
            "Ports", "warn", f"taken: {', '.join(taken)}", "an engine may be running already; stop it, or give `igrt serve` other ports"
        )
    return Row("Ports", "ok", f"free on 127.0.0.1: {every}")


def site_files(site: Path) -> Row:
    """Whether the site folder can be used and every profile and protocol in it is valid."""
    import os

    from igrt.errors import InputError
    from igrt.verification.machine import load_machine
    from igrt.verification.protocol import load_protocol
    from igrt.verification.site import Kind, available

    if site.exists() and not (site.is_dir() and os.access(site, os.W_OK)):
        return Row(
            "Site folder", "stop", f"{site} is not a folder that can be written to", "correct its permissions or choose another --site"
        )
    try:
        machines = [load_machine(name, site).name for name in available(Kind.MACHINE, site)]
        protocols = [load_protocol(name, site).name for name in available(Kind.PROTOCOL, site)]
    except InputError as problem:
        return Row("Site folder", "stop", str(problem), "correct the file")
    found = f"{site}: machines {', '.join(machines)}; protocols {', '.join(protocols)}"
    if not site.exists():
        return Row(
            "Site folder",
            "warn",
            f"{site} does not exist; what ships is used",
            "`igrt serve` creates it; put the clinic's own profiles there",
        )
    return Row("Site folder", "ok", found)


def clock() -> Row:
    """Whether a time service keeps this machine's clock."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    found = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now.year < EARLIEST_YEAR:
        return Row("Clock", "stop", f"{found} is in the past", "set the clock and start a time service (chrony, systemd-timesyncd)")
    state = _kernel_clock_state()
    if state is None:
        return Row("Clock", "ok", f"{found}; whether a time service keeps it cannot be told here")
    if state == TIME_ERROR:
        return Row("Clock", "warn", f"{found}; no time service keeps it", "start a time service (chrony, systemd-timesyncd)")
    return Row("Clock", "ok", f"{found}; kept by a time service")


def _kernel_clock_state() -> int | None:
    """What adjtimex says without changing anything (modes 0); None where there is no such call."""
    import ctypes

    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (AttributeError, OSError):
        return None
    return state if state >= 0 else None


def _print(rows: list[Row]) -> None:
    from rich.table import Table
    from rich.text import Text

    from igrt.cli.terminal import console

    styles = {"ok": "green", "warn": "bold yellow", "stop": "bold red"}
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(Text(row.level, style=styles[row.level]), row.question, row.found)
        if row.remedy:
            table.add_row("", "", Text(f"→ {row.remedy}", style="italic"))
    console().print(table)
