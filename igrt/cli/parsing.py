"""The argument parser of every command: bad usage is bad input (exit code 4), negative numbers are numbers."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any, NoReturn

from igrt.errors import InputError

HELP_WIDTH = 100
POSITIONS = ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")
NEGATIVE_NUMBER = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of examples; of one width everywhere."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=HELP_WIDTH)


class Parser(argparse.ArgumentParser):
    """Raises `InputError` where argparse would exit with 2, and takes -4 or -1e-3 for a number, never for an option."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, "allow_abbrev": False, **options})
        self._negative_number_matcher = NEGATIVE_NUMBER

    def error(self, message: str) -> NoReturn:
        """Bad usage: one sentence and where to read on."""
        raise InputError(f"{message} (see `{self.prog} --help`)")


def finite(text: str) -> float:
    """A finite number, or the sentence that says what is wrong."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number; give a number such as -12.5")
    return number


def existing(text: str) -> Path:
    """A path that exists."""
    path = Path(text).expanduser()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text} does not exist; give the path of an existing file or folder")
    return path


def days(text: str) -> float:
    """A number of days, 1 or more."""
    number = finite(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is less than a day; give 1 or more")
    return number


def port(text: str) -> int:
    """A TCP port; 0 lets the system choose one."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a whole number from 0 (the system chooses) to 65535")
    return number
