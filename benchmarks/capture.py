"""From how far away the rigid match finds its answer: random starts, and starts one and two vertebrae off, over real and generated pairs.

    python benchmarks/capture.py [--starts N] [--results FILE.jsonl] [--real-only] [--device NAME]

Every start is off by up to 50 mm and 15 degrees on every axis at once, seeded by its number; along the patient, starts from 80 mm
below to 80 mm above go in steps of 5 mm, whatever the height of a vertebra. A match counts as right within 0.2 mm (anywhere within 80 mm of
the isocentre) of the match that starts at the true pose, as refused where the default protocol's evidence rules refuse it, and
else as wrong. Each result is a line of the file, and what is there is not run again.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anatomies
import numpy as np
import truth

from igrt.compute import device
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol

SHIFT_MM, TURN_DEG, RIGHT_MM = 50.0, 15.0, 0.2
ALONG_MM = tuple(float(z) for z in range(-80, 81, 5) if z)
GENERATED = [(site, seed) for seed in (21, 22, 23) for site in ("head", "thorax", "pelvis")]


def pairs(*, real_only: bool) -> Iterator[anatomies.Pair]:
    """The pairs with a truth file, then the generated ones."""
    for pair in truth.pairs():
        plan, daily = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)
        yield anatomies.Pair(pair.case, plan, daily, pair.isocentre_mm, pair.plan_from_daily)
    for site, seed in () if real_only else GENERATED:
        yield anatomies.voxel_pair(site, seed)


def starts(pair: anatomies.Pair, count: int) -> Iterator[tuple[str, RigidMotion]]:
    """Names and poses."""
    for z in ALONG_MM:
        yield f"along {z:+.0f}", moved(pair, np.array([0, 0, z]), np.zeros(3))
    for n in range(count):
        rng = np.random.default_rng(n)
        yield f"random {n}", moved(pair, rng.uniform(-SHIFT_MM, SHIFT_MM, 3), rng.uniform(-TURN_DEG, TURN_DEG, 3))


def moved(pair: anatomies.Pair, shift_mm: np.ndarray, turns_deg: np.ndarray) -> RigidMotion:
    """The true pose and a further motion about the plan isocentre."""
    pitch, roll, yaw = turns_deg
    rotation = rotation_from_angles(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)
    return RigidMotion(Frame.PLAN, Frame.PLAN, rotation, pair.isocentre_mm - rotation @ pair.isocentre_mm + shift_mm) @ pair.plan_from_daily


def table(lines: list[dict]) -> None:
    """Print counts by pair."""
    print("| pair | starts | right | refused | wrong | largest of the right, mm |\n| --- | --- | --- | --- | --- | --- |")
    kinds = {line["start"].split()[0] for line in lines}
    for kind in sorted(kinds):
        for case in [*dict.fromkeys(line["case"] for line in lines), "all"]:
            here = [line for line in lines if case in (line["case"], "all") and line["start"].startswith(kind)]
            counts = Counter(line["end"] for line in here)
            right = [line["off_mm"] for line in here if line["end"] == "right"]
            largest = f"{max(right):.3f}" if right else ""
            print(f"| {case}, {kind} | {len(here)} | {counts['right']} | {counts['refused']} | {counts['wrong']} | {largest} |")


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=160, help="random starts of each pair")
    parser.add_argument("--results", type=Path, default=Path("capture.jsonl"))
    parser.add_argument("--real-only", action="store_true")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs, rules = device.choose(options.device).verbs, load_protocol().tables.evidence
    lines = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(line["case"], line["start"]) for line in lines}
    with options.results.open("a") as file:
        for pair in pairs(real_only=options.real_only):
            wanted = [(name, pose) for name, pose in starts(pair, options.starts) if (pair.case, name) not in done]
            if not wanted:
                continue
            plan, daily = prepare_plan(pair.plan, verbs), prepare_daily(pair.daily, verbs)
            settings = {"isocentre_mm": pair.isocentre_mm, "verbs": verbs}
            best = match_rigid(plan, daily, start=pair.plan_from_daily, **settings).plan_from_daily
            for name, pose in wanted:
                match = match_rigid(plan, daily, start=pose, **settings)
                off_mm = largest_displacement_mm(best, match.plan_from_daily, pair.isocentre_mm)
                refusing = [finding.code for finding in judge_evidence(match, rules)]
                end = "refused" if refusing else "right" if off_mm <= RIGHT_MM else "wrong"
                lines.append({"case": pair.case, "start": name, "end": end, "off_mm": round(off_mm, 4), "refusing": refusing})
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
            print(f"{pair.case} done", file=sys.stderr)
    table(lines)


if __name__ == "__main__":
    main()
