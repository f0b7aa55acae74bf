"""Where the time of a rigid match goes, how far that is from what the machine can do, and how it grows; memory beside the volumes.

    python benchmarks/rigid_cost.py [--case CASE] [--repeats N] [--plot FILE.svg]

Every time is the least of the repeats, since other work on the machine only adds; of the stages the processor's time is given too, of
all threads together, which other work adds less to. The stream bandwidth is of a copy between two
arrays of 256 MB on one thread, 512 MB moved.
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scatter
import truth

from igrt.compute import device
from igrt.compute.verbs import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.registration.descent import CoarseToFine
from igrt.registration.evidence import resemblance
from igrt.registration.levels import LEVELS
from igrt.registration.options import MatchOptions
from igrt.registration.preparation import PreparedDaily, PreparedPlan, prepare_daily, prepare_plan
from igrt.registration.rigid import match_alone, match_rigid
from igrt.registration.samples import thinned
from igrt.registration.search import NEXT, Search
from igrt.registration.solver import LevelProblem, Pose

SAMPLE_BYTES, CELL_BYTES = 16, 16  # a position and a score; the eight int16 corners of a cell
SAMPLE_OPERATIONS = 250  # pose, interpolation with gradient, weight, 21 + 6 + 5 sums


def least(work: Callable[[], object], repeats: int) -> float:
    """Seconds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def stage(name: str, work: Callable[[], object], repeats: int) -> None:
    """A line of the stages: wall and processor ms."""
    wall, processor = [], []
    for _ in range(repeats):
        begin, begin_processor = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - begin)
        processor.append(time.process_time() - begin_processor)
    row(name, f"{1e3 * min(wall):.0f}", f"{1e3 * min(processor):.0f}")


def row(*cells: object) -> None:
    """A line of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def fewer_voxels(volume: Volume, factor: int) -> Volume:
    """Every n-th voxel along each axis."""
    grid = volume.grid
    hu = np.ascontiguousarray(volume.hu[::factor, ::factor, ::factor])
    return Volume(Grid(grid.frame, hu.shape, grid.origin_mm, grid.spacing_mm * factor, grid.direction), hu)


def stages(pair: truth.Truth, ct: Volume, image: Volume, verbs: Verbs, repeats: int) -> tuple[CoarseToFine, Pose]:
    """Print what the stages take, and memory; the levels and the pose that the match found."""
    volumes_mb = (ct.hu.nbytes + image.hu.nbytes) / 2**20
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    plan, daily = prepare_plan(ct, verbs), prepare_daily(image, verbs)
    settings = {"start": pair.start, "isocentre_mm": pair.isocentre_mm, "verbs": verbs}
    match = match_rigid(plan, daily, **settings)
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{pair.case}: volumes {volumes_mb:.0f} MB; preparing and matching added {after_mb - before_mb:.0f} MB at the most")
    levels = CoarseToFine(plan, daily, np.array(pair.isocentre_mm), verbs, MatchOptions())
    first = Pose.of(pair.start, levels.centres)
    found = levels.run(first).solution.pose
    print()
    row("stage", "ms", "ms of processor")
    row("---", "---", "---")
    stage("planning CT, prepared at plan load", lambda: prepare_plan(ct, verbs), 5)
    stage("daily image, prepared at once", lambda: prepare_daily(image, verbs), 5)
    stage("match, two starts and evidence", lambda: match_rigid(plan, daily, **settings), repeats)
    stage("match alone, one start", lambda: match_alone(plan, daily, **settings), repeats)
    stage("of it the search", lambda: Search(plan, daily, levels.centres.plan_mm, verbs, levels.motions).best(first), repeats)
    stage("of it the levels from 4 mm down", lambda: levels.refine(found, NEXT + 1), repeats)
    stage("curvatures", lambda: levels.curvatures(found, {2: 1.5, 3: 1.5, 4: 0.75}), repeats)
    alike = partial(resemblance, plan, daily, match.plan_from_daily, verbs, options=MatchOptions())
    stage("similarity and overlap of every voxel", alike, repeats)
    return levels, found


def evaluations(levels: CoarseToFine, found: Pose, daily: PreparedDaily, verbs: Verbs, repeats: int) -> None:
    """Print what one evaluation takes on each level, on one thread and on two."""
    source, target = np.ones(1 << 28, np.uint8), np.zeros(1 << 28, np.uint8)
    stream = 2 * source.nbytes / least(partial(np.copyto, target, source), 10) / 1e9
    print(f"\nOne evaluation by level; {stream:.1f} GB/s stream on one thread.\n")
    row("level, mm", "samples", "threads", "ms", "ns a sample", "GB/s", "Gop/s")
    row(*["---"] * 7)
    for threads in (1, 2):
        verbs.set_threads(threads)
        for level, problem, samples in zip(LEVELS, levels.problems(found), daily.levels, strict=True):
            seconds, count = least(partial(problem.evaluate, found, 1.0), 4 * repeats), len(samples.values)
            rates = [count * n / seconds / 1e9 for n in (SAMPLE_BYTES + CELL_BYTES, SAMPLE_OPERATIONS)]
            figures = (f"{1e3 * seconds:.2f}", f"{1e9 * seconds / count:.1f}", f"{rates[0]:.1f}", f"{rates[1]:.1f}")
            row(level.spacing_mm, count, threads, *figures)


def growth(
    pair: truth.Truth, plan: PreparedPlan, daily: PreparedDaily, image: Volume, found: Pose, verbs: Verbs, repeats: int
) -> list[scatter.Point]:
    """Seconds of an evaluation against samples, and of the daily preparation against voxels, on one thread and on two."""
    points: list[scatter.Point] = []
    for threads in (1, 2):
        verbs.set_threads(threads)
        for wanted in (1000, 4000, 16_000, 40_000, 128_000):
            some = thinned(daily.levels[-1], wanted)
            problem = LevelProblem(plan.levels[-1], some, np.array(pair.isocentre_mm), verbs)
            seconds = least(partial(problem.evaluate, found, 1.0), repeats)
            points.append((f"evaluation, samples, {threads} threads", float(len(some.values)), seconds))
        for factor in (4, 3, 2, 1):
            small = fewer_voxels(image, factor)
            points.append((f"daily, voxels, {threads} threads", float(small.hu.size), least(partial(prepare_daily, small, verbs), 4)))
    return points


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="chest_a")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    repeats, verbs = options.repeats, device.choose().verbs
    pair = next(pair for pair in truth.pairs() if pair.case == options.case)
    ct, image = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)
    levels, found = stages(pair, ct, image, verbs, repeats)
    evaluations(levels, found, levels.daily, verbs, repeats)
    points = growth(pair, levels.plan, levels.daily, image, found, verbs, repeats)
    print()
    row("what", "size", "ms")
    row("---", "---", "---")
    for name, size, seconds in points:
        row(name, f"{size:.0f}", f"{1e3 * seconds:.2f}")
    if options.plot:
        options.plot.write_text(scatter.svg(points, ("samples or voxels", "seconds")))


if __name__ == "__main__":
    main()
