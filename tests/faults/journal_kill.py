"""Kill -9 of a journal's writer at seeded instants, and a look at what is left.

    python -m tests.faults.journal_kill --cycles 3000 --seed 1

prints one JSON line: cycles, acknowledgements, what was lost (nothing, or it exits with 1), and in which work the kills fell.
"""

import argparse
import json
import mmap
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from igrt.engine.journal import Journal, Row
from igrt.engine.journal_backup import backup
from igrt.engine.journal_verify import verify
from tests.faults.journal_work import PATIENT, batch, erase, of_patient, open_journal, payload, whole_batches

WORK = ("opening", "event", "batch", "patient", "erasing", "backing up", "closing")
READY = b"open\n"
LONGEST_S = 0.05
CYCLES_A_JOURNAL = 12


def write(path: Path, seed: int, acknowledge: int, doing: mmap.mmap) -> None:
    """Work until killed. Each acknowledgement is one line: number, hash, request and whether a patient was erased."""
    rng = random.Random(seed)

    def begin(what: str) -> None:
        doing[0] = WORK.index(what)

    def done(journal: Journal, request: str = "", erased: bool = False) -> None:
        line = f"{journal.head.number} {journal.head.sha256.hex()} {request or '-'} {int(erased)}\n"
        os.write(acknowledge, line.encode())  # below PIPE_BUF: whole or not at all

    while True:
        begin("opening")
        journal = open_journal(path)
        os.write(acknowledge, READY)
        for i in range(rng.randrange(2, 20)):
            work = rng.choices(("event", "batch", "patient", "erasing", "backing up"), (6, 6, 4, 2, 1))[0]
            begin(work)
            if work == "event":
                journal.append("event", payload(i=i, noise=rng.randbytes(rng.randrange(9000))))
                done(journal)
            elif work == "batch":
                name = f"r{seed}-{journal.head.number}"
                journal.append_all(batch(name, rng, rows=rng.randrange(2, 6)))
                done(journal, name)
            elif work == "patient":
                journal.append("event", of_patient(rng), patient_id=rng.choice((PATIENT, PATIENT, "another", None)))
                done(journal)
            elif work == "erasing":
                if erase(journal):
                    done(journal, erased=True)
            else:
                copy = path.with_name(f"copy-{journal.head.number}")
                if not copy.exists():
                    backup(path, copy)
        begin("closing")
        journal.close()


@dataclass
class Tally:
    """What was seen over all cycles."""

    cycles: int = 0
    acknowledged: int = 0
    unacknowledged_but_whole: int = 0
    killed_while: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


@dataclass
class Known:
    """What the writers of one journal have acknowledged."""

    hashes: dict[int, str] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    erased_up_to: int = 0

    def take(self, line: str) -> None:
        number, sha256, request, erased = line.split()
        self.hashes[int(number)] = sha256
        if request != "-":
            self.requests[request] = int(number)
        if erased == "1":
            self.erased_up_to = int(number)


def kill_one(path: Path, seed: int, known: Known, tally: Tally) -> None:
    """One writer, from its start to its end."""
    read_end, write_end = os.pipe()
    doing = mmap.mmap(-1, 1)
    child = os.fork()
    if child == 0:
        try:
            write(path, seed, write_end, doing)
        except BaseException as error:  # noqa: BLE001 - told to the parent, for the writer must work until killed
            os.write(write_end, f"failed: {error!r}\n".encode())
        os._exit(1)
    os.close(write_end)
    rng = random.Random(seed)
    heard = b"" if rng.random() < 0.3 else os.read(read_end, len(READY))  # some from the start, most once it is open
    time.sleep(rng.uniform(0.0, LONGEST_S))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as rest:
        for line in (heard + rest.read()).decode().splitlines():
            if line.startswith("failed"):
                tally.lost.append(f"seed {seed}: the writer {line}")
            elif line != READY.decode().strip():
                known.take(line)
                tally.acknowledged += 1
    if os.WTERMSIG(status) == signal.SIGKILL:
        tally.killed_while[WORK[doing[0]]] += 1


def missing(path: Path, known: Known, tally: Tally) -> list[str]:
    """What was acknowledged and is not there, or is there by halves."""
    with Journal(path, session="look") as journal:
        rows = list(journal.rows())
        found = [f"row {n}" for n, sha256 in known.hashes.items() if len(rows) < n or rows[n - 1].sha256.hex() != sha256]
        found += [f"reply to {request}" for request, n in known.requests.items() if _number(journal.reply(request)) != n]
        if not whole_batches(rows):
            found.append("half a batch is there")
        if any(row.payload and PATIENT.encode() in row.payload for row in rows[: known.erased_up_to]):
            found.append("a payload of an erased patient is there")
        verification = verify(path, head=journal.head)
        if not verification.holds:
            found.append(verification.sentence)
        tally.unacknowledged_but_whole += len(rows) > max(known.hashes, default=0)
        known.hashes |= {row.number: row.sha256.hex() for row in rows}
    for copy in path.parent.glob("copy-*"):
        if ".partial" not in copy.name and not verify(copy).holds:
            found.append(f"backup {copy.name} does not hold")
        copy.unlink()
    return found


def _number(row: Row | None) -> int:
    return row.number if row else 0


def run(folder: Path, *, cycles: int, seed: int) -> Tally:
    """Every few cycles a new journal, so that its making is killed too."""
    tally = Tally()
    for cycle in range(cycles):
        if cycle % CYCLES_A_JOURNAL == 0:
            path, known = folder / str(cycle) / "j.sqlite", Known()
            path.parent.mkdir()
        kill_one(path, seed * 1_000_000 + cycle, known, tally)
        tally.lost += [f"cycle {cycle}: {what}" for what in missing(path, known, tally)]
        tally.cycles += 1
    return tally


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder), cycles=given.cycles, seed=given.seed)
    sys.stdout.write(json.dumps(vars(tally)) + "\n")
    return 1 if tally.lost else 0


if __name__ == "__main__":
    sys.exit(main())
