"""A session's every write, sync and message in order, the power cut at each of its sync points, and the engine started on what is left.

    python -m tests.faults.session_cuts --seeds 20

prints how many cuts were made, what had been told by then, and three counts that must be 0 (exit code 1 else).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.bus.grids import daily_grid
from igrt.bus.sockets import Endpoints
from igrt.bus.topics import EVENTS, REPLIES, SLAB_REPLIES, decode
from igrt.compute.volume import Volume
from igrt.engine.case import Limits
from igrt.engine.chain import Tokens
from igrt.engine.journal import Journal, JournalError, read_rows
from igrt.engine.journal_redaction import redact
from igrt.engine.journal_verify import verify
from igrt.engine.record import EVENT, FILE, RELEASE, REPLY, RUN
from igrt.engine.server import Engine
from igrt.engine.settings import Settings
from igrt.engine.spool import Description, Spool
from tests.bus.chain_cases import CHAIN_WORKER, COUCH, HFS, approve, claim, image, moved, report
from tests.bus.conftest import make_volume
from tests.faults.engine_disk import RecordedEngine, Told, recorded_engines
from tests.faults.power_cut import leave_behind
from tests.faults.sqlite_disk import FolderSync, Sync

WAIT_S = 30.0


def image_of(image_id: str) -> Volume:
    """The image of this name."""
    return make_volume(seed=zlib.crc32(image_id.encode()))


NO_WORKER = (sys.executable, "-S", "-c", "import time; time.sleep(60)")


@dataclass
class Cuts:
    """What many cuts came to."""

    counts: Counter[str] = field(default_factory=Counter)
    images_lost: list[str] = field(default_factory=list)
    events_lost: list[str] = field(default_factory=list)
    released_twice: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing was lost."""
        return not (self.images_lost or self.events_lost or self.released_twice)


@contextmanager
def engine_in(folder: Path, worker: Sequence[str], kind: Callable[[Settings], Engine] = Engine) -> Iterator[Endpoints]:
    """One that runs in a thread of this process."""
    ready, heard, failed = threading.Event(), list[Endpoints](), list[BaseException]()
    stops: list[Callable[[], object]] = []

    def is_ready(endpoints: Endpoints) -> None:
        heard.append(endpoints)
        ready.set()

    async def run() -> None:
        limits = Limits(reserve_bytes=0, disk_low_bytes=0)
        engine = kind(Settings(folder=folder, worker_command=tuple(worker), limits=limits, heartbeat_s=0.2))
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, engine.stop))
        await engine.run(is_ready)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=main)
    thread.start()
    assert ready.wait(WAIT_S)
    try:
        if not failed:
            yield heard[0]
    finally:
        if not failed:
            stops[0]()
        thread.join(WAIT_S)
        if failed:
            raise failed[0]


def record_session(folder: Path) -> list[object]:
    """Two runs of an engine: a correction goes the whole way, another is withdrawn and a third approved; the second run goes on."""
    plan = folder.parent / "plan.json"
    plan.write_text('{"patient_id": "P1"}')
    with recorded_engines(folder) as disk:
        with engine_in(folder, CHAIN_WORKER, RecordedEngine) as endpoints, Client(endpoints) as client:
            client.load_plan(plan, fraction=4)
            first = image(client, image_of("first"), image_id="first")
            release = claim(client, first, approve(client, first)).release
            assert release is not None
            moved(client, release)
            report(client, beam_on=True)
            report(client, beam_on=False)
            second = image(client, image_of("second"), image_id="second")
            assert claim(client, second, approve(client, second)).release is not None
            client.reject(by="Test", why="no")
            transfer = client.begin_image(image_of("third").grid, position=HFS, image_id="third", couch=COUCH)
            for k in (8, 2, 14):
                transfer.send(k, image_of("third").hu[k : k + 3])
                transfer.drain()
        with engine_in(folder, CHAIN_WORKER, RecordedEngine) as endpoints, Client(endpoints) as client:
            third = image(client, image_of("third"), image_id="third")
            assert claim(client, third, approve(client, third)).release is not None
    return disk.record


def sync_points(record: Sequence[object]) -> list[int]:
    """Right before each sync and right after it."""
    places = [i for i, o in enumerate(record) if isinstance(o, Sync | FolderSync)]
    return sorted({*places, *(i + 1 for i in places), len(record)})


