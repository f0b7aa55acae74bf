"""The table of commands. To add a command is to add its file and a row here; `igrt --help` and docs/commands.md follow."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from igrt.cli import backup, demo, doctor, erase, journal, replay, restore, retain, serve, simulate, support, verify
from igrt.verification.findings import EXIT_BAD_INPUT, EXIT_DEFECT

EXIT_INTERRUPTED = 130
EXIT_PIPE = 141

EXIT_CODES = (
    (0, "proceed: the match is accepted and everything is within tolerance"),
    (1, "caution: accepted, with something to look at before treating"),
    (2, "stop: accepted, but a tolerance that stops treatment is exceeded"),
    (3, "refused: the match cannot be believed; there is no correction"),
    (EXIT_BAD_INPUT, "bad input or bad usage: one sentence says what to change"),
    (EXIT_DEFECT, "a defect of igrt"),
    (EXIT_INTERRUPTED, "interrupted (Ctrl-C)"),
    (EXIT_PIPE, "standard output was closed by its reader"),
)

EPILOGUE = "exit codes:\n" + "\n".join(f"  {code:<4}{meaning}" for code, meaning in EXIT_CODES)


@dataclass(frozen=True, slots=True)
class Command:
    """A row: what it is called, what it says of itself, how its arguments are read and what runs it (gives the exit code)."""

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    @property
    def epilogue(self) -> str:
        """The examples, as the help prints them."""
        return "examples:\n" + "\n".join(f"  {example}" for example in self.examples)


COMMANDS = tuple(
    Command(module.NAME, module.SUMMARY, module.DESCRIPTION, module.EXAMPLES, module.add_arguments, module.run)
    for module in (demo, verify, serve, simulate, journal, replay, backup, restore, retain, erase, doctor, support)
)
