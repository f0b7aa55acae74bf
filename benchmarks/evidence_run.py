"""Fault injection: thousands of good and faulted images matched, with all the evidence that the engine had, for `evidence_report.py`.

    python benchmarks/evidence_run.py [--results FILE.jsonl] [--anatomies FOLDER] [--archive FOLDER] [--share S] [--patients N] [--part N/M]

Each case is a line of the file, and what is there is not run again. `--part 1/2` and `--part 2/2` may run at once, each to a file
of its own. `--share 0.05` runs that part of every patient's cases. `--archive` runs the CTs of a folder instead of the benchmark's own
patients: each DICOM folder or volume file in it (.nii.gz, .mha, .nrrd) is a patient, the isocentre in the middle of the body, or where
`isocentres.json` in that folder has it by name (plan LPS mm).

Nothing is decided here: every value of the evidence is kept, so that thresholds and the scale of the covariance are set afterwards. A line
has the case, the fault's parameters, `error_mm` (the largest distance between where the answer puts a target vertex and where it belongs),
`error` of the answer at the isocentre (mm and rad, in the order of the covariance), the covariance, errors over stated deviations at eight
vertices, and seconds.
"""

import argparse
import json
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
from evidence_anatomies import Doubles
from evidence_cases import Case, Scene, cases, scene_of
from evidence_people import People, Person

from igrt.compute import device
from igrt.compute.cpu import CpuVerbs
from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.registration.match import Match
from igrt.registration.preparation import PreparedDaily, PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.rigid import match_alone, match_rigid

ALONE_EVERY = 5  # cases whose match is also timed without its evidence
VERTICES = 8


class Runner:
    """Runs cases; keeps the plan of the patient at hand."""

    def __init__(self, people: People) -> None:
        self.people, self.verbs = people, people.verbs
        self._prepared = lru_cache(maxsize=4)(lambda site, seed: prepare_plan(people.plan(people.patient(site, seed)), self.verbs))

    def plan(self, patient: Person) -> PreparedPlan:
        """The planning CT, made ready."""
        return self._prepared(patient.site, patient.seed)

    def run(self, case: Case) -> dict[str, object]:
        """A line of the results."""
        scene, rng = scene_of(case, self.people)
        plan = self.plan(scene.patient)
        began = time.perf_counter()
        image = scene.image(rng, self.verbs)
        imaged = time.perf_counter()
        line = asdict(case) | {
            "patient": scene.patient.name,
            "target": scene.target_name,
            "parameters": scene.parameters,
            "impossible": scene.impossible,
            "start_only": scene.start_only,
            "length_mm": round(float(image.grid.shape_kji[0] * image.grid.spacing_mm[2]), 1),
        }
        seconds = {"image": imaged - began}
        try:
            daily = prepare_daily(image, self.verbs)
            prepared = time.perf_counter()
            seconds["preparation"] = prepared - imaged
            match = match_rigid(plan, daily, start=scene.start, isocentre_mm=scene.target.isocentre_mm, verbs=self.verbs)
            seconds["match"] = time.perf_counter() - prepared
            line |= measured(scene, match)
            if case.n % ALONE_EVERY == 0:
                seconds["alone"] = self._alone(plan, daily, scene)
        except InputError as error:
            line["no_answer"] = str(error)
        return line | {"seconds": {name: round(value, 4) for name, value in seconds.items()}}

    def _alone(self, plan: PreparedPlan, daily: PreparedDaily, scene: Scene) -> float:
        """Seconds of the match by itself: one start, no evidence."""
        began = time.perf_counter()
        match_alone(plan, daily, start=scene.start, isocentre_mm=scene.target.isocentre_mm, verbs=self.verbs)
        return time.perf_counter() - began


def measured(scene: Scene, match: Match) -> dict[str, object]:
    """What the answer is worth, and all that it says of itself."""
    off = scene.errors_mm(match.plan_from_daily)
    arms = scene.target.vertices_mm - scene.target.isocentre_mm
    shown = np.linspace(0, len(arms) - 1, VERTICES).astype(int)
    return {
        "error_mm": round(float(np.linalg.norm(off, axis=1).max()), 4),
        "error": [float(f"{value:.5g}") for value in error_at_isocentre(match.plan_from_daily @ scene.truth.inverse(), scene)],
        "covariance": [float(f"{value:.5g}") for value in match.covariance[np.triu_indices(6)]],
        "deviations": np.round(off[shown] / deviations_mm(match.covariance, arms[shown]), 3).ravel().tolist(),
        "whole_similarity": match.whole_similarity,
        "evidence": asdict(match.evidence),
        "hypotheses": [asdict(h) | {"plan_from_daily": None} for h in getattr(match, "hypotheses", ())],
    }


def error_at_isocentre(answer_from_truth: RigidMotion, scene: Scene) -> Doubles:
    """(6,) shift of the isocentre (mm) and rotation vector (rad, for small angles) by which the answer is off."""
    c, r = scene.target.isocentre_mm, answer_from_truth.rotation
    turn = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]]) / 2
    return np.concatenate([answer_from_truth.apply(c) - c, turn])


def deviations_mm(covariance: Doubles, arms_mm: Doubles) -> Doubles:
    """(n, 3) stated standard deviations along plan LPS axes of points that lie `arms_mm` from the isocentre."""
    x, y, z = arms_mm.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    jacobian = np.concatenate([np.broadcast_to(np.eye(3), cross.shape), -cross], axis=2)
    return np.sqrt(np.einsum("nij,jk,nik->ni", jacobian, covariance, jacobian))


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("evidence.jsonl"))
    parser.add_argument("--anatomies", type=Path, default=Path("anatomies"), help="where voxelised anatomies are kept, 16 MB each")
    parser.add_argument("--archive", type=Path, help="run these CTs instead: a DICOM folder or a volume file a patient, isocentres.json")
    parser.add_argument("--share", type=float, default=1.0, help="of every patient's cases")
    parser.add_argument("--patients", type=int, default=0, help="only so many of each site and half")
    parser.add_argument("--part", default="1/1", help="N/M: the N-th of M parts of the patients")
    parser.add_argument("--threads", type=int, help="of each process")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs = device.choose(options.device).verbs
    if options.threads and isinstance(verbs, CpuVerbs):
        verbs.set_threads(options.threads)
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {Case(*(json.loads(line)[name] for name in ("site", "seed", "fault", "n"))) for line in lines}
    part, parts = (int(number) for number in options.part.split("/"))
    people = People(options.anatomies, verbs, options.archive)
    runner, archive = Runner(people), people.real_cts if options.archive else None
    with options.results.open("a") as file:
        for case in cases(share=options.share, patients=options.patients, part=part - 1, parts=parts, archive=archive):
            if case not in done:
                file.write(json.dumps(runner.run(case)) + "\n")
                file.flush()


if __name__ == "__main__":
    main()
