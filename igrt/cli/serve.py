"""`igrt serve`: run the engine on this machine until it is told to stop."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from igrt.cli.parsing import port

if TYPE_CHECKING:
    from igrt.bus.sockets import Endpoints

NAME = "serve"
SUMMARY = "run the engine: images in, corrections and alerts out, on three sockets"
DESCRIPTION = """Runs the engine of one treatment room until Ctrl-C or SIGTERM. It listens on this machine only. Its
addresses are printed, and stand in SITE/engine/endpoints.json while it runs; images are kept in
SITE/engine/spool. docs/bus.md describes the messages, docs/integrator.md how to send an image."""
EXAMPLES = (
    "igrt serve",
    "igrt serve --site /srv/igrt/linac3 --commands-port 6000 --images-port 6001 --events-port 6002",
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
    parser.add_argument("--device", metavar="NAME", help="cpu, cpu avx2, ... (by default the best there is)")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON once all is ready")


def run(options: argparse.Namespace) -> int:
    """Serves until stopped; 0."""
    import logging

    from igrt.engine.server import Settings, serve
    from igrt.verification.site import site_folder

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    site = site_folder(options.site)
    settings = Settings(
        folder=site / "engine",
        site=site,
        device=options.device,
        host=options.host,
        commands_port=options.commands_port,
        images_port=options.images_port,
        events_port=options.events_port,
    )
    serve(settings, on_ready=lambda endpoints: _announce(endpoints, settings.folder, as_json=options.json))
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
