"""`igrt serve`: run the engine on this machine until it is told to stop."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from igrt.cli.parsing import days, port

if TYPE_CHECKING:
    from igrt.bus.sockets import Endpoints

NAME = "serve"
SUMMARY = "run the engine: images in, corrections and alerts out, on three sockets"
DESCRIPTION = """Runs the engine of one treatment room until Ctrl-C or SIGTERM. It listens on this machine only. Its
addresses are printed, and stand in SITE/engine/endpoints.json while it runs; images are kept in
SITE/engine/spool and logs in SITE/engine/log, which name no patient. docs/bus.md describes the messages,
docs/integrator.md how to send an image, docs/operations.md how to run it as a service."""
EXAMPLES = (
    "igrt serve",
    "igrt serve --site /srv/igrt/linac3 --commands-port 6000 --images-port 6001 --events-port 6002",
    "igrt serve --site /srv/igrt/linac3 --keep-days 90",
    "igrt serve --commands-port 0 --images-port 0 --events-port 0 --json",
)
PORTS = {"commands": 5570, "images": 5571, "events": 5572}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--site", type=Path, metavar="DIR", help="the clinic's folder ($IGRT_SITE, else the user's data directory); created"
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="loopback address to listen on (default %(default)s)")
    for name, number in PORTS.items():
        parser.add_argument(
            f"--{name}-port", type=port, default=number, metavar="PORT", help=f"socket of {name} (default {number}; 0: the system chooses)"
        )
    parser.add_argument(
        "--keep-days", type=days, metavar="DAYS", help="remove images older than this, between sessions (default: keep all)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cpu avx2, cuda, ... (by default the best there is)")
    parser.add_argument(
        "--no-second-solver", action="store_true", help="never run the second solver, whatever the protocols say (docs/integrator.md)"
    )
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON once all is ready")


def run(options: argparse.Namespace) -> int:
    """Serves until stopped; 0."""
    import logging

    from igrt.engine.logs import logging_to
    from igrt.engine.server import Settings, serve
    from igrt.errors import InputError
    from igrt.verification.site import site_folder

    site = site_folder(options.site)
    settings = Settings(
        folder=site / "engine",
        site=site,
        device=options.device,
        host=options.host,
        commands_port=options.commands_port,
        images_port=options.images_port,
        events_port=options.events_port,
        log=True,
        keep_days=options.keep_days,
        second_solver=not options.no_second_solver,
    )
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with logging_to(settings.folder, "engine"):
        try:
            serve(settings, on_ready=lambda endpoints: _announce(endpoints, settings.folder, as_json=options.json))
        except InputError:
            raise
        except Exception as defect:
            # Its text may quote what is not for a log, and the service's standard error is one.
            logging.getLogger(__name__).critical("the engine ends", exc_info=defect)
            raise RuntimeError(f"{type(defect).__name__}; see the log in {settings.folder}") from defect
    return 0


def _announce(endpoints: Endpoints, folder: Path, *, as_json: bool) -> None:
    import msgspec

    from igrt.verification.record import NOTICE

    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(endpoints)) + "\n")
    else:
        sys.stdout.write(
            f"commands  {endpoints.commands}\nimages    {endpoints.images}\nevents    {endpoints.events}\n"
            f"folder    {folder}\n{NOTICE}\nReady. Ctrl-C ends the engine.\n"
        )
    sys.stdout.flush()
