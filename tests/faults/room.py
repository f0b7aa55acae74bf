"""An engine with its worker, the client that walks through its sessions, and two followers: real processes, to be killed."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from igrt.engine.case import Limits
from igrt.engine.chain import Kept
from igrt.engine.journal_schema import open_to_read
from igrt.engine.record import FILE
from igrt.engine.server import Settings, serve
from igrt.engine.states import State
from tests.faults import proxy
from tests.faults.account import Account, Tally
from tests.faults.edges import STATES
from tests.faults.follow import believed, follow_as_client, follow_raw
from tests.faults.pipe import Heard, teller
from tests.faults.scenarios import Scenario
from tests.faults.walk import Door, Walker

WAIT_S = 60.0
LONG_S = 300.0
QUIET_S = 1.0
HEARTBEAT_S = 0.1
_PR_SET_PDEATHSIG = 1
_AT_REST = """SELECT max(number), sum(kind = 'request') - sum(kind = 'reply') FROM journal
              WHERE number >= (SELECT max(number) FROM journal WHERE kind = 'run')"""
"""The last row, and how many requests of this run are still being carried out."""


def forked(work: Callable[[], None]) -> int:
    """The id of a process that does `work`, and ends with this one at the latest."""
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        work()
    except BaseException:  # noqa: BLE001 - a forked process must not go on with its parent's work
        traceback.print_exc()
    finally:
        os._exit(1)


def free_ports() -> tuple[int, int, int]:
    """Ports that nobody uses now; the same for every run, so that clients find the engine again."""
    sockets = [socket.socket() for _ in range(3)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    a, b, c = (int(one.getsockname()[1]) for one in sockets)
    for one in sockets:
        one.close()
    return a, b, c


class Room:
    """In `folder`; with `network` the clients and followers reach the engine through a proxy that can be told to spoil it."""

    def __init__(self, folder: Path, rng: random.Random, scenario: Scenario, *, network: bool = False) -> None:
        self.folder, self.rng, self.tally = folder / "engine", rng, Tally()
        self.scenario = scenario
        self.ports = free_ports()
        self.door = Door(free_ports() if network else self.ports, scenario)
        self.account, self.heard = Account(self.folder, self.tally, scenario), Heard()
        self.wanted = mmap.mmap(-1, 1)
        self.read_end, self.write_end = os.pipe()
        self.lifetime_s = LONG_S
        self.engine, self.client = self.start_engine(), 0
        self.proxy, self.control = self.start_proxy() if network else (0, 0)
        self.followers = [
            forked(lambda: follow_raw(self.door.ports[2], folder / "heard")),
            forked(lambda: follow_as_client(self.door.ports, folder / "believed")),
        ]
        self.start_client()

    # ------------------------------------------------------------------------------------------ processes

    def start_engine(self) -> int:
        """Another run of the engine, on the same ports, in the same folder."""
        ready_end, tell_end = os.pipe()
        settings = Settings(
            folder=self.folder,
            commands_port=self.ports[0],
            images_port=self.ports[1],
            events_port=self.ports[2],
            heartbeat_s=HEARTBEAT_S,
            worker_command=self.scenario.worker,
            limits=Limits(reserve_bytes=0, disk_low_bytes=0, lifetime_s=self.lifetime_s),
        )

        def work() -> None:
            log = os.open(self.folder.parent / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 2)
            serve(settings, on_ready=lambda _: os.write(tell_end, b"r") and None)
            os._exit(0)

        pid = forked(work)
        os.close(tell_end)
        heard = select.select([ready_end], [], [], WAIT_S)[0] and os.read(ready_end, 1)
        os.close(ready_end)
        assert heard, f"the engine did not start: {(self.folder.parent / 'log').read_text()}"
        return pid

    def start_proxy(self) -> tuple[int, int]:
        """Its process, and the pipe on which it is told what to do."""
        (control_end, tell_end), (ready_end, say_end) = os.pipe(), os.pipe()
        pairs, rng = list(zip(self.door.ports, self.ports, strict=True)), random.Random(self.rng.randrange(1 << 40))
        pid = forked(lambda: proxy.run(pairs, control_end, rng, lambda: os.write(say_end, b"r") and None))
        assert select.select([ready_end], [], [], WAIT_S)[0], "the proxy did not start"
        for end in (control_end, ready_end, say_end):
            os.close(end)
        return pid, tell_end

    def start_client(self) -> None:
        """Another client, which knows what the one before had told."""
        seed, unanswered, tokens = self.rng.randrange(1 << 40), self.account.unanswered, dict(self.account.tokens)

        def work() -> None:
            tell = teller(self.write_end)
            Walker(self.door, random.Random(seed), tell=tell, wanted=lambda: STATES[self.wanted[0]], tokens=tokens).walk(unanswered)

        self.client = forked(work)

    def worker(self) -> int:
        """The worker's id; waits for one that is being started."""
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            with suppress(IndexError, OSError):
                return int(Path(f"/proc/{self.engine}/task/{self.engine}/children").read_text().split()[0])
            time.sleep(0.001)
        raise AssertionError("there is no worker")

    def last_state(self) -> State:
        """The state that stands in the journal."""
        query = "SELECT payload FROM journal JOIN payloads USING (number) WHERE kind = 'state' ORDER BY number DESC LIMIT 1"
        with closing(open_to_read(self.folder / FILE)) as base:  # never to write: closing would mend what a kill has left
            found = base.execute(query).fetchone()
        return State(msgspec.msgpack.decode(found[0], type=Kept).state) if found else State.IDLE

    # ---------------------------------------------------------------------------------------------- kills

    def kill(self, process: str) -> None:
        """SIGKILL, and another in its place, or a fault of the network; counted with the state that stood in the journal then."""
        if process in proxy.FAULTS:
            os.write(self.control, bytes([proxy.FAULTS.index(process)]))
            state = self.last_state()
        elif process == "worker":
            os.kill(self.worker(), signal.SIGKILL)
            state = self.last_state()
        else:
            pid = self.engine if process == "engine" else self.client
            os.kill(pid, signal.SIGKILL)
            state = self.last_state()
            _, status = os.waitpid(pid, 0)
            assert os.WIFSIGNALED(status), f"the {process} had ended by itself"
            if process == "engine":
                self.engine = self.start_engine()
            else:
                self.listen()
                self.heard = Heard()
                self.start_client()
        self.tally.killed[f"{process} {state.value}"] += 1

    def listen(self, timeout_s: float = 0.0) -> list[str]:
        """Take in what the client has told; the states that it was at."""
        at = []
        while select.select([self.read_end], [], [], timeout_s)[0]:
            for kind, what in self.heard.take(os.read(self.read_end, 1 << 16)):
                if kind == "at":
                    at.append(what)
                else:
                    self.account.hear(kind, what)
            timeout_s = 0.0
        return at

    def go_to(self, state: State) -> None:
        """Until the client says that it is there."""
        self.live(self.scenario.short_s if state is State.EXPIRED else LONG_S)
        self.listen()
        self.wanted[0] = STATES.index(state)
        end_s, seen = time.monotonic() + WAIT_S + self.scenario.answer_s, []
        while state.value not in (at := self.listen(0.5)):
            seen += at
            assert time.monotonic() < end_s, f"{state} was not reached in time; at {seen[-20:]}, {self.last_state()} in the journal"
            ended, status = os.waitpid(self.client, os.WNOHANG)
            assert not ended, f"the client ended by itself, {status}"

    def live(self, lifetime_s: float) -> None:
        """Have images live as long; the engine is started anew where they do not."""
        if lifetime_s != self.lifetime_s:
            self.lifetime_s = lifetime_s
            self.stop_engine()
            self.engine = self.start_engine()

    def settle(self) -> None:
        """Until nothing is written any more (what a dead client had asked for is still carried out), and the followers know all of it."""
        end_s = time.monotonic() + WAIT_S
        quiet_since_s, last = time.monotonic(), -1
        while time.monotonic() - quiet_since_s < QUIET_S or self.last_state() is State.REGISTERING or not self.followed():
            assert time.monotonic() < end_s, "the engine, or a follower, does not come to rest"
            with closing(open_to_read(self.folder / FILE)) as base:
                number, waiting = base.execute(_AT_REST).fetchone()
            if number != last or waiting:
                quiet_since_s, last = time.monotonic(), number
            time.sleep(0.02)

    def followed(self) -> bool:
        """Whether the follower that recovers believes what the journal says."""
        lines = believed(self.folder.parent / "believed")
        return bool(lines) and lines[-1]["state"] == self.last_state().value

    def stop_engine(self) -> None:
        """Gracefully."""
        os.kill(self.engine, signal.SIGTERM)
        _, status = os.waitpid(self.engine, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            self.tally.other.append(f"the engine ended with {os.waitstatus_to_exitcode(status)} when it was asked to stop")

    def close(self) -> Tally:
        """Let what is under way end, stop all, and compare."""
        self.go_to(State.READY)
        _end(self.client)
        self.listen()
        self.settle()
        for follower in (*self.followers, *([self.proxy] if self.proxy else [])):
            _end(follower)
        self.stop_engine()
        log = (self.folder.parent / "log").read_text()
        if "defect" in log or "Traceback" in log:  # that its worker died it may say
            self.tally.other.append(f"the engine's log: {log}")
        for end in (self.read_end, self.write_end, *([self.control] if self.control else [])):
            os.close(end)
        return self.account.close()


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
