"""The journal's writer killed at 200 seeded instants; `python -m tests.faults.journal_kill --cycles N` for more."""

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.journal_kill import WORK

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_writer_killed_at_any_instant_loses_nothing_that_was_acknowledged():
    command = [sys.executable, "-m", "tests.faults.journal_kill", "--cycles", "200"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    tally = json.loads(done.stdout)
    assert tally["lost"] == []
    assert tally["acknowledged"] > 200
    assert sum(tally["killed_while"].values()) == 200, "a writer ended by itself"
    assert set(tally["killed_while"]) >= set(WORK) - {"closing"}, "no kill fell in some of the work"
