import json
import signal
import subprocess
import sys

import pytest

from igrt.cli.engine_process import running_engine
from igrt.cli.main import main

ANY_PORTS = ["--commands-port", "0", "--images-port", "0", "--events-port", "0"]


def test_serve_says_where_it_is_and_ends_on_a_signal(tmp_path):
    command = [sys.executable, "-m", "igrt.cli.main", "serve", "--site", str(tmp_path), *ANY_PORTS, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoints = json.loads(process.stdout.readline())
        assert json.loads((tmp_path / "engine" / "endpoints.json").read_text()) == endpoints
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert endpoints["commands"].startswith("tcp://127.0.0.1:")
    assert not (tmp_path / "engine" / "endpoints.json").exists()
    log = [json.loads(line)["event"] for line in (tmp_path / "engine" / "log" / "engine.jsonl").read_text().splitlines()]
    assert (log[0], log[-1]) == ("serving", "stopped")


def test_a_defect_that_ends_the_engine_quotes_nothing_on_standard_error(tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise KeyError("DOE^JANE")

    monkeypatch.setattr("igrt.engine.server.serve", fail)
    assert main(["serve", "--site", str(tmp_path), *ANY_PORTS]) == 5
    said = capsys.readouterr().err
    assert "KeyError; see the log in" in said
    assert "DOE" not in said + (tmp_path / "engine" / "log" / "engine.jsonl").read_text()


@pytest.mark.parametrize(("given", "kept"), [(["--keep-days", "90"], 90.0), ([], None)])
def test_how_long_images_are_kept_is_handed_on(given, kept, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr("igrt.engine.server.serve", lambda settings, **_: taken.append(settings))
    assert main(["serve", "--site", str(tmp_path), *ANY_PORTS, *given]) == 0
    assert [settings.keep_days for settings in taken] == [kept]


def test_images_are_kept_for_a_day_at_least(tmp_path, capsys):
    assert main(["serve", "--site", str(tmp_path), "--keep-days", "0.5"]) == 4
    assert "less than a day" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org"])
def test_only_this_machine(host, tmp_path, capsys):
    assert main(["serve", "--site", str(tmp_path), "--host", host, *ANY_PORTS]) == 4
    assert "this machine only" in capsys.readouterr().err


def test_an_engine_of_ones_own_is_ended(tmp_path):
    with running_engine(tmp_path) as folder:
        assert (folder / "endpoints.json").is_file()
    assert not (folder / "endpoints.json").exists()


def test_an_engine_that_cannot_start_says_why(tmp_path):
    with running_engine(tmp_path), pytest.raises(RuntimeError, match="runs in this folder already"), running_engine(tmp_path):
        pytest.fail("two engines in one folder")


def test_an_engine_of_ones_own_ends_with_its_owner(tmp_path):
    code = (
        "import signal, sys; from pathlib import Path; from igrt.cli.engine_process import running_engine\n"
        "with running_engine(Path(sys.argv[1])):\n    print('ready', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(timeout=60) == 143
    assert not (tmp_path / "engine" / "endpoints.json").exists()
