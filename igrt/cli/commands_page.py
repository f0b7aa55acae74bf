"""docs/commands.md, made from the table of commands: `python -m igrt.cli.commands_page > docs/commands.md`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from igrt.cli.main import DESCRIPTION, build_parser
from igrt.cli.table import COMMANDS, EXIT_CODES


def commands_page() -> str:
    """The page, in Markdown; the same on every Python and every terminal."""
    lines = [
        "# Commands",
        "",
        " ".join(DESCRIPTION.split()),
        "",
        "Made from the table of commands (`igrt/cli/table.py`); a test compares it.",
        "",
    ]
    parsers = _children(build_parser())
    for command in COMMANDS:
        lines += [f"## igrt {command.name}", "", f"{command.summary.capitalize()}.", "", " ".join(command.description.split()), ""]
        lines += [*_options(parsers[command.name]), "```", *command.examples, "```", ""]
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES)]
    return "\n".join(lines) + "\n"


def _children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _options(parser: argparse.ArgumentParser, *, under: str = "") -> Iterator[str]:
    actions = [
        a
        for a in parser._actions
        if a.help != argparse.SUPPRESS and a.dest not in ("help", "debug") and not isinstance(a, argparse._SubParsersAction)
    ]
    if under:
        yield from (f"### {under}", "", f"{parser.description}", "")
    if actions:
        yield from ("| argument | meaning |", "|---|---|")
        yield from (f"| `{_spelling(action)}`{' (required)' if action.required else ''} | {_meaning(action)} |" for action in actions)
        yield ""
    for name, child in _children(parser).items():
        yield from _options(child, under=f"{parser.prog} {name}")


def _spelling(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else ""
    if action.nargs == 0:
        return name
    metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    values = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    return f"{name} {values}{'...' if action.nargs == '+' else ''}".strip().replace("|", "\\|")


def _meaning(action: argparse.Action) -> str:
    text = action.help or ""
    if "%(default)s" in text:
        text = text % {"default": action.default}
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(commands_page())
