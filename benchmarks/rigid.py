"""Rigid match on every pair with a known pose, and beside it other programs on the same images in the same run: errors and seconds.

    python benchmarks/rigid.py [--device NAME] [--peers PYTHON] [--repeats N] [--peer-repeats N] [--threads N] [--plot FILE.svg]
        [--pairs CASE ...] [--results FILE.jsonl]

PYTHON is that of an environment with the peers (peers.txt); without it igrt is measured alone. Seconds are median (least to most);
`plan` is done at plan load, `daily` mostly while slabs arrive, `match` runs both starts and the evidence; `match alone` is one start
without evidence, which is what any other program gives. Peers are timed with the images in memory, from the nominal start, as igrt is.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import scatter
import SimpleITK
import truth
from peers import PEERS

from igrt.compute import device
from igrt.compute.cpu import CpuVerbs
from igrt.compute.volume import Volume
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Evidence
from igrt.registration.preparation import PreparedDaily, PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.rigid import match_alone, match_rigid

T = TypeVar("T")
LIMIT_S = 1200


class Result(NamedTuple):
    """One program on one pair."""

    case: str
    method: str
    mean_mm: float
    max_mm: float
    seconds: list[float]
    processor_seconds: list[float]

    @property
    def median_s(self) -> float:
        """The middle of the repeats."""
        return statistics.median(self.seconds)

    @property
    def processor_s(self) -> float:
        """The middle of the repeats, on the processor."""
        return statistics.median(self.processor_seconds)


class Took(NamedTuple):
    """What repeats took: by the clock, and on the processor with all threads, which waits for nobody."""

    seconds: list[float]
    processor_seconds: list[float]

    def and_then(self, other: "Took") -> "Took":
        """One after the other."""
        return Took(*([a + b for a, b in zip(first, second, strict=True)] for first, second in zip(self, other, strict=True)))


def timed(work: Callable[[], T], repeats: int) -> tuple[T, Took]:
    """What `work` gives, and what each repeat took."""
    took = Took([], [])
    for _ in range(repeats):
        begin, worked = time.perf_counter(), time.process_time()
        result = work()
        took.seconds.append(time.perf_counter() - begin)
        took.processor_seconds.append(time.process_time() - worked)
    return result, took


def ours(pair: truth.Truth, ct: Volume, image: Volume, verbs: device.Verbs, repeats: int) -> tuple[list[Result], Evidence, float]:
    """The match, alone and with the daily image's preparation; the evidence; seconds of the plan's preparation."""
    plan, plan_took = timed(lambda: prepare_plan(ct, verbs), repeats)
    daily, daily_took = timed(lambda: prepare_daily(image, verbs), repeats)
    rows, evidence = matches(pair, plan, daily, verbs, repeats)
    both = daily_took.and_then(Took(rows[0].seconds, rows[0].processor_seconds))
    rows.append(rows[0]._replace(method="igrt, daily and match", seconds=both.seconds, processor_seconds=both.processor_seconds))
    return rows, evidence, statistics.median(plan_took.seconds)


def matches(
    pair: truth.Truth, plan: PreparedPlan, daily: PreparedDaily, verbs: device.Verbs, repeats: int
) -> tuple[list[Result], Evidence]:
    """The match with its evidence, and one start alone."""
    start, isocentre_mm = pair.start, pair.isocentre_mm
    match, match_took = timed(lambda: match_rigid(plan, daily, start=start, isocentre_mm=isocentre_mm, verbs=verbs), repeats)
    alone, alone_took = timed(lambda: match_alone(plan, daily, start=start, isocentre_mm=isocentre_mm, verbs=verbs), repeats)
    found = (("igrt, match", match.plan_from_daily, match_took), ("igrt, match alone", alone, alone_took))
    errors = [pair.errors_mm(pose) for _, pose, _ in found]
    rows = [Result(pair.case, name, float(off.mean()), float(off.max()), *took) for (name, _, took), off in zip(found, errors, strict=True)]
    return rows, match.evidence


def write(volume: Volume, shift_mm: np.ndarray, path: Path) -> None:
    """A volume file, moved by `shift_mm`."""
    image = SimpleITK.GetImageFromArray(volume.hu)
    image.SetSpacing(volume.grid.spacing_mm.tolist())
    image.SetDirection(volume.grid.direction.ravel().tolist())
    image.SetOrigin((volume.grid.origin_mm + shift_mm).tolist())
    SimpleITK.WriteImage(image, str(path))


def theirs(pair: truth.Truth, name: str, folder: Path, options: argparse.Namespace) -> Result | None:
    """A peer on one pair, whose images lie in `folder` moved to the nominal start; None, said aloud, where it does not run."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), str(options.threads))
    script = Path(__file__).with_name("peers.py")
    command = [options.peers, str(script), name, str(folder / "daily.mha"), str(folder / "plan.mha"), str(options.peer_repeats)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        print(f"SKIPPED: {name} on {pair.case} ran past {LIMIT_S} s", file=sys.stderr)
        return None
    if done.returncode:
        print(f"SKIPPED: {name} on {pair.case}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    pose = np.array(answer["moving_from_fixed"]) @ pair.start.matrix
    errors = pair.errors_mm(RigidMotion.from_matrix(pose, target=Frame.PLAN, source=Frame.DAILY))
    return Result(pair.case, name, float(errors.mean()), float(errors.max()), answer["seconds"], answer["processor_seconds"])


def keep(path: Path | None, results: list[Result]) -> None:
    """Add results to a file, with the load of the machine in the last minute beside each."""
    if path is not None:
        with path.open("a") as file:
            file.writelines(json.dumps(result._asdict() | {"load": os.getloadavg()[0]}) + "\n" for result in results)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a markdown table."""
    print("\n| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def words(result: Result, match: Result) -> tuple[str, ...]:
    """A line of the comparison: how many times as long as igrt's match."""
    spread = f"{result.median_s:.2f} ({min(result.seconds):.2f} to {max(result.seconds):.2f})"
    ratios = (f"{result.median_s / match.median_s:.1f}", f"{result.processor_s:.2f}", f"{result.processor_s / match.processor_s:.1f}")
    return result.case, result.method, f"{result.mean_mm:.3f}", f"{result.max_mm:.3f}", spread, *ratios


def shown_words(pair: truth.Truth, shown: Evidence, plan_s: float) -> tuple[str, ...]:
    """A line of the evidence."""
    start, (second, deviation) = pair.errors_mm(pair.start).mean(), (shown.second_start_difference_mm, max(shown.translation_sd_mm))
    figures = (f"{start:.1f}", f"{plan_s:.2f}", f"{shown.similarity:.2f}", f"{shown.observability:.2f}")
    return pair.case, *figures, f"{second:.3f}", f"{deviation:.3f}", f"{max(shown.rotation_sd_deg):.3f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device")
    parser.add_argument("--peers", help="Python of an environment with the packages of peers.txt")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--pairs", nargs="+", help="these alone, in this order")
    parser.add_argument("--results", type=Path, help="a file that each result is added to as it comes, JSON lines")
    options = parser.parse_args()
    chosen = device.choose(options.device)
    if isinstance(chosen.verbs, CpuVerbs):
        chosen.verbs.set_threads(options.threads)
    print(f"{chosen.name} ({chosen.why}), {platform.machine()}, Python {platform.python_version()}, {options.threads} threads")
    if options.peers is None:
        print("SKIPPED: every peer; give --peers PYTHON (benchmarks/peers.txt says how to install them)", file=sys.stderr)
    results, lines, evidence = [], [], []
    known = {pair.case: pair for pair in truth.pairs()}
    for pair in [known[case] for case in options.pairs or known]:
        ct, image = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)
        found, shown, plan_s = ours(pair, ct, image, chosen.verbs, options.repeats)
        if options.peers is not None:
            with tempfile.TemporaryDirectory() as name:
                write(ct, np.zeros(3), Path(name) / "plan.mha")
                write(image, pair.start.translation_mm, Path(name) / "daily.mha")
                keep(options.results, found)
                for peer in PEERS:
                    result = theirs(pair, peer, Path(name), options)
                    found += [result] if result else []
                    keep(options.results, [result] if result else [])
        results += found
        lines += [words(result, found[0]) for result in found]
        evidence.append(shown_words(pair, shown, plan_s))
        print(f"{pair.case} done", file=sys.stderr)
    header = ("pair", "program", "mean mm", "max mm", "seconds: median (least to most)", "times igrt's match")
    table((*header, "processor s", "times igrt's match"), lines)
    table(("pair", "start mm", "plan s", "similarity", "observability", "second start mm", "SD mm", "SD °"), evidence)
    print(f"\nPeak memory of igrt {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB.")
    if options.plot:
        options.plot.write_text(scatter.svg([(r.method, r.median_s, r.mean_mm) for r in results], ("seconds", "mean error, mm")))


if __name__ == "__main__":
    main()
