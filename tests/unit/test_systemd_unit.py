"""The unit that runs an engine as a service: systemd takes it, and it gives the engine no more than it needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from igrt.cli.main import build_parser
from igrt.engine.server import WATCH_PERIOD_S

UNIT = Path(__file__).parents[2] / "deploy" / "igrt@.service"
NEEDED = ("systemd-analyze", "is not here: the unit is checked where systemd is")


def settings() -> dict[str, str]:
    """The last value of each."""
    lines = (line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def instance(tmp_path):
    """The unit of a room, with a program that is there."""
    if not shutil.which(NEEDED[0]):
        pytest.skip(" ".join(NEEDED))
    path = tmp_path / "igrt@linac3.service"
    path.write_text(UNIT.read_text().replace("/opt/igrt/bin/igrt", sys.executable))
    return path


def test_systemd_finds_nothing_wrong(instance):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(instance)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_is_as_closed_as_it_was(instance):
    """`systemd-analyze security` gives 0 (closed) to 10; a service without settings has 9.6."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager", str(instance)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_what_the_engine_rests_on_is_set():
    found = settings()
    assert (found["Type"], found["Restart"], found["ProtectSystem"], found["User"]) == ("notify", "on-failure", "strict", "igrt")
    assert found["ReadWritePaths"] == "/var/lib/" + found["StateDirectory"] == "/var/lib/igrt/%i"
    assert float(found["WatchdogSec"]) > 10 * WATCH_PERIOD_S
    assert found["LimitCORE"] == "0"
    assert found["OOMPolicy"] == "continue"  # else the second solver, first to go, would take the engine with it


def test_its_command_line_is_one_that_igrt_takes():
    command = settings()["ExecStart"].split()
    options = build_parser().parse_args([*command[1:-1], "--keep-days", "90"])
    assert (options.command, options.keep_days) == ("serve", 90.0)
