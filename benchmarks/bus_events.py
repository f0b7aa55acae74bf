"""How long an event is on its way, to how many followers, and what one that reads nothing costs the others and the engine.

    python benchmarks/bus_events.py [--events 600] [--per-s 20] [--flood 20000]

An event is the linac's report, told at a steady pace; its latency runs from the moment at which the engine makes it (before it is
written to the journal and synced) to the moment at which a follower has it. All followers but the stalled one are sockets of one
process, which takes them one after another. The stalled one is a process that is stopped (SIGSTOP) once it is subscribed. With
--flood, so many events as fast as they go follow, and the engine's memory is written down on the way.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import zmq
from scatter import Point, svg

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.sockets import Endpoints, subscriber
from igrt.bus.topics import EVENTS, decode
from igrt.bus.wire import monotonic_s

UNITS = m.StatedUnits(length="mm", angle="deg", couch_scale="iec61217")
SERVE = """
import sys
from pathlib import Path
from igrt.engine.server import Settings, serve
serve(Settings(folder=Path(sys.argv[1]), worker_command=(sys.executable, "-c", "import time; time.sleep(36000)")),
      on_ready=lambda endpoints: print("ready", flush=True))
"""
WAIT_MS = 10_000
IN_FLIGHT = 50


@contextmanager
def engine_without_worker() -> Iterator[tuple[Endpoints, int]]:
    """Its addresses and process id."""
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen([sys.executable, "-c", SERVE, folder], stdout=subprocess.PIPE) as engine:
        try:
            assert engine.stdout is not None
            if engine.stdout.readline() != b"ready\n":
                raise SystemExit("the engine did not start; its own words are above")
            yield Endpoints.read(Path(folder)), engine.pid
        finally:
            engine.terminate()


@contextmanager
def followers(address: str, count: int, events: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `count` subscribers; at its end it prints a latency (ms) for each event of each."""
    command = [sys.executable, __file__, "--follow", address, "--followers", str(count), "--events", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"subscribed\n":
            raise SystemExit("the followers did not subscribe")
        yield process


def follow(address: str, count: int, events: int) -> None:
    """The process of the followers."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets = [subscriber(context, address) for _ in range(count)]
    poller = zmq.Poller()
    for socket in sockets:
        if not socket.poll(WAIT_MS):
            raise SystemExit("no welcome")
        socket.recv()
        poller.register(socket, zmq.POLLIN)
    print("subscribed", flush=True)
    latencies_ms: list[float] = []
    while len(latencies_ms) < events * count:
        found = poller.poll(WAIT_MS)
        if not found:
            break
        for socket, _ in found:
            frame = socket.recv()
            heard_s = monotonic_s()
            message = decode(frame, EVENTS)
            if isinstance(message, m.MachineReported):
                latencies_ms.append((heard_s - message.header.monotonic_s) * 1000)
    sys.stdout.buffer.write(msgspec.json.encode(latencies_ms))
    sys.stdout.flush()
    context.destroy(linger=0)


def latency(endpoints: Endpoints, *, count: int, stalled: bool, events: int, per_s: float) -> list[float]:
    """Latencies of every event at every follower that reads, ms."""
    reading = count - stalled
    with followers(endpoints.events, reading, events) as process, stalled_follower(endpoints, stalled):
        with Client(endpoints) as client:
            began_s = time.monotonic()
            for n in range(events):
                time.sleep(max(0.0, began_s + n / per_s - time.monotonic()))
                client.report_machine(None, beam_on=False, simulated=True, units=UNITS)
        assert process.stdout is not None
        found = msgspec.json.decode(process.stdout.read(), type=list[float])
    if len(found) != events * reading:
        raise SystemExit(f"{events * reading - len(found)} events did not come")
    return found


@contextmanager
def stalled_follower(endpoints: Endpoints, wanted: bool) -> Iterator[None]:
    """One that is subscribed and reads nothing, where wanted."""
    if not wanted:
        yield
        return
    with followers(endpoints.events, 1, 1 << 40) as process:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            process.kill()


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def flood(endpoints: Endpoints, pid: int, *, events: int, stalled: bool) -> list[tuple[int, float]]:
    """The engine's memory (MB) after so many events, a few requests always under way."""
    series = [(0, rss_mb(pid))]
    with stalled_follower(endpoints, stalled), zmq.Context() as context, context.socket(zmq.DEALER) as commands:
        commands.setsockopt(zmq.LINGER, 0)
        commands.connect(endpoints.commands)
        sent = answered = 0
        while answered < events:
            while sent < events and sent - answered < IN_FLIGHT:
                request = m.ReportMachine(header=m.new_header(), loaded=None, beam_on=False, simulated=True, units=UNITS)
                commands.send(m.encode(request))
                sent += 1
            if not commands.poll(WAIT_MS):
                raise SystemExit("the engine does not answer")
            commands.recv()
            answered += 1
            if answered % max(1, events // 10) == 0:
                series.append((answered, rss_mb(pid)))
    return series


def measure(options: argparse.Namespace) -> None:
    """The table, a line a case."""
    print("| followers | of them stalled | events | p50 ms | p99 ms | worst ms |\n| --- | --- | --- | --- | --- | --- |")
    points: list[Point] = []
    for count, stalled in ((1, False), (10, False), (50, False), (10, True), (50, True)):
        with engine_without_worker() as (endpoints, _):
            found = latency(endpoints, count=count, stalled=stalled, events=options.events, per_s=options.per_s)
        p50, p99 = np.percentile(found, (50, 99))
        suffix = ", one stalled" if stalled else ""
        points += [(f"p50{suffix}", count, float(p50)), (f"p99{suffix}", count, float(p99))]
        print(f"| {count} | {int(stalled)} | {options.events} | {p50:.1f} | {p99:.1f} | {max(found):.1f} |", flush=True)
    if options.plot:
        options.plot.write_text(svg(points, ("followers", "latency of an event, ms")), encoding="utf-8")
    for stalled in (False, True):
        with engine_without_worker() as (endpoints, pid):
            began_s = time.monotonic()
            series = flood(endpoints, pid, events=options.flood, stalled=stalled)
            rate = options.flood / (time.monotonic() - began_s)
        words = ", ".join(f"{n}: {mb:.0f}" for n, mb in series)
        print(
            f"{options.flood} events at {rate:.0f}/s, {'one stalled follower' if stalled else 'nobody stalled'}: engine MB {words}",
            flush=True,
        )
        slope = statistics.linear_regression([n for n, _ in series[5:]], [mb for _, mb in series[5:]]).slope
        print(f"  slope over the second half: {slope * 1000:.2f} MB in 1000 events", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=600)
    parser.add_argument("--per-s", type=float, default=20.0)
    parser.add_argument("--flood", type=int, default=20_000)
    parser.add_argument("--plot", type=Path, default=None, help="an SVG file")
    parser.add_argument("--follow", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--followers", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.follow:
        follow(options.follow, options.followers, options.events)
    else:
        measure(options)


if __name__ == "__main__":
    main()
