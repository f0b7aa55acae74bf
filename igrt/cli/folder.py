"""The engine's folder that a command works on."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_site(parser: argparse.ArgumentParser) -> None:
    """--site."""
    parser.add_argument("--site", type=Path, metavar="DIR", help="the clinic's folder ($IGRT_SITE, else the user's data directory)")


def engine_folder(options: argparse.Namespace) -> Path:
    """SITE/engine."""
    from igrt.verification.site import site_folder

    return site_folder(options.site) / "engine"


def mib(count: int) -> str:
    """Bytes as mebibytes."""
    return f"{count / 2**20:,.1f} MiB"
