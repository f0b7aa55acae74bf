"""The rigid match on cone-beam images that life has been at (hard_images.py): how far off, what is refused, and by which rule.

    python benchmarks/rigid_hard.py [--poses N] [--results FILE.jsonl] [--images FOLDER] [--coarser N] [--device NAME]

Images that are in the folder are not made again; results that are in the file are not matched again. Each match begins where the
isocentres coincide, looks at the whole body, and is judged by the default protocol's evidence rules. What is refused is counted
and left out of the errors, and shown for itself.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from hard_images import SCATTER, SITES, Case, cases, imaged, planned
from numpy.typing import NDArray

from igrt.compute import device
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol


def run(case: Case, folder: Path, coarser: int, verbs: device.Verbs) -> dict[str, object]:
    """One image matched: how far off, about and along the axes of the room, and what the evidence rules say."""
    began = time.perf_counter()
    plan, image = prepare_plan(planned(case, folder), verbs), prepare_daily(imaged(case, folder, coarser), verbs)
    isocentre_mm = case.anatomy.isocentre_mm
    match = match_rigid(plan, image, start=case.start, isocentre_mm=isocentre_mm, verbs=verbs)
    refusing = [finding.code for finding in judge_evidence(match, load_protocol().tables.evidence)]
    return {
        **case.told(),
        "coarser": coarser,
        "off": off_in_room(match.plan_from_daily, case.plan_from_daily, isocentre_mm, case.position),
        "refusing": refusing,
        "evidence": asdict(match.evidence),
        "seconds": time.perf_counter() - began,
    }


def off_in_room(found: RigidMotion, truth: RigidMotion, isocentre_mm: NDArray[np.float64], position: PatientPosition) -> list[float]:
    """Six errors: shifts of the isocentre (mm) and turns (degrees) along the axes of the room."""
    error = found @ truth.inverse()
    room = position.fixed_from_lps
    turn = room @ error.rotation @ room.T
    turns = np.degrees([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    return [*(room @ (error.apply(isocentre_mm) - isocentre_mm)).tolist(), *turns.tolist()]


def table(lines: list[dict]) -> None:
    """Print errors by site and by effect, refused matches left out and counted."""
    print("| images | n | refused | shift: median, p95, max mm | turn: median, p95, max ° | bias of x, y, z, mm |\n|" + " --- |" * 6)
    groups = [(site, [line for line in lines if line["site"] == site]) for site in SITES]
    groups += [(f"with {name}", [line for line in lines if line[name]]) for name in ("gas", "metal", "breathing", "flex")]
    groups += [(f"scatter {s:g}", [line for line in lines if line["scatter"] == s]) for s in SCATTER] + [("all", lines)]
    for name, group in groups:
        off = np.array([line["off"] for line in group if not line["refusing"]]).reshape(-1, 6)
        if len(off):
            size = [np.linalg.norm(off[:, part], axis=1) for part in (slice(0, 3), slice(3, 6))]
            figures = [f"{np.median(s):.2f}, {np.percentile(s, 95):.2f}, {s.max():.2f}" for s in size]
            bias = ", ".join(f"{b:+.2f}" for b in off[:, :3].mean(axis=0))
            print(f"| {name} | {len(group)} | {len(group) - len(off)} | {figures[0]} | {figures[1]} | {bias} |")


def refused(lines: list[dict]) -> None:
    """Print every refused match: how wrong it was, and what refused it."""
    print("\n| refused | with | shift mm | turn ° | by | SD, worst axis, mm and ° |\n|" + " --- |" * 6)
    for line in lines:
        if line["refusing"]:
            shown = [name for name in ("gas", "metal", "breathing", "flex") if line[name]] + [f"scatter {line['scatter']:g}"]
            shift, turn = np.linalg.norm(line["off"][:3]), np.linalg.norm(line["off"][3:])
            deviations = f"{max(line['evidence']['translation_sd_mm']):.2f}, {max(line['evidence']['rotation_sd_deg']):.2f}"
            rules = ", ".join(code.removeprefix("evidence_") for code in line["refusing"])
            print(f"| {line['site']} {line['n']} | {', '.join(shown)} | {shift:.2f} | {turn:.2f} | {rules} | {deviations} |")


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=20, help="of each site")
    parser.add_argument("--results", type=Path, default=Path("rigid_hard.jsonl"))
    parser.add_argument("--images", type=Path, default=Path("rigid_hard_images"), help="where they are kept, some 20 MB each")
    parser.add_argument("--coarser", type=int, default=1, help="divides the resolution of the cone-beam scan")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs = device.choose(options.device).verbs
    options.images.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(line["site"], line["n"]) for line in lines}
    with options.results.open("a") as file:
        for case in cases(options.poses):
            if (case.site, case.n) not in done:
                lines.append(run(case, options.images, options.coarser, verbs))
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
    table(lines)
    refused(lines)


if __name__ == "__main__":
    main()
