"""Radiographs of the planning CT against RTK's Joseph projector in the same run; then the match: errors, seconds, capture, strangers.

    python benchmarks/projection.py [--rtk PYTHON] [--starts N] [--repeats N]

PYTHON is that of an environment with itk-rtk; without it igrt is measured alone. `cpu s` is processor time of all threads, which a
busy machine changes least; `wall s` is what a person waits. Capture: N starts in each 2 mm bin of mean displacement from 0 to 20 mm and in
each 10 mm bin from 20 to 60 mm, success at a mean of 1 mm or less over ±80 mm about the isocentre (van de Kraats and others, 2005).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from igrt.compute.cpu import BEST
from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily, fixed_from_plan
from igrt.images.detector import line_integrals
from igrt.images.radiographs import KvConventions
from igrt.images.rt_image import read_radiograph
from igrt.images.volumes import read_volume
from igrt.registration.projection import RadiographCoarseToFine, match_radiographs, seen_directions
from igrt.registration.radiograph_levels import RadiographDaily, RadiographPlan, prepare_radiograph_plan, prepare_radiographs
from igrt.registration.solver import Centres, Pose, rotation_of

DATA = Path(os.environ.get("IGRT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
KV = KvConventions(name="benchmark", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))
START = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
BINS = [(low, low + 2) for low in range(0, 20, 2)] + [(low, low + 10) for low in range(20, 60, 10)]

RTK = """
import json, sys, time
import itk, numpy as np
from itk import RTK as rtk
path, threads, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(threads)
T = itk.Image[itk.F, 3]
ct = itk.imread(path, itk.F)
values = np.maximum(0.02 * (1 + itk.array_from_image(ct) / 1000), 0).astype(np.float32)
size, spacing = np.array(values.shape[::-1]), np.array(ct.GetSpacing())
turn = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
image = itk.image_from_array(values)
image.SetSpacing(spacing.tolist()); image.SetDirection(itk.matrix_from_array(turn))
image.SetOrigin((-turn @ ((size - 1) / 2 * spacing)).tolist())
out = {}
for angle in (0.0, 90.0, 45.0):
    geometry = rtk.ThreeDCircularProjectionGeometry.New(); geometry.AddProjection(1000.0, 1500.0, angle)
    panel = rtk.ConstantImageSource[T].New()
    panel.SetOrigin([-198.268, -198.268, 0]); panel.SetSpacing([0.776, 0.776, 1])
    panel.SetSize([512, 512, 1]); panel.SetConstant(0.0); panel.Update()
    joseph = rtk.JosephForwardProjectionImageFilter[T, T].New()
    joseph.SetInput(0, panel.GetOutput()); joseph.SetInput(1, image); joseph.SetGeometry(geometry)
    runs = []
    for _ in range(repeats):
        joseph.Modified(); wall, cpu = time.perf_counter(), time.process_time(); joseph.Update()
        runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    out[angle] = runs
