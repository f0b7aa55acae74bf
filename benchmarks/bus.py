"""From the image's last byte to the proposal on the bus, and how fast images are taken in.

    python benchmarks/bus.py TRUTH.json... [--runs 50] [--slices-per-s 60] [--kill-worker]

A TRUTH file stands beside its images and names them (`plan`, `daily`, both isocentres, `patient_position`); by default those
of $IGRT_DATA (head and chest). The engine is a process of its own, as `igrt serve` starts it, in a folder that is removed
afterwards. Throughput is of an image sent as fast as it goes, to the last acknowledgement: written, synced, checked. With
--kill-worker the worker is killed (SIGKILL) in each run as soon as it says that it registers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.geometry.position import PatientPosition
from igrt.images.load import load_daily
from igrt.images.records import Daily
from igrt.simulation.imager import Pace, send_daily

WAIT_S = 120.0
SERVE = """
import sys
from pathlib import Path
from igrt.engine.server import Settings, serve
folder = Path(sys.argv[1])
serve(Settings(folder=folder / "engine", site=folder), on_ready=lambda endpoints: print("ready", flush=True))
"""


@contextmanager
def running_engine() -> Iterator[tuple[Path, int]]:
    """An engine's folder and process id."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", SERVE, name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
            try:
                assert engine.stdout is not None
                if engine.stdout.readline() != "ready\n":
                    raise SystemExit("the engine did not start; its own words are above")
                yield Path(name) / "engine", engine.pid
            finally:
                engine.terminate()


def worker_of(engine_pid: int) -> int:
    """The engine's only child."""
    return int(Path(f"/proc/{engine_pid}/task/{engine_pid}/children").read_text().split()[0])


def one_run(client: Client, daily: Daily, pace: Pace, *, kill_worker_of: int | None) -> tuple[float, list[str]]:
    """Seconds from last byte received to answer published, and the alerts on the way."""
    image_id = send_daily(client, daily, pace=pace)
    alerts = []
    for event in client.events(timeout_s=WAIT_S):
        if isinstance(event, m.Progress) and event.stage == "register" and kill_worker_of:
            os.kill(worker_of(kill_worker_of), signal.SIGKILL)
            kill_worker_of = None
        if isinstance(event, m.Alert):
            alerts.append(event.alert.sentence)
        if isinstance(event, m.Proposal | m.Refusal) and event.image_id == image_id:
            return event.published_monotonic_s - event.last_byte_received_monotonic_s, alerts
    raise SystemExit("no answer came")


def throughput_mb_s(client: Client, daily: Daily) -> float:
    """Of one image sent as fast as it goes, to the last acknowledgement."""
    began_s = time.perf_counter()
    image_id = send_daily(client, daily)
    seconds = time.perf_counter() - began_s
    client.wait_for_answer(image_id, timeout_s=WAIT_S)
    return daily.volume.hu.nbytes / 1e6 / seconds


def bench(truth_file: Path, options: argparse.Namespace) -> None:
    """Print one pair's figures."""
    truth = json.loads(truth_file.read_text())
    folder, position = truth_file.parent, PatientPosition(truth["patient_position"])
    daily = load_daily(folder / truth["daily"], isocentre_mm=truth["daily_isocentre_lps_mm"], position=position)
    pace = Pace(slab_slices=options.slab_slices, slices_per_s=options.slices_per_s)
    with running_engine() as (engine_folder, pid), Client(engine_folder) as client:
        plan = client.load_plan(folder / truth["plan"], isocentre_mm=truth["plan_isocentre_lps_mm"], position=position)
        rates, waits_s, alerts = [], [], []
        for _ in range(3):
            rates.append(throughput_mb_s(client, daily))
            remove_images(engine_folder)
        for _ in range(options.runs):
            wait_s, heard = one_run(client, daily, pace, kill_worker_of=pid if options.kill_worker else None)
            waits_s.append(wait_s)
            alerts += heard
            remove_images(engine_folder)
    median, p99, worst = (float(np.percentile(waits_s, q)) for q in (50, 99, 100))
    shape = "x".join(str(n) for n in daily.volume.grid.shape_kji[::-1])
    print(
        f"{truth['case']:<10}{shape:<14} plan {plan.prepare_s:.1f} s   taken in {np.median(rates):.0f} MB/s   last byte to answer, "
        f"{options.runs} runs: median {median:.2f} s, p99 {p99:.2f} s, worst {worst:.2f} s"
    )
    for sentence in sorted(set(alerts)):
        print(f"  {alerts.count(sentence)} x {sentence}")


def remove_images(engine_folder: Path) -> None:
    """So that a long run does not fill the disk."""
    for file in (engine_folder / "spool").iterdir():
        file.unlink()


def main() -> None:
    """Measure each pair that is named."""
    data = Path(os.environ.get("IGRT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, nargs="*", default=[data / "head/head_a_truth.json", data / "chest/chest_a_truth.json"])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--slab-slices", type=int, default=8)
    parser.add_argument("--slices-per-s", type=float, default=60.0)
    parser.add_argument("--kill-worker", action="store_true")
    options = parser.parse_args()
    there = [file for file in options.truth if file.is_file()]
    if not there:
        raise SystemExit(f"no images to measure with: {options.truth[0]} is not there; set IGRT_DATA, or name truth files")
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}; images sent at {options.slices_per_s:g} slices/s")
    for file in there:
        bench(file, options)


if __name__ == "__main__":
    main()
