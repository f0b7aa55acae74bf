"""Each peer over a grid of its settings: how fast it is within 0.02 mm of its own best error, and how many times igrt's match that is.

    python benchmarks/peers_tuned.py --peers PYTHON [--pairs CASE ...] [--results FILE.jsonl] [--plot FILE.svg]

PYTHON is that of an environment with the peers (peers.txt). Every setting runs once on every pair, igrt's match before each
of them, in the same run. Each result is a line of the file, and what is there is not run again.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import rigid
import scatter
import truth
from peers import TUNED

from igrt.compute import device
from igrt.geometry.motion import Frame
from igrt.registration.preparation import prepare_daily, prepare_plan

TIE_MM = 0.02


def measure(pair: truth.Truth, options: argparse.Namespace, done: set[tuple[str, str]]) -> None:
    """Add what is missing of one pair to the results."""
    wanted = [name for name in TUNED if (pair.case, name) not in done]
    if not wanted:
        return
    verbs = device.choose().verbs
    ct, image = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)
    plan, daily = prepare_plan(ct, verbs), prepare_daily(image, verbs)
    with tempfile.TemporaryDirectory() as folder:
        rigid.write(ct, np.zeros(3), Path(folder) / "plan.mha")
        rigid.write(image, pair.start.translation_mm, Path(folder) / "daily.mha")
        for name in wanted:
            ours, _ = rigid.matches(pair, plan, daily, verbs, 5)
            result = rigid.theirs(pair, name, Path(folder), options)
            rigid.keep(options.results, [*ours, result] if result else [])


def kept(path: Path) -> list[dict]:
    """The results so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def fastest_tied(results: list[dict], case: str, peer: str) -> dict | None:
    """The fastest setting of a peer on a pair whose mean error is within 0.02 mm of the best that any of its settings reached."""
    tried = [result for result in results if result["case"] == case and result["method"].split(":")[0] == peer]
    best = min((result["mean_mm"] for result in tried), default=0.0)
    tied = [result for result in tried if result["mean_mm"] <= best + TIE_MM]
    return min(tied, key=lambda result: result["seconds"][0], default=None)


def ratio(results: list[dict], found: dict, kind: str) -> str:
    """How many times what igrt's match with its evidence takes, and its match alone, measured just before."""
    before = results[: results.index(found)]
    ours = [next(r for r in reversed(before) if r["method"] == name) for name in ("igrt, match", "igrt, match alone")]
    return ", ".join(f"{found[kind][0] / statistics.median(each[kind]):.0f}" for each in ours)


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--pairs", nargs="+")
    parser.add_argument("--results", type=Path, default=Path("peers_tuned.jsonl"))
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(namespace=argparse.Namespace(peer_repeats=1, threads=2))
    known = {pair.case: pair for pair in truth.pairs()}
    for case in options.pairs or known:
        measure(known[case], options, {(line["case"], line["method"]) for line in kept(options.results)})
        print(f"{case} done", file=sys.stderr)
    results = kept(options.results)
    lines = []
    for case in dict.fromkeys(result["case"] for result in results):
        for peer in dict.fromkeys(name.split(":")[0] for name in TUNED):
            found = fastest_tied(results, case, peer)
            if found:
                seconds, processor_s = found["seconds"][0], found["processor_seconds"][0]
                ratios = [ratio(results, found, kind) for kind in ("seconds", "processor_seconds")]
                figures = (f"{found['mean_mm']:.3f}", f"{seconds:.2f}", ratios[0], f"{processor_s:.2f}", ratios[1])
                lines.append((case, peer, found["method"], *figures))
    times = "times igrt's match, alone"
    rigid.table(("pair", "program", "its fastest setting within 0.02 mm of its best", "mean mm", "s", times, "processor s", times), lines)
    if options.plot:
        points = [(r["method"].split(":")[0], statistics.median(r["seconds"]), r["mean_mm"]) for r in results]
        options.plot.write_text(scatter.svg(points, ("seconds", "mean error, mm")))


if __name__ == "__main__":
    main()
