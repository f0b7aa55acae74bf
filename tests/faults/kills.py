"""Kill -9 of engine, worker and client at seeded instants, in every state of the session, and a count of what was lost.

    python -m tests.faults.kills --count 3060 --seed 1 --record kills.jsonl

prints the histogram of states killed in by process, and three counts that must be 0 (exit code 1 else). A record that is there
already is gone on with: each of its lines is one room of kills.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.faults.account import Tally
from tests.faults.edges import STATES
from tests.faults.proxy import FAULTS
from tests.faults.room import Room
from tests.faults.scenarios import Scenario, phantom, small

PROCESSES = ("engine", "worker", "client")
LATEST_S = (0.0, 0.001, 0.004, 0.03)
"""A kill falls between the moment at which the client is where it was wanted and one of these."""


def one_room(folder: Path, scenario: Scenario, *, rounds: int, seed: int, processes: Sequence[str] = PROCESSES) -> Tally:
    """Each process killed `rounds` times in each state, in an order of the seed's choice."""
    rng = random.Random(seed)
    room = Room(folder, rng, scenario, network=bool(set(processes) & set(FAULTS)))
    targets = [*itertools.product(processes, STATES)] * rounds
    rng.shuffle(targets)
    for process, state in sorted(targets, key=lambda target: target[1] == "expired"):  # the engine of short lives in one piece
        room.go_to(state)
        time.sleep(rng.uniform(0.0, rng.choice(LATEST_S)))
        room.kill(process)
    for state in STATES:  # that the session had left each time before the kill fell
        while not any(room.tally.killed[f"{process} {state.value}"] for process in processes):
            room.go_to(state)
            room.kill(rng.choice(processes))
    return room.close()


def words(tally: Tally, processes: Sequence[str] = PROCESSES) -> str:
    """For a person."""
    lines = [f"{'state':<14}" + "".join(f"{p:>9}" for p in processes)]
    lines += [f"{s.value:<14}" + "".join(f"{tally.killed[f'{p} {s.value}']:>9}" for p in processes) for s in STATES]
    lines += [f"{'all':<14}" + "".join(f"{sum(tally.killed[f'{p} {s.value}'] for s in STATES):>9}" for p in processes)]
    lines += [f"{name}: {count}" for name, count in sorted(tally.counts.items())]
    lines += [f"acknowledged images lost: {len(tally.images_lost)}", f"events lost: {len(tally.events_lost)}"]
    lines += [f"corrections released twice: {len(tally.released_twice)}", f"anything else wrong: {len(tally.other)}"]
    lines += [*tally.images_lost, *tally.events_lost, *tally.released_twice, *tally.other]
    return "\n".join(lines)


def run(*, count: int, seed: int, rounds: int, record: Path | None, processes: Sequence[str], scenario: Scenario) -> Tally:
    """Rooms until there were `count` kills."""
    total = Tally()
    done = [Tally.read(line) for line in record.read_bytes().splitlines()] if record and record.exists() else []
    for number in itertools.count():
        if sum(total.killed.values()) >= count:
            return total
        if number < len(done):
            total.add(done[number])
            continue
        with tempfile.TemporaryDirectory(prefix="igrt-kills-", ignore_cleanup_errors=True) as folder:
            tally = one_room(Path(folder), scenario, rounds=rounds, seed=seed * 100_000 + number, processes=processes)
        total.add(tally)
        if record:
            with record.open("ab") as file:
                file.write(msgspec.json.encode(tally) + b"\n")
    raise AssertionError


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2, help="kills of each process in each state in one room")
    parser.add_argument("--network", action="store_true", help="spoil the network instead: " + ", ".join(FAULTS))
    parser.add_argument("--phantom", action="store_true", help="a phantom's images and the true worker")
    parser.add_argument("--record", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    processes = FAULTS if given.network else PROCESSES
    with tempfile.TemporaryDirectory(prefix="igrt-plans-") as plans:
        scenario = (phantom if given.phantom else small)(Path(plans))
        tally = run(count=given.count, seed=given.seed, rounds=given.rounds, record=given.record, processes=processes, scenario=scenario)
    sys.stdout.write((msgspec.json.encode(tally).decode() if given.json else words(tally, processes)) + "\n")
    return 0 if tally.clean else 1


if __name__ == "__main__":
    sys.exit(main())
