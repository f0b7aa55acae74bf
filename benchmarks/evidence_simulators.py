"""The fast simulator of the fault-injection benchmark beside projection and reconstruction: the same anatomies, plans, poses and evidence.

    python benchmarks/evidence_simulators.py [--results FILE.jsonl] [--anatomies FOLDER] [--good N] [--others N]

Each image is a line of the file, and what is there is not run again. Anatomies are taken as the formula has them, which is what the
slow simulator can project; half of the lines are of patients who lie as planned but for a clinical set-up error, half of another anatomy.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from evidence_anatomies import FIRST_SEED
from evidence_images import cone_beam
from evidence_people import People
from evidence_scenes import good
from evidence_statistics import Measure, name_of, taken

from igrt.compute import device
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.simulation.patients import SITES
from igrt.simulation.scanner import Physics, acquire

SCATTER = (0.0, 0.03, 0.045, 0.09)
ALONG = 66  # slices of 2.4 mm, as long as the slow simulator's images


def wanted(good_cases: int, others: int) -> Iterator[tuple[str, int, bool]]:
    """Site, seed, and whether someone else lies there."""
    for n in range(max(good_cases, others)):
        for site in SITES:
            if n < good_cases:
                yield site, FIRST_SEED + n, False
            if n < others:
                yield site, FIRST_SEED + n, True


def run(site: str, seed: int, other: bool, people: People) -> Iterator[dict[str, object]]:
    """A line of each simulator."""
    rng, verbs = np.random.default_rng([seed, other, len(site)]), people.verbs
    patient = people.person(site, seed, None)
    scene = good(patient, rng, "site")
    plan = prepare_plan(people.plan(patient), verbs)
    shown = people.person(site, seed + 1, None) if other else patient
    beside = shown.targets["site"].isocentre_mm - scene.target.isocentre_mm  # each has the isocentre in their own target
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, scene.truth.rotation, scene.truth.translation_mm + beside)
    began = time.perf_counter()
    look = replace(scene.look, breath_mm=0.0, gas=(), metal=())
    fast = cone_beam(shown, plan_from_daily=pose, field=replace(scene.field, along=ALONG), look=look, rng=rng, verbs=verbs)
    middle = time.perf_counter()
    scan = replace(SITES[site].cone_beam, physics=Physics(scatter=SCATTER[seed % len(SCATTER)]))
    phantom = SITES[site].anatomy(shown.seed).phantom
    slow = acquire(phantom, plan_from_daily=pose, position=PatientPosition.HFS, scan=scan, seed=seed)
    ended = time.perf_counter()
    for name, image, seconds in (("fast", fast, middle - began), ("slow", slow, ended - middle)):
        daily = prepare_daily(image, verbs)
        match = match_rigid(plan, daily, start=scene.start, isocentre_mm=scene.target.isocentre_mm, verbs=verbs)
        error = float(np.linalg.norm(scene.errors_mm(match.plan_from_daily), axis=1).max())
        case = {"simulator": name, "site": site, "seed": seed, "other": other}
        yield case | {"error_mm": error, "evidence": asdict(match.evidence), "seconds": round(seconds, 3)}


def table(lines: list[dict]) -> str:
    """Least, median and largest of every measure, by simulator, of the patient and of others."""
    rows = ["| measure | patient, fast | patient, slow | another, fast | another, slow |", "| --- | --- | --- | --- | --- |"]

    def figures(simulator: str, other: bool, value: Callable[[dict], float]) -> str:
        values = [value(line) for line in lines if (line["simulator"], line["other"]) == (simulator, other)]
        return " / ".join(f"{v:.3g}" for v in np.percentile(values, [0, 50, 100])) if values else ""

    shown: list[tuple[str, Callable[[dict], float]]] = [("error at the target, mm", lambda line: line["error_mm"])]
    shown += [(name_of(m.key), partial(_of_evidence, m)) for m in taken(lines)]
    shown.append(("seconds an image", lambda line: line["seconds"]))
    for name, value in shown:
        cells = [figures(simulator, other, value) for other in (False, True) for simulator in ("fast", "slow")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _of_evidence(measure: Measure, line: dict) -> float:
    return measure.value(line["evidence"])


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("simulators.jsonl"))
    parser.add_argument("--anatomies", type=Path, default=Path("anatomies"))
    parser.add_argument("--good", type=int, default=8, help="images of the patient, of each site")
    parser.add_argument("--others", type=int, default=4, help="images of someone else, of each site")
    parser.add_argument("--device")
    options = parser.parse_args()
    people = People(options.anatomies, device.choose(options.device).verbs)
    lines = [json.loads(text) for text in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(line["site"], line["seed"], line["other"]) for line in lines if line["simulator"] == "slow"}
    with options.results.open("a") as file:
        for case in wanted(options.good, options.others):
            if case not in done:
                new = list(run(*case, people))
                lines += new
                file.writelines(json.dumps(line) + "\n" for line in new)
                file.flush()
    print(table(lines))


if __name__ == "__main__":
    main()
