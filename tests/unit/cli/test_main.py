import argparse
import json
import subprocess
import sys

import pytest

from igrt.cli import main as entry
from igrt.cli.main import build_parser, main
from igrt.cli.table import COMMANDS, Command
from igrt.errors import InputError

HEAVY = {
    "numpy",
    "pydicom",
    "zmq",
    "msgspec",
    "rich",
    "SimpleITK",
    "skimage",
    "jinja2",
    "scipy",
    "asyncio",
    "logging",
    "importlib.metadata",
}


def run_in_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["demo", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"import sys; from igrt.cli.main import main; main({arguments}); print('\\nMODULES', *sys.modules)"
    loaded = set(run_in_python(code).rpartition("MODULES")[2].split())
    assert "igrt.cli.verify" in loaded
    assert not loaded & HEAVY


def test_importing_the_package_imports_nothing_heavy():
    loaded = set(run_in_python("import sys, igrt; print(*sys.modules)").split())
    assert not loaded & HEAVY


def test_help_lists_every_command_and_every_exit_code(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name} " in text
        assert command.summary in " ".join(text.split())
    for code in (0, 1, 2, 3, 4, 5, 130):
        assert f"\n  {code} " in text


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_explains_itself_with_examples_that_parse(command, capsys):
    assert main([command.name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    for example in command.examples:
        assert example in text


@pytest.mark.parametrize("example", [e for command in COMMANDS for e in command.examples])
def test_examples_are_valid_usage(example, monkeypatch):
    from pathlib import Path

    monkeypatch.setattr(Path, "exists", lambda _: True)
    program, *arguments = example.removeprefix("ONCE=1 ").split()
    assert program == "igrt"
    build_parser().parse_args(arguments)


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 0
    assert "commands:" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("igrt ")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["nonsense"], "nonsense"),
        (["verify"], "--plan"),
        (["verify", "--plan", "/nowhere", "--daily", "/nowhere"], "/nowhere does not exist"),
        (["verify", "--plan", ".", "--daily", ".", "--isocentre", "1", "2"], "--isocentre"),
        (["verify", "--plan", ".", "--daily", ".", "--isocentre", "1", "2", "nan"], "'nan' is not a finite number"),
        (["verify", "--plan", ".", "--daily", ".", "--position", "sitting"], "sitting"),
        (["verify", "--plan", ".", "--daily", ".", "--jsn"], "--jsn"),
        (["serve", "--commands-port", "70000"], "70000"),
        (["doctor", "extra"], "extra"),
    ],
)
def test_bad_usage_is_one_sentence_and_4(arguments, names, capsys):
    assert main(arguments) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert names in err
    assert "Traceback" not in err


def test_bad_usage_with_json_is_one_object_on_standard_output(capsys):
    assert main(["verify", "--json"]) == 4
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert set(said) == {"version", "error"}
    assert said["version"] == "igrt-answer/1"
    assert said["error"]["kind"] == "bad_input"
    assert said["error"]["sentence"] in err


def fake_command(run) -> Command:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    return Command("fake", "a fake", "a fake.", ("igrt fake",), add_arguments, run)


def raising(problem: BaseException):
    def run(_: argparse.Namespace) -> int:
        raise problem

    return run


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (InputError("slice 4 is missing;\n send it again"), 4, "igrt: slice 4 is missing; send it again\n"),
        (RuntimeError("boom"), 5, "RuntimeError: boom"),
        (ValueError("boom"), 5, "ValueError: boom"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_what_escapes_becomes_an_exit_code(problem, code, said, monkeypatch, capfd):
    monkeypatch.delenv("IGRT_DEBUG", raising=False)
    monkeypatch.setattr(entry, "COMMANDS", (fake_command(raising(problem)),))
    monkeypatch.setattr(entry, "_abandon_output", lambda: None)
    assert main(["fake"]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_defect_shows_its_traceback_where_asked(how, monkeypatch, capsys):
    monkeypatch.setattr(entry, "COMMANDS", (fake_command(raising(RuntimeError("boom"))),))
    if how == "environment":
        monkeypatch.setenv("IGRT_DEBUG", "1")
    assert main(["fake", "--debug"] if how == "flag" else ["fake"]) == 5
    assert "Traceback" in capsys.readouterr().err


def test_a_defect_with_json_says_so_in_json(monkeypatch, capsys):
    monkeypatch.setattr(entry, "COMMANDS", (fake_command(raising(RuntimeError("boom"))),))
    assert main(["fake", "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "defect"


def test_a_reader_that_goes_away_is_no_traceback():
    code = "import sys; from igrt.cli.main import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(timeout=60) in (0, 141)
    assert b"Traceback" not in error
    assert b"Exception ignored" not in error
