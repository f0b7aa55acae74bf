"""`igrt`: parse, run one command, turn what escapes into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Sequence

from igrt.cli.parsing import Parser
from igrt.cli.sentences import on_command_line
from igrt.cli.table import COMMANDS, EPILOGUE, EXIT_INTERRUPTED, EXIT_PIPE
from igrt.errors import InputError
from igrt.verification.findings import EXIT_BAD_INPUT, EXIT_DEFECT

DESCRIPTION = """Image guidance for radiotherapy: matches the day's image to the planning CT, gives the couch
correction with its evidence, and refuses rather than answer wrong. Research software: not for
the treatment of patients."""


def build_parser() -> Parser:
    """The parser of every command, built from the table."""
    parser = Parser(prog="igrt", description=DESCRIPTION, epilog=EPILOGUE)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for command in COMMANDS:
        child = commands.add_parser(command.name, help=command.summary, description=command.description, epilog=command.epilogue)
        child.add_argument("--debug", action="store_true", help="show the traceback of a defect (also $IGRT_DEBUG)")
        command.add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; never raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except InputError as problem:
        return _fail(arguments, kind="bad_input", sentence=str(problem), code=EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        sys.stderr.write("igrt: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _abandon_output()
        return EXIT_PIPE
    except SystemExit as leaving:  # argparse after --help
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as defect:  # noqa: BLE001 - the last resort: whatever escapes is a defect of igrt and is said to be one
        if "--debug" in arguments or os.environ.get("IGRT_DEBUG"):
            traceback.print_exc()
        sentence = f"defect of igrt ({type(defect).__name__}: {defect}); please report it with the output of the same command and --debug"
        return _fail(arguments, kind="defect", sentence=sentence, code=EXIT_DEFECT)
    return code


def _run(arguments: list[str]) -> int:
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        sys.stdout.write(f"igrt {version('igrt')}\n")
        return 0
    if options.command is None:
        parser.print_help()
        return 0
    chosen = next(command for command in COMMANDS if command.name == options.command)
    return chosen.run(options)


def _abandon_output() -> None:
    """Nobody reads standard output any more: what is still buffered must not fail again at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(arguments: list[str], *, kind: str, sentence: str, code: int) -> int:
    """One sentence on standard error; with --json also one object on standard output, so that a program can read it."""
    sentence = on_command_line(sentence)
    sys.stderr.write(f"igrt: {sentence}\n")
    if "--json" in arguments:
        error = {"kind": kind, "sentence": sentence}
        sys.stdout.write(json.dumps({"version": "igrt-answer/1", "error": error}, indent=2) + "\n")
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
