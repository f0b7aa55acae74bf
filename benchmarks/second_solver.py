"""The second solver beside igrt's match: how far apart on right answers, and what it says of answers that are made wrong.

    python benchmarks/second_solver.py [--seeds N] [--results FILE.jsonl]

Right answers: the research images and N generated anatomies of each site. Wrong ones: igrt's pose of each, displaced by 1 to 30 mm in
random directions and by a vertebra along the spine. Each result is a line of the file; what is there is not run again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rigid
import truth
from anatomies import voxel_pair

from igrt.compute import device
from igrt.compute.volume import Volume
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.registration.second import Second
from igrt.simulation.patients import SITES
from igrt.verification.protocol import SecondSolverTable
from igrt.verification.second_solver import SecondFigures, judge_second

DISPLACED_MM = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0)
DIRECTIONS = 4
VERTEBRA_MM = {"head": (18.0, -18.0), "thorax": (25.0, -25.0), "pelvis": (32.0, -32.0)}
Case = tuple[str, Volume, Volume, np.ndarray, RigidMotion, RigidMotion]


def cases(seeds: int) -> Iterator[Case]:
    """Name, plan, daily, plan isocentre, nominal start, truth."""
    for pair in truth.pairs():
        yield (
            pair.case,
            truth.load(pair.plan, Frame.PLAN),
            truth.load(pair.daily, Frame.DAILY),
            pair.isocentre_mm,
            pair.start,
            pair.plan_from_daily,
        )
    for seed in range(1, seeds + 1):
        for site in SITES:
            pair = voxel_pair(site, seed)
            start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), pair.isocentre_mm)
            yield pair.case, pair.plan, pair.daily, pair.isocentre_mm, start, pair.plan_from_daily


def displaced(pose: RigidMotion, shift_mm: np.ndarray) -> RigidMotion:
    """The pose with its plan points shifted."""
    return RigidMotion(Frame.PLAN, Frame.DAILY, pose.rotation, pose.translation_mm + shift_mm)


def wrong(name: str, pose: RigidMotion) -> Iterator[tuple[str, float, RigidMotion]]:
    """Kind, shift (mm) and pose of every answer that is made wrong."""
    rng = np.random.default_rng(7)
    for length_mm in DISPLACED_MM:
        for _ in range(DIRECTIONS):
            way = rng.standard_normal(3)
            yield "displaced", length_mm, displaced(pose, length_mm * way / np.linalg.norm(way))
    site = next((site for site in VERTEBRA_MM if site in name), "thorax")
    for length_mm in VERTEBRA_MM[site]:
        yield "vertebra", abs(length_mm), displaced(pose, np.array([0.0, 0.0, length_mm]))


def measure(case: Case) -> Iterator[dict]:
    """Results of one pair: the right answer first."""
    name, plan, daily, isocentre_mm, start, right = case
    verbs = device.choose().verbs
    match = match_rigid(prepare_plan(plan, verbs), prepare_daily(daily, verbs), start=start, isocentre_mm=isocentre_mm, verbs=verbs)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    second = Second(plan, daily, start=start, isocentre_mm=isocentre_mm)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    common = {"case": name, "wall_s": wall_s, "cpu_s": cpu_s}
    common["second_error_mm"] = largest_displacement_mm(right, second.plan_from_daily, isocentre_mm)
    ours = match.plan_from_daily
    for kind, shift_mm, pose in [("right", 0.0, ours), *wrong(name, ours)]:
        found = second.against(pose)
        figures = {"difference_mm": found.difference_mm, "similarity": found.similarity, "similarity_there": found.similarity_there}
        opinion = judge_second(SecondFigures(**figures, seconds=wall_s), SecondSolverTable()).opinion
        error_mm = largest_displacement_mm(right, pose, isocentre_mm)
        yield {**common, "kind": kind, "shift_mm": shift_mm, "error_mm": error_mm, **figures, "opinion": opinion}


def show(results: list[dict]) -> None:
    """Two tables: each right answer, and opinions by size of the error."""
    right = [r for r in results if r["kind"] == "right"]
    figures = ("error_mm", "second_error_mm", "difference_mm", "similarity", "similarity_there", "cpu_s", "wall_s")
    rigid.table(("case", *figures, "opinion"), [(r["case"], *(f"{r[key]:.3f}" for key in figures), r["opinion"]) for r in right])
    lines = []
    for kind, shift_mm in dict.fromkeys((r["kind"], r["shift_mm"]) for r in sorted(results, key=lambda r: (r["kind"], r["shift_mm"]))):
        of_it = [r["opinion"] for r in results if (r["kind"], r["shift_mm"]) == (kind, shift_mm)]
        counts = [str(of_it.count(opinion)) for opinion in ("confirmed", "no_opinion", "withdrawn")]
        lines.append((kind, f"{shift_mm:g}", str(len(of_it)), *counts))
    print()
    rigid.table(("answer", "mm", "n", "confirmed", "no opinion", "withdrawn"), lines)


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--results", type=Path, default=Path("second_solver.jsonl"))
    options = parser.parse_args()
    kept = options.results.read_text().splitlines() if options.results.exists() else []
    results = [json.loads(line) for line in kept]
    done = {r["case"] for r in results}
    for case in cases(options.seeds):
        if case[0] not in done:
            fresh = list(measure(case))
            with options.results.open("a") as file:
                file.writelines(json.dumps(result) + "\n" for result in fresh)
            results += fresh
    show(results)


if __name__ == "__main__":
    main()
