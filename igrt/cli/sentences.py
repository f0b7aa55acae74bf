"""The library's sentences name its parameters; on the command line they name the arguments that stand for them."""

from __future__ import annotations

import re

ARGUMENTS = (
    (r"\bgive isocentre_mm\b", "give --isocentre"),
    (r"^isocentre_mm (?=\[)", "--isocentre "),
    (r"\bgive position\b", "give --position"),
    (r"\bstate the daily isocentre with the image\b", "give --daily-isocentre"),
    (r"(isocentres: .*)choose one by its number\b", r"\1choose one by its number with --plan-isocentre"),
    (r"(set-ups.*)choose one by its number\b", r"\1choose one by its number with --setup"),
)


def on_command_line(sentence: str) -> str:
    """The sentence on one line, with arguments for parameters."""
    line = " ".join(sentence.split())
    for parameter, argument in ARGUMENTS:
        line = re.sub(parameter, argument, line)
    return line
