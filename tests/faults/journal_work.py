"""A day in a journal's life, in steps that are each acknowledged: rows, batches with replies, a patient erased, checkpoints."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from igrt.engine.journal import Entry, Journal, Row

PATIENT = "DOE^JANE-7781"
Step = Callable[[Journal], object]


def payload(**fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


def of_patient(rng: random.Random) -> bytes:
    """Names the patient, and is from much smaller to much larger than a page of the file."""
    return payload(patient_id=PATIENT, voxels=rng.randbytes(rng.choice((10, 900, 5000, 14000))))


def batch(name: str, rng: random.Random, *, rows: int) -> list[Entry]:
    """Events and, last, the reply to request `name`; each says how many belong together."""
    entries = [Entry("event", payload(batch=name, of=rows, noise=rng.randbytes(rng.randrange(300)))) for _ in range(rows - 1)]
    return [*entries, Entry("reply", payload(batch=name, of=rows), request_id=name)]


def steps(seed: int) -> Iterator[Step]:
    """The same for the same seed; every step commits once."""
    rng = random.Random(seed)
    for i in range(3):
        name = f"r{i}"
        data, entries = of_patient(rng), batch(name, rng, rows=3)
        yield lambda journal, data=data: journal.append("event", data, patient_id=PATIENT)
        yield lambda journal, entries=entries: journal.append_all(entries)
    yield lambda journal: journal.append("event", payload(seen=PATIENT), patient_id="another")
    yield erase
    yield lambda journal: journal.append("event", payload(after="erasure"), patient_id="another")


def erase(journal: Journal) -> object:
    """The patient's rows, and those of others that name them."""
    return journal.erase_patient(PATIENT, mentions=[r.number for r in journal.rows() if r.payload and PATIENT.encode() in r.payload])


def open_journal(path: Path) -> Journal:
    """With checkpoints so often that a short run has several."""
    journal = Journal(path, session="s")
    journal._connection.execute("PRAGMA wal_autocheckpoint = 12")
    return journal


def whole_batches(rows: list[Row]) -> bool:
    """Whether every batch that is there at all is there whole, with its reply."""
    found: dict[str, list[Row]] = {}
    wanted: dict[str, int] = {}
    for row in rows:
        content = msgspec.msgpack.decode(row.payload) if row.payload else {}
        if "batch" in content:
            found.setdefault(content["batch"], []).append(row)
            wanted[content["batch"]] = content["of"]
    return all(len(found[name]) == n and found[name][-1].request_id == name for name, n in wanted.items())