class Cut:
    """The record up to `at`, of the rest of which nothing was told."""

    def __init__(self, record: Sequence[object], at: int, cuts: Cuts) -> None:
        self.told = [o for o in record[:at] if isinstance(o, Told)]
        self.name, self.cuts = f"cut {at}", cuts
        self.frames = [o.frame for o in self.told if o.socket == "commands"]
        self.replies = [decode(frame, REPLIES) for frame in self.frames]

    def check(self, folder: Path) -> None:
        """All that was told is there, and what was released is not released again."""
        journal = folder / FILE
        if not journal.exists():
            if self.told:
                self.cuts.events_lost.append(f"{self.name}: there is no journal")
            return
        try:
            Journal(journal, session="look").close()
            found = verify(journal)
        except JournalError as error:
            self.cuts.events_lost.append(f"{self.name}: {error}")
            return
        if not found.holds:
            self.cuts.events_lost.append(f"{self.name}: {found.sentence}")
        self.images(folder / "spool")
        self.events(journal)
        self.again(folder)
        self.cuts.counts["cuts"] += 1

    def images(self, spool: Path) -> None:
        """What was acknowledged is in the spool, voxel for voxel."""
        stored: dict[str, set[int]] = {}
        for told in self.told:
            reply = decode(told.frame, SLAB_REPLIES) if told.socket == "images" else None
            if isinstance(reply, m.SlabStored):
                stored.setdefault(reply.image_id, set()).update(range(reply.k_start, reply.k_start + reply.slices))
                self.cuts.counts["slabs acknowledged"] += 1
        for image_id, slices in stored.items():
            try:
                description = msgspec.json.decode((spool / f"{image_id}.json").read_bytes(), type=Description)
                opened = Spool(spool, description, reserve_bytes=0)
            except (OSError, msgspec.MsgspecError) as error:
                self.cuts.images_lost.append(f"{self.name}: {image_id}: {error}")
                continue
            gone = {k for a, b in opened.missing for k in range(a, b)} & slices
            shape = daily_grid(description.grid, source="").shape_kji
            there = np.fromfile(opened.path, "<i2", int(np.prod(shape))).reshape(shape)
            gone |= {k for k in slices if (there[k] != image_of(image_id).hu[k]).any()}
            opened.close()
            self.cuts.images_lost += [f"{self.name}: {image_id} slice {k}" for k in sorted(gone)]

    def events(self, journal: Path) -> None:
        """Every event and reply that was told stands in the journal as it was told, and events have no gap."""
        kept, replies, session, number = dict[tuple[str, int], bytes](), dict[str, bytes](), "", 0
        for row in read_rows(journal):
            assert row.payload is not None
            if row.kind == RUN:
                session, number = row.session, 0
            elif row.kind == EVENT:
                number += 1
                if msgspec.msgpack.decode(row.payload)["number"] != number:
                    self.cuts.events_lost.append(f"{self.name}: event {number} of {session} is not in the journal")
                kept[session, number] = row.payload
            elif row.kind == REPLY and row.request_id:
                replies[row.request_id] = row.payload
        for told in self.told:
            event = decode(told.frame, EVENTS) if told.socket == "events" else None
            if isinstance(event, m.Event):
                self.cuts.counts["events told"] += 1
                if kept.get((event.header.session, event.number)) != redact(told.frame):
                    self.cuts.events_lost.append(f"{self.name}: event {event.number} was told, and is not in the journal as it was")
        for reply, frame in zip(self.replies, self.frames, strict=True):
            assert isinstance(reply, m.Reply)
            if not isinstance(reply, m.SnapshotReply) and replies.get(reply.request_id) != frame:
                self.cuts.events_lost.append(f"{self.name}: {reply.wire_kind()} was told, and is not in the journal as it was")

    def again(self, folder: Path) -> None:
        """Another run of the engine: what was ever approved is claimed, and every proposal leaves once at most."""
        told = [r.release.proposal_id for r in self.replies if isinstance(r, m.ClaimReply) and r.release]
        events = [decode(o.frame, EVENTS) for o in self.told if o.socket == "events"]
        tokens = {e.proposal_id: e.token for e in events if isinstance(e, m.Approved)}
        self.cuts.events_lost += [f"{self.name}: the token of {p} is another now" for p, t in tokens.items() if Tokens(folder).of(p) != t]
        with engine_in(folder, NO_WORKER) as endpoints, Client(endpoints) as client:
            for proposal_id, token in tokens.items():
                try:
                    report(client)
                    released = client.claim(proposal_id, token=token, couch=COUCH).release
                except RefusedError:
                    continue
                if released and proposal_id in told:
                    self.cuts.released_twice.append(f"{self.name}: {proposal_id}")
                self.cuts.counts["claims after the cut"] += 1
                self.cuts.counts["of them released"] += released is not None
        rows = Counter(
            msgspec.msgpack.decode(r.payload)["proposal_id"] for r in read_rows(folder / FILE) if r.kind == RELEASE and r.payload
        )
        self.cuts.released_twice += [f"{self.name}: {p} {n} times in the journal" for p, n in rows.items() if n > 1]
        self.cuts.released_twice += [f"{self.name}: {p} is not in the journal" for p in told if p not in rows]
        self.cuts.counts["releases told"] += len(told)


def cut_everywhere(record: Sequence[object], folder: Path, *, seeds: Sequence[int | None], every: int = 1) -> Cuts:
    """At every sync point (of which every so many-th), with what was not synced dropped (None), or kept in parts by the seed."""
    cuts = Cuts()
    for at in sync_points(record)[::every]:
        for seed in seeds:
            cut(record, at, folder, seed=seed, cuts=cuts)
    return cuts


def cut(record: Sequence[object], at: int, folder: Path, *, seed: int | None, cuts: Cuts) -> None:
    """One power cut, and a look at what it left."""
    left = folder / f"{at}-{seed}"
    (left / "spool").mkdir(parents=True)
    leave_behind(record[:at], left, seed=None if seed is None else seed * 100_003 + at)
    Cut(record, at, cuts).check(left)
    shutil.rmtree(left)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="igrt-cuts-") as name:
        record = record_session(Path(name) / "engine")
        cuts = cut_everywhere(record, Path(name) / "cuts", seeds=[None, *range(given.seeds)])
    syncs = sum(isinstance(o, Sync | FolderSync) for o in record)
    lines = [f"{len(record)} entries in the record, {syncs} of them syncs", *(f"{k}: {n}" for k, n in sorted(cuts.counts.items()))]
    lines += [f"acknowledged images lost: {len(cuts.images_lost)}", f"events lost: {len(cuts.events_lost)}"]
    lines += [f"corrections released twice: {len(cuts.released_twice)}"]
    sys.stdout.write("\n".join([*lines, *cuts.images_lost, *cuts.events_lost, *cuts.released_twice]) + "\n")
    return 0 if cuts.clean else 1


if __name__ == "__main__":
    sys.exit(main())
