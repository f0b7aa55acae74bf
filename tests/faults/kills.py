"""Kill -9 of the engine at seeded instants of a session, again and again in one folder, and count what was lost.

`python -m tests.faults.kills --count 3000 --seed 1` prints the histogram of states killed in, and three counts that must be 0.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import zmq

from igrt.bus import messages as m
from igrt.bus.grids import wire_grid
from igrt.bus.topics import EVENTS, REPLIES, SLAB_REPLIES, decode
from igrt.engine.chain import Kept
from igrt.engine.journal import read_rows
from igrt.engine.journal_redaction import redact
from igrt.engine.journal_verify import verify
from igrt.engine.record import EVENT, FILE, RELEASE, RUN
from igrt.geometry.position import PatientPosition
from igrt.simulation.linac import UNITS
from tests.bus.chain_cases import COUCH, LOADED, ROOT
from tests.bus.conftest import make_volume
from tests.bus.raw import slab

ENGINE = """
import sys
from pathlib import Path
from igrt.engine.case import Limits
from igrt.engine.server import Settings, serve
folder, commands, images, events = sys.argv[1:]
settings = Settings(
    folder=Path(folder), commands_port=int(commands), images_port=int(images), events_port=int(events), heartbeat_s=0.2,
    worker_command=(sys.executable, "-m", "tests.bus.chain_worker"), limits=Limits(reserve_bytes=0, disk_low_bytes=0),
)
serve(settings, on_ready=lambda endpoints: print("ready", flush=True))
"""
STEPS = ("load_plan", "begin_image", "slab", "end_image", "answer", "approve", "claim", "start", "during", "after", "beam_on", "beam_off")
LATEST_S = (0.001, 0.004, 0.03)
WAIT_S = 60.0
AGAIN_S = 0.05
SLICES = 5


@dataclass
class Tally:
    """What a run of many kills came to."""

    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    images_lost: list[str] = field(default_factory=list)
    events_lost: list[str] = field(default_factory=list)
    released_twice: list[str] = field(default_factory=list)
    released: int = 0
    acknowledged_slabs: int = 0
    answered_images: int = 0
    events: int = 0

    def words(self) -> str:
        """For a person."""
        states = "\n".join(f"  {state:<14}{count}" for state, count in sorted(self.states.items()))
        return (
            f"killed {self.kills} times, in the states\n{states}\n"
            f"acknowledged slabs {self.acknowledged_slabs}, answered images {self.answered_images}, images lost: {len(self.images_lost)}\n"
            f"events heard {self.events}, lost: {len(self.events_lost)}\n"
            f"corrections released {self.released}, released twice: {len(self.released_twice)}"
        )


class EndedError(Exception):
    """The session cannot go on from here; another begins."""


class Room:
    """One engine, killed and started again on the same ports in the same folder, and the other side of its sockets."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng, self.tally = folder / "engine", random.Random(seed), Tally()
        self.plan = folder / "plan.json"
        self.plan.write_text('{"patient_id": "P1"}')
        self.ports = _free_ports(3)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.commands, self.images = (self._socket(zmq.DEALER, port) for port in self.ports[:2])
        self.heard: dict[tuple[str, int], bytes] = {}
        self.releases: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.kill_at: str | None = None
        self.killer: threading.Thread | None = None
        self.ended = threading.Event()
        self.follower = threading.Thread(target=self._follow)
        self.follower.start()
        self.start()

    def _socket(self, kind: int, port: int) -> zmq.Socket[bytes]:
        made = self.context.socket(kind)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.RECONNECT_IVL, 10)
        made.connect(f"tcp://127.0.0.1:{port}")
        return made

    def start(self) -> None:
        """Another run of the engine."""
        command = [sys.executable, "-c", ENGINE, str(self.folder), *map(str, self.ports)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "the engine did not start again"
        self.session = self.patient = self.plan_fingerprint = None

    def close(self) -> None:
        """End everything."""
        self.ended.set()
        self.follower.join()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.context.destroy(linger=0)

    # ---------------------------------------------------------------------------------------------- kills

    def reached(self, step: str) -> None:
        """A request of this step has been sent: where it is the chosen one, the engine dies within the next 30 ms."""
        if step == self.kill_at:
            self.kill_at, delay_s = None, self.rng.uniform(0.0, self.rng.choice(LATEST_S))

            def kill() -> None:
                time.sleep(delay_s)
                self.process.send_signal(signal.SIGKILL)

            self.killer = threading.Thread(target=kill)
            self.killer.start()

    def revive(self) -> bool:
        """Start the engine again where it has died; whether it had."""
        if self.process.poll() is None:
            return False
        if self.killer:
            self.killer.join()
            self.killer = None
        assert self.process.returncode == -signal.SIGKILL, "the engine ended by itself"
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.tally.kills += 1
        self.tally.states[self.last_state()] += 1
        self.start()
        return True

    def last_state(self) -> str:
        """The state that stands in the journal."""
        query = "SELECT payload FROM journal JOIN payloads USING (number) WHERE kind = 'state' ORDER BY number DESC LIMIT 1"
        with closing(sqlite3.connect(self.folder / FILE)) as base:
            found = base.execute(query).fetchone()
        return msgspec.msgpack.decode(found[0], type=Kept).state if found else "idle"

    # ------------------------------------------------------------------------------------------- requests

    def header(self) -> m.Header:
        return m.new_header(session=self.session or "", patient_id=self.patient, plan_fingerprint=self.plan_fingerprint)

    def ask(self, make: Callable[[], m.Message], step: str = "") -> m.Reply:
        """Send until the reply comes, over any number of deaths; made anew where the engine that it speaks of is gone."""
        request = make()
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            self.commands.send(m.encode(request))
            self.reached(step)
            again_s = time.monotonic() + AGAIN_S
            while self.commands.poll(max(1, int((again_s - time.monotonic()) * 1000))):
                reply = decode(self.commands.recv(), REPLIES)
                assert isinstance(reply, m.Reply)
                if reply.request_id != request.header.message_id:
                    continue
                if isinstance(reply, m.Error) and reply.code == "wrong_session":
                    self.look()
                    request = make()
                    break
                return reply
            self.revive()
        raise AssertionError(f"no reply to {request.wire_kind()} in {WAIT_S} s")

    def get(self, make: Callable[[], m.Message], step: str = "") -> m.Reply:
        """As `ask`; a refusal ends the session."""
        reply = self.ask(make, step)
        if isinstance(reply, m.Error):
            raise EndedError(f"{reply.code}: {reply.sentence}")
        return reply

    def look(self) -> m.SnapshotReply:
        """The snapshot, and the header's fields from it."""
        reply = self.ask(lambda: m.Snapshot(header=m.new_header()))
        assert isinstance(reply, m.SnapshotReply)
        h = reply.header
        self.session, self.patient, self.plan_fingerprint = h.session, h.patient_id, h.plan_fingerprint
        return reply

    # -------------------------------------------------------------------------------------------- session

    def play(self, number: int) -> None:
        """One session, killed at a step of the seed's choice; what is refused because of that ends it early."""
        self.kill_at = self.rng.choice(STEPS)
        with suppress(EndedError):
            self._session(f"scan-{number}")
        if self.killer:
            self.killer.join()
            self.killer = None
            self.process.wait(WAIT_S)
        self.revive()

    def _session(self, image_id: str) -> None:
        self.get(lambda: m.LoadPlan(header=m.new_header(), path=str(self.plan), fraction=4), "load_plan")
        self.look()
        self._image(image_id)
        proposal = self._answer(image_id)
        self.get(lambda: m.Approve(header=self.header(), proposal_id=proposal.proposal_id, by="Test", simulated=True), "approve")
        release = self._claim(proposal.proposal_id)
        for phase, couch in (("start", COUCH), ("during", COUCH), ("after", release.target)):
            self.get(
                lambda phase=phase, couch=couch: m.ReportCouch(
                    header=self.header(), proposal_id=proposal.proposal_id, phase=phase, couch=couch
                ),
                phase,
            )
        self._claim_again(proposal.proposal_id)
        for step, beam_on in (("beam_on", True), ("beam_off", False)):
            self.get(lambda beam_on=beam_on: self._report(beam_on=beam_on), step)

    def _image(self, image_id: str) -> None:
        volume = make_volume(seed=self.rng.randrange(1 << 30))
        acknowledged: set[int] = set()

        def begin() -> m.Message:
            return m.BeginImage(
                header=self.header(), image_id=image_id, grid=wire_grid(volume.grid), position=PatientPosition.HFS, couch=COUCH
            )

        end_s = time.monotonic() + WAIT_S
        while len(acknowledged) < len(volume.hu):
            assert time.monotonic() < end_s, "the image did not get through"
            reply = self.get(begin, "begin_image")
            assert isinstance(reply, m.BeginImageReply)
            asked_again = {k for a, b in reply.missing for k in range(a, b)} & acknowledged
            self.tally.images_lost += [f"{image_id} slice {k}" for k in asked_again]
            if not reply.missing:  # the rest is on disk, and its acknowledgement died with the engine
                break
            self._send(image_id, volume.hu, reply.missing, acknowledged)
        self.tally.acknowledged_slabs += len(acknowledged) // SLICES
        ended = self.get(lambda: m.EndImage(header=self.header(), image_id=image_id, couch=COUCH), "end_image")
        assert isinstance(ended, m.EndImageReply)
        stored = np.fromfile(self.folder / "spool" / f"{image_id}.hu", "<i2", volume.hu.size).reshape(volume.hu.shape)
        self.tally.images_lost += [f"{image_id} slice {k}" for k in range(len(stored)) if (stored[k] != volume.hu[k]).any()]

    def _send(self, image_id: str, hu: np.ndarray, missing: list[tuple[int, int]], acknowledged: set[int]) -> None:
        """Send what is missing until the engine dies or all of it is acknowledged."""
        for first, end in missing:
            for k in range(first, end, SLICES):
                block = hu[k : min(k + SLICES, end)]
                self.images.send_multipart(slab(image_id, k, block.tobytes(), len(block)))
                self.reached("slab")
                while self.images.poll(int(AGAIN_S * 1000)):
                    reply = decode(self.images.recv(), SLAB_REPLIES)
                    if isinstance(reply, m.SlabStored) and reply.image_id == image_id:
                        acknowledged.update(range(reply.k_start, reply.k_start + reply.slices))
                        if reply.k_start == k:
                            break
                if self.revive():
                    return

    def _answer(self, image_id: str) -> m.Proposal:
        """The answer of an image that was whole: it must come, whatever dies."""
        end_s = time.monotonic() + WAIT_S
        self.reached("answer")
        while time.monotonic() < end_s:
            result = self.look().result
            if isinstance(result, m.Proposal) and result.image_id == image_id:
                self.tally.answered_images += 1
                return result
            assert not isinstance(result, m.ImageFailed), result
            time.sleep(0.005)
        self.tally.images_lost.append(f"{image_id} was never answered")
        raise EndedError("no answer")

    def _report(self, *, beam_on: bool) -> m.Message:
        return m.ReportMachine(header=self.header(), loaded=LOADED, beam_on=beam_on, simulated=True, units=UNITS)

    def _claim(self, proposal_id: str) -> m.Release:
        standing = self.look().standing
        assert standing.approved is not None, "the approval was lost"
        self.tokens[proposal_id] = standing.approved.token
        reply = self._claim_once(proposal_id, "claim")
        if reply.release is None:
            # The reply may be to a claim that was made anew after the first one released and its reply was lost with the engine.
            raise EndedError("denied: " + " ".join(d.rule for d in reply.denials))
        return reply.release

    def _claim_once(self, proposal_id: str, step: str = "") -> m.ClaimReply:
        token = self.tokens[proposal_id]
        self.get(lambda: self._report(beam_on=False))
        reply = self.get(lambda: m.Claim(header=self.header(), proposal_id=proposal_id, token=token, couch=COUCH), step)
        assert isinstance(reply, m.ClaimReply)
        if reply.release is not None and self.releases.setdefault(proposal_id, reply.request_id) != reply.request_id:
            self.tally.released_twice.append(proposal_id)
        return reply

    def _claim_again(self, proposal_id: str) -> None:
        """With the right token, after everything: never again."""
        if self._claim_once(proposal_id).release is not None:
            self.tally.released_twice.append(proposal_id)

    # --------------------------------------------------------------------------------------------- events

    def _follow(self) -> None:
        with self.context.socket(zmq.SUB) as events:
            events.setsockopt(zmq.LINGER, 0)
            events.setsockopt(zmq.RECONNECT_IVL, 10)
            events.subscribe(b"")
            events.connect(f"tcp://127.0.0.1:{self.ports[2]}")
            while not self.ended.is_set():
                if events.poll(50):
                    event = decode(events.recv(), EVENTS)
                    if isinstance(event, m.Event):
                        self.heard[event.header.session, event.number] = redact(m.encode(event))

    def account(self) -> Tally:
        """Compare what was heard with the journal, and count its releases."""
        found = verify(self.folder / FILE)
        assert found.holds, found.sentence
        kept: dict[tuple[str, int], bytes] = {}
        session, expected, released = "", 0, Counter[str]()
        for row in read_rows(self.folder / FILE):
            assert row.payload is not None
            if row.kind == RUN:
                session, expected = row.session, 0
            elif row.kind == EVENT:
                number = int(msgspec.msgpack.decode(row.payload)["number"])
                expected += 1
                if number != expected:
                    self.tally.events_lost.append(f"{session} {expected}: the journal goes on with {number}")
                    expected = number
                kept[session, expected] = row.payload
            elif row.kind == RELEASE:
                released[msgspec.msgpack.decode(row.payload)["proposal_id"]] += 1
        for place, frame in self.heard.items():
            if kept.get(place) != frame:
                self.tally.events_lost.append(f"{place}: heard, and not in the journal as it was")
        self.tally.events = len(self.heard)
        self.tally.released = len(released)
        self.tally.released_twice += [proposal for proposal, count in released.items() if count > 1]
        self.tally.released_twice += [f"{proposal}: not in the journal" for proposal in self.releases if proposal not in released]
        return self.tally


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses now; the same for every run, so that clients find the engine again."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run(folder: Path, *, count: int, seed: int) -> Tally:
    """Sessions until the engine was killed `count` times."""
    room = Room(folder, seed)
    try:
        number = 0
        while room.tally.kills < count:
            number += 1
            room.play(number)
        return room.account()
    finally:
        room.close()


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="igrt-kills-") as folder:
        tally = run(Path(folder), count=given.count, seed=given.seed)
    sys.stdout.write(tally.words() + "\n")
    sys.exit(bool(tally.images_lost or tally.events_lost or tally.released_twice))


if __name__ == "__main__":
    main()
