"""Engine, worker and client killed in every state, and the network spoiled in every state: nothing is lost and nothing released twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from igrt.engine.states import State
from tests.faults.account import Tally
from tests.faults.kills import PROCESSES
from tests.faults.proxy import FAULTS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "count", "what"), [((), 90, PROCESSES), (("--network",), 60, FAULTS)], ids=["kill -9", "network"])
def test_faults_in_every_state_lose_nothing_and_release_nothing_twice(options, count, what):
    """In a process of its own, which forks and must have no threads; `python -m tests.faults.kills --count N` for more."""
    rounds = str(count // (len(what) * len(State)))
    command = [sys.executable, "-m", "tests.faults.kills", "--count", str(count), "--rounds", rounds, "--seed", "9", "--json", *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=240)
    assert done.stdout, done.stderr.decode()
    tally = Tally.read(done.stdout)
    assert (tally.images_lost, tally.events_lost, tally.released_twice, tally.other) == ([], [], [], [])
    assert done.returncode == 0
    assert sum(tally.killed.values()) >= count
    assert {place.split()[0] for place in tally.killed} == set(what)
    assert {place.split()[1] for place in tally.killed} == {state.value for state in State}
    for looked_at in ("slabs acknowledged", "images answered", "events heard", "replies heard", "corrections released", "claims denied"):
        assert tally.counts[looked_at] > 10
