"""What each kind of evidence costs: milliseconds of good images of the fault-injection benchmark and of daily images that are there.

    python benchmarks/evidence_cost.py [--anatomies FOLDER] [--images N] [--repeats N] [--threads N] [--cpu]

The functions that measure are wrapped as the match calls them; each time is the least of the repeats, so that a cold cache does not
count. `--cpu` counts the processor's time, which another program does not lengthen. "Alone" is one start without evidence
(`match_alone`); what is left of the whole is the first start again and what holds the parts together.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from evidence_anatomies import FIRST_SEED, STORED_SEED
from evidence_cases import STORED, Case, scene_of
from evidence_people import People

from igrt.compute import device
from igrt.compute.cpu import CpuVerbs
from igrt.registration import assembly, rigid
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.simulation.patients import SITES

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("second start, rivals", rigid, "_other_starts"),
    ("curvature: deviations, observability", assembly.Measured, "finished"),
    ("similarity, overlap", assembly, "resemblance"),
    ("swap", assembly, "swapped_match"),
    ("vertebrae, mirror", assembly, "alternatives"),
    ("second metric", assembly, "second_metric"),
    ("regions", assembly, "region_residuals"),
    ("identity", assembly, "identity"),
)


class Stopwatch:
    """Wraps the parts and adds up their time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        for name, owner, attribute in PARTS:
            setattr(owner, attribute, self._timed(name, getattr(owner, attribute)))

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*values: Any, **named: Any) -> Any:
            began = self.clock()
            result = function(*values, **named)
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - began
            return result

        return timed


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anatomies", type=Path, default=Path("anatomies"))
    parser.add_argument("--images", type=int, default=4, help="of each site")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cpu", action="store_true", help="time of the processor instead of the clock's")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs = device.choose(options.device).verbs
    if options.threads and isinstance(verbs, CpuVerbs):
        verbs.set_threads(options.threads)
    people, watch = People(options.anatomies, verbs), Stopwatch(time.process_time if options.cpu else time.perf_counter)
    cases = [Case(site, FIRST_SEED + n, "good", 0) for site in SITES for n in range(options.images)]
    cases += [Case(name, STORED_SEED, "good", 0) for name in STORED]
    columns = {case: times(case, people, watch, options.repeats) for case in cases}
    groups = {site: [case for case in cases if case.site == site] for site in SITES} | {
        name: [Case(name, STORED_SEED, "good", 0)] for name in STORED
    }
    print("| ms | " + " | ".join(groups) + " |\n|" + " --- |" * (len(groups) + 1))
    for name in ["alone", *(part for part, _, _ in PARTS), "match with all evidence", "times alone"]:
        cells = [np.median([columns[case][name] for case in group]) for group in groups.values()]
        print(f"| {name} | " + " | ".join(f"{cell:.1f}" if cell < 100 else f"{cell:.0f}" for cell in cells) + " |")


def times(case: Case, people: People, watch: Stopwatch, repeats: int) -> dict[str, float]:
    """Milliseconds of each part, the least of the repeats; and the whole as a multiple of the match alone."""
    scene, rng = scene_of(case, people)
    plan = prepare_plan(people.plan(scene.patient), people.verbs)
    daily = prepare_daily(scene.image(rng, people.verbs), people.verbs)
    settings = {"start": scene.start, "isocentre_mm": scene.target.isocentre_mm, "verbs": people.verbs}
    runs: list[dict[str, float]] = []
    for _ in range(repeats):
        watch.seconds = {}
        began = watch.clock()
        rigid.match_rigid(plan, daily, **settings)
        ended = watch.clock()
        rigid.match_alone(plan, daily, **settings)
        runs.append(watch.seconds | {"match with all evidence": ended - began, "alone": watch.clock() - ended})
    least = {name: 1000 * min(run.get(name, 0.0) for run in runs) for name in runs[0]}
    return least | {"times alone": least["match with all evidence"] / least["alone"]}


if __name__ == "__main__":
    main()