print(json.dumps(out))
"""


class Case(NamedTuple):
    """One pair of radiographs with its plan and truth."""

    name: str
    plan: RadiographPlan
    daily: RadiographDaily
    truth: np.ndarray
    isocentre_mm: np.ndarray
    prepare_s: float


def runs_of(work: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    """Wall and processor seconds of each repeat."""
    found = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return found


def seconds(runs: list[tuple[float, float]]) -> str:
    """Medians, for a table."""
    return f"{statistics.median(w for w, _ in runs):.2f} | {statistics.median(c for _, c in runs):.2f}"


def projectors(verbs: RadiographVerbs, rtk: str | None, repeats: int) -> None:
    """One 512 by 512 radiograph through a CT of 512 by 512 by 133, of both programs, in turn."""
    path = DATA / "chest" / "chest_ct.nii.gz"
    ct = read_volume(path, Frame.PLAN)
    field = AttenuationField.of_ct(ct, kvp=110)
    plan_from_fixed = fixed_from_plan(isocentre_mm=ct.grid.centre_mm, position=PatientPosition.HFS).inverse()
    ours = {}
    for angle in (0.0, 90.0, 45.0):
        camera = XrayCamera(
            source_angle_deg=angle,
            sad_mm=1000.0,
            receptor_translation_mm=np.array([0.0, 0.0, -500.0]),
            receptor_angle_deg=0.0,
            first_pixel_mm=np.array([-198.268, 198.268]),
            spacing_mm=(0.776, 0.776),
            shape=(512, 512),
            orientation=np.array(DEFAULT_ORIENTATION),
        )
        view = View.of(camera, plan_from_fixed)
        plain = runs_of(lambda view=view: verbs.radiograph(field, view), repeats)
        ours[angle] = (plain, runs_of(lambda view=view: verbs.radiograph_with_derivatives(field, view, ct.grid.centre_mm), repeats))
    theirs = {}
    if rtk is not None:
        done = subprocess.run(
            [rtk, "-c", RTK, path, str(verbs.threads), str(repeats)], capture_output=True, text=True, check=True, timeout=600
        )
        theirs = {float(angle): runs for angle, runs in json.loads(done.stdout.strip().splitlines()[-1]).items()}
    print("\n## One radiograph, 512 × 512, through 512 × 512 × 133\n")
    print("| source angle | program | wall s | cpu s |\n| --- | --- | --- | --- |")
    for angle, (plain, full) in ours.items():
        print(f"| {angle:g}° | igrt | {seconds(plain)} |\n| {angle:g}° | igrt, with six derivatives | {seconds(full)} |")
        if angle in theirs:
            print(f"| {angle:g}° | RTK Joseph | {seconds(theirs[angle])} |")


def load(name: str, verbs: RadiographVerbs) -> Case:
    """A case of the data folder, its truth in the daily frame of radiographs."""
    folder = DATA / name.split("_")[0]
    told = json.loads((folder / f"{name}_truth.json").read_text())
    isocentre, daily = (np.array(told[f"{kind}_isocentre_lps_mm"]) for kind in ("plan", "daily"))
    truth = np.array(told["plan_from_daily"])
    truth[:3, 3] += truth[:3, :3] @ (daily - isocentre)
    images = [read_radiograph(folder / one["file"]) for one in told["radiographs"]]
    room = fixed_from_daily(isocentre_mm=isocentre, position=PatientPosition(told["patient_position"])).inverse()
    begin = time.perf_counter()
    plan = prepare_radiograph_plan(read_volume(folder / told["plan"], Frame.PLAN), verbs)
    integrals = [line_integrals(image, KV) for image in images]
    ready = prepare_radiographs([i.camera(KV) for i in images], integrals, kvps=[i.kvp for i in images], daily_from_fixed=room)
    return Case(name, plan, ready, truth, isocentre, time.perf_counter() - begin)


def displacements_mm(truth: np.ndarray, found: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """Over a grid of 9 × 9 × 9 points within ±80 mm of the isocentre."""
    axis = np.linspace(-80, 80, 9)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + centre_mm
    daily = (points - truth[:3, 3]) @ truth[:3, :3]
    return np.linalg.norm(daily @ found[:3, :3].T + found[:3, 3] - points, axis=1)


def matches(cases: list[Case], verbs: RadiographVerbs, repeats: int) -> None:
    """Each pair from the nominal start, with both starts and the evidence."""
    print("\n## Match of a pair, from the nominal start\n")
    print("| pair | start mm | mean mm | max mm | wall s | cpu s | similarity | leave one out mm | SD mm | SD ° |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in cases:
        found = match_radiographs(case.plan, case.daily, start=START, isocentre_mm=case.isocentre_mm, verbs=verbs)
        runs = runs_of(
            lambda case=case: match_radiographs(case.plan, case.daily, start=START, isocentre_mm=case.isocentre_mm, verbs=verbs), repeats
        )
        error = displacements_mm(case.truth, found.plan_from_daily.matrix, case.isocentre_mm)
        before = displacements_mm(case.truth, np.eye(4), case.isocentre_mm).mean()
        e = found.evidence
        print(
            f"| {case.name} | {before:.1f} | {error.mean():.3f} | {error.max():.3f} | {seconds(runs)} | {e.similarity:.2f} | "
            f"{found.leave_one_out_mm:.2f} | {max(e.translation_sd_mm):.3f} | {max(e.rotation_sd_deg):.3f} |"
        )


def strangers(cases: list[Case], verbs: RadiographVerbs) -> None:
    """Radiographs of one patient against the planning CT of the other."""
    print("\n## Radiographs of another patient\n")
    print("| plan | radiographs | similarity | second start mm | SD mm |")
    print("| --- | --- | --- | --- | --- |")
    for case, other in ((cases[0], cases[1]), (cases[1], cases[0])):
        e = match_radiographs(case.plan, other.daily, start=START, isocentre_mm=case.isocentre_mm, verbs=verbs).evidence
        print(f"| {case.name} | {other.name} | {e.similarity:.2f} | {e.second_start_difference_mm:.1f} | {max(e.translation_sd_mm):.2f} |")


def capture(case: Case, verbs: RadiographVerbs, starts: int) -> None:
    """Share of starts that end within 1 mm, by how far they begin."""
    centres = Centres(case.isocentre_mm, case.isocentre_mm)
    levels = RadiographCoarseToFine(case.plan, case.daily, centres, verbs)
    directions = seen_directions(case.daily, START)
    random = np.random.default_rng(12)
    home = Pose.of(RigidMotion.from_matrix(case.truth, target=Frame.PLAN, source=Frame.DAILY), centres)
    print(f"\n## Capture, {case.name}: {starts} starts a bin\n\n| start, mean mm | success |\n| --- | --- |")
    for low, high in BINS:
        good = 0
        for _ in range(starts):
            shift, turn = random.normal(size=3), random.normal(size=3) / 80.0
            wanted = random.uniform(low, high)
            small = np.r_[shift, turn]
            for _ in range(6):  # displacement is not quite linear in the motion
                pose = home.moved(small)
                small = small * wanted / displacements_mm(case.truth, pose.plan_from_daily(centres).matrix, case.isocentre_mm).mean()
            assert np.isfinite(rotation_of(small[3:])).all()
            solution, _ = levels.run(home.moved(small), directions)
            good += displacements_mm(case.truth, solution.pose.plan_from_daily(centres).matrix, case.isocentre_mm).mean() <= 1.0
        print(f"| {low}–{high} | {good} of {starts} |", flush=True)


def main() -> None:
    """Prints every table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtk", metavar="PYTHON")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    verbs = RadiographVerbs()
    load_now = os.getloadavg()[0]
    print(f"cpu {BEST}, {verbs.threads} threads, {platform.machine()}, Python {platform.python_version()}, load {load_now:.1f} when begun")
    projectors(verbs, options.rtk, options.repeats)
    cases = [load(name, verbs) for name in ("head_a", "chest_a")]
    matches(cases, verbs, options.repeats)
    strangers(cases, verbs)
    for case in cases:
        capture(case, verbs, options.starts)


if __name__ == "__main__":
    main()
