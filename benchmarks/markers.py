"""Implanted markers in simulated radiographs, cone-beam CTs and planning CTs: found, false, where, and the pose that follows.

    python benchmarks/markers.py [--cases N] [--frames N] [--volumes N] [--crowded N]

Writes docs/benchmarks/markers.md, each part for itself (0 leaves it as it is). A case is a patient (head, thorax, pelvis) in a pose of the
day, three to five markers of one kind at random places about the isocentre in random directions, and two radiographs at right angles
through all that lies in the way, with scatter and noise. In half of the cases, of every kind, one marker is missing or has migrated by 5
to 12 mm.
"""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.images.detector import without_dead_pixels
from igrt.registration.marker_image import find_in_image
from igrt.registration.marker_kind import MarkerKind
from igrt.registration.marker_pattern import PatternLimits
from igrt.registration.marker_tracking import track_markers
from igrt.registration.marker_views import triangulate
from igrt.registration.marker_volume import DAILY_PEAK_HU, find_in_volume
from igrt.registration.markers import MarkerSight, PlannedMarkers, State, match_in_views, match_in_volume, plan_markers
from igrt.simulation.markers import COIL_HU, GOLD_HU, TITANIUM_HU, Seed
from igrt.simulation.patients import PATIENTS, SITES, Patient, plan_from_daily
from igrt.simulation.planning import CtScan, planning_ct
from igrt.simulation.radiographs import camera_at, cast_seeds, expose, ray_sums
from igrt.simulation.scanner import Physics, acquire

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "markers.md"
PHYSICS = Physics(photons=4.0e5)  # a single exposure has about ten times the dose of one view of a cone-beam scan
PAIRS = {"frontal and lateral": (0.0, 270.0), "oblique": (315.0, 45.0)}
LIMITS = PatternLimits(shift_mm=25.0, turn_deg=8.0)
STILL = Correction(lateral_mm=0, longitudinal_mm=0, vertical_mm=0, pitch_deg=0, roll_deg=0, yaw_deg=0)
FOUND_MM = 1.0  # at the isocentre


class Kind(NamedTuple):
    """A row of the tables."""

    name: str
    diameter_mm: float
    length_mm: float
    hu: float

    @property
    def marker(self) -> MarkerKind:
        """What is sought."""
        return MarkerKind(diameter_mm=self.diameter_mm, length_mm=self.length_mm)


KINDS = (
    Kind("gold seed 1 × 3 mm", 1.0, 3.0, GOLD_HU),
    Kind("gold seed 1.2 × 5 mm", 1.2, 5.0, GOLD_HU),
    Kind("coil 1 × 5 mm", 1.0, 5.0, COIL_HU),
    Kind("titanium clip 1 × 4 mm", 1.0, 4.0, TITANIUM_HU),
    Kind("ball 1 mm", 1.0, 1.0, GOLD_HU),
    Kind("ball 2 mm", 2.0, 2.0, GOLD_HU),
    Kind("ball 5 mm", 5.0, 5.0, TITANIUM_HU),
)


class Truth(NamedTuple):
    """Seeds as planned, as they are today (None: missing), and the pose."""

    planned: tuple[Seed, ...]
    today: tuple[Seed | None, ...]
    pose: RigidMotion
    altered: str

    @property
    def there(self) -> list[Seed]:
        """Those that can be seen today."""
        return [seed for seed in self.today if seed is not None]


def truth_of(kind: Kind, isocentre_mm: np.ndarray, pose: RigidMotion, number: int, random: np.random.Generator) -> Truth:
    """Markers at least 10 mm apart within 22 mm of the isocentre along each axis; in every second case one is altered, of four or more."""
    altered = ("none", "missing", "none", "migrated")[
        (number % len(KINDS) + number // len(KINDS)) % 4
    ]  # else the sum is of 8: tied to the kind
    count = int(random.integers(3, 6)) if altered == "none" else int(random.integers(4, 6))
    places: list[np.ndarray] = []
    while len(places) < count:
        place = random.uniform(-22, 22, 3)
        if all(np.linalg.norm(place - other) >= 10 for other in places):
            places.append(place)
    planned = tuple(Seed(isocentre_mm + p, random.normal(size=3), kind.diameter_mm, kind.length_mm, kind.hu) for p in places)
    today: list[Seed | None] = [seed.displaced(random.normal(0, 0.3, 3)) for seed in planned]  # organs deform a little
    if altered == "missing":
        today[0] = None
    elif altered == "migrated":
        way = random.normal(size=3)
        today[0] = planned[0].displaced(random.uniform(5, 12) * way / np.linalg.norm(way))
    return Truth(planned, tuple(today), pose, altered)


def planned_of(truth: Truth, kind: Kind, random: np.random.Generator) -> PlannedMarkers:
    """The markers as a planning CT gives them: 0.2 mm off along each axis."""
    places = np.array([seed.centre_mm for seed in truth.planned])
    return PlannedMarkers(kind.marker, places + random.normal(0, 0.2, places.shape), np.tile(np.eye(3) * 0.04, (len(places), 1, 1)))


def pose_of(isocentre_mm: np.ndarray, position: PatientPosition, random: np.random.Generator) -> RigidMotion:
    """Up to 8 mm and 3 degrees about each axis."""
    s, a = random.uniform(-8, 8, 3), random.uniform(-3, 3, 3)
    correction = Correction(lateral_mm=s[0], longitudinal_mm=s[1], vertical_mm=s[2], pitch_deg=a[0], roll_deg=a[1], yaw_deg=a[2])
    return plan_from_daily(correction, isocentre_mm=isocentre_mm, position=position)


class Tally:
    """Counts and errors of one row."""

    def __init__(self) -> None:
        self.there = self.found = self.false = self.images = 0
        self.triangulated: list[float] = []
        self.pose: list[float] = []
        self.sigmas: list[float] = []
        self.outcomes: dict[str, int] = defaultdict(int)
        self.altered = self.told = 0
        self.wrong = 0

    def spots(self, found: np.ndarray, true: np.ndarray, pixel_mm: float) -> list[int | None]:
        """Counts an image; the spot of each marker."""
        apart = np.linalg.norm(true[:, None] - found[None], axis=2) * pixel_mm if len(found) else np.full((len(true), 1), math.inf)
        best = [int(n) if apart[k, n] <= FOUND_MM else None for k, n in enumerate(apart.argmin(axis=1))]
        self.images += 1
        self.there += len(true)
        self.found += sum(n is not None for n in best)
        self.false += len(found) - len({n for n in best if n is not None})
        return best

    def sight(self, sight: MarkerSight, truth: Truth) -> None:
        """Counts an answer: its largest error at the true markers that stayed, and whether what was altered was told."""
        stayed = [(p, t) for p, t in zip(truth.planned, truth.today, strict=True) if t is not None]
        stayed = [(p, t) for p, t in stayed if np.linalg.norm(p.centre_mm - t.centre_mm) < 3]
        self.outcomes["match" if sight.match else str(sight.problem)] += 1
        if sight.match is None:
            return
        centre = np.mean([p.centre_mm for p, _ in stayed], axis=0)
        here = truth.pose.inverse().apply(centre)
        error = float(np.linalg.norm(sight.match.plan_from_daily.apply(here) - centre))
        self.pose.append(error)
        self.wrong += error > 1.5
        if truth.altered != "none":
            self.altered += 1
            self.told += sight.match.markers[self._number(sight, truth)].state is not State.MATCHED

    @staticmethod
    def _number(sight: MarkerSight, truth: Truth) -> int:
        return int(np.linalg.norm(sight.planned.positions_mm - truth.planned[0].centre_mm, axis=1).argmin())


def radiograph_cases(cases: int) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """By kind and by patient and pair."""
    by_kind: dict[str, Tally] = defaultdict(Tally)
    by_place: dict[str, Tally] = defaultdict(Tally)
    random = np.random.default_rng(2024)
    scenes = []
    for name, patient in PATIENTS.items():
        for pair, angles in PAIRS.items():
            pose = pose_of(patient.anatomy.isocentre_mm, patient.position, random)
            where = {"plan_from_daily": pose, "position": patient.position, "angles_deg": angles}
            scenes.append((name, pair, patient, where, ray_sums(patient.anatomy.phantom, physics=PHYSICS, **where)))
    for number in range(cases):
        name, pair, patient, where, sums = scenes[number % len(scenes)]
        kind = KINDS[number // len(scenes) % len(KINDS)]
        truth = truth_of(kind, patient.anatomy.isocentre_mm, where["plan_from_daily"], number // len(scenes), random)
        integrals = sums.copy()
        cast_seeds(integrals, truth.there, **where)
        images = expose(integrals, physics=PHYSICS, seed=number)
        one_case(truth, kind, images, where, patient, random, (by_kind[kind.name], by_place[f"{name}, {pair}"]))
    return by_kind, by_place


def one_case(
    truth: Truth,
    kind: Kind,
    images: Sequence[np.ndarray],
    where: dict[str, Any],
    patient: Patient,
    random: np.random.Generator,
    tallies: Sequence[Tally],
) -> None:
    """Finds, triangulates the true markers, matches, and counts."""
    lps_from_fixed = patient.position.fixed_from_lps.T
    daily_from_fixed = RigidMotion(Frame.DAILY, Frame.FIXED, lps_from_fixed, np.zeros(3))
    isocentre = patient.anatomy.isocentre_mm
    start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), isocentre)
    in_room = np.array([daily_from_fixed.inverse().apply(truth.pose.inverse().apply(seed.centre_mm)) for seed in truth.there])
    views, belongs = [], []
    for angle, image in zip(where["angles_deg"], images, strict=True):
        camera = camera_at(angle)
        values = without_dead_pixels(np.ascontiguousarray(image.astype(np.float32)))
        glare = 0.25 * np.float32(np.percentile(values, 0.5))
        integrals = -np.log(np.maximum(values - glare, 1.0) / np.float32(60000))
        seen = np.ones(image.shape, bool)
        views.append(find_in_image(integrals, seen, camera, kind.marker, centre_fixed_mm=np.zeros(3), reach_mm=65.0))
        at_isocentre = camera.spacing_mm[0] * camera.sad_mm / camera.distance_mm
        both = [tally.spots(views[-1].pixels, camera.pixel_of(in_room), at_isocentre) for tally in tallies]
        belongs.append(both[0])
    for k, place in enumerate(in_room):
        if belongs[0][k] is None or belongs[1][k] is None:
            continue
        pixels = np.array([view.pixels[spot[k]] for view, spot in zip(views, belongs, strict=True)])
        deviations = np.array([view.sd_px[spot[k]] for view, spot in zip(views, belongs, strict=True)])
        point = triangulate([view.camera for view in views], pixels, deviations)
        off = point.fixed_mm - place
        for tally in tallies:
            tally.triangulated.append(float(np.linalg.norm(off)))
            tally.sigmas.append(float(np.sqrt(off @ np.linalg.solve(point.covariance_mm2, off) / 3)))
    planned = planned_of(truth, kind, random)
    sight = match_in_views(planned, views, daily_from_fixed=daily_from_fixed, start=start, isocentre_mm=isocentre, limits=LIMITS)
    for tally in tallies:
        tally.sight(sight, truth)


def volume_cases(cases: int) -> dict[str, Tally]:
    """Planning CT (1.25 mm slices) and cone-beam CT of the head, as many as there is time for: a cone-beam scan takes most of it."""
    out: dict[str, Tally] = defaultdict(Tally)
    random = np.random.default_rng(7)
    patient = PATIENTS["head"]
    isocentre = patient.anatomy.isocentre_mm
    scan = CtScan(voxel_mm=(1.0, 1.25), across=140, along=90)
    for number in range(cases):
        kind = KINDS[number % len(KINDS)]
        pose = pose_of(isocentre, patient.position, random)
        truth = truth_of(kind, isocentre, pose, number, random)
        anatomy = patient.anatomy
        ct = planning_ct(anatomy, position=patient.position, scan=scan, seed=number, seeds=truth.planned)
        planned = plan_markers(ct, kind.marker, centre_mm=isocentre, reach_mm=45.0)
        count_volume(out[f"{kind.name}, planning CT"], planned.positions_mm, np.array([seed.centre_mm for seed in truth.planned]))
        daily = acquire(
            anatomy.phantom,
            plan_from_daily=pose,
            position=patient.position,
            scan=SITES["head"].cone_beam,
            seed=number,
            seeds=truth.there,
        )
        start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), isocentre)
        sight = match_in_volume(planned_of(truth, kind, random), daily, start=start, isocentre_mm=isocentre, limits=LIMITS)
        out[f"{kind.name}, cone-beam CT"].sight(sight, truth)
        centre = pose.inverse().apply(isocentre)
        seen = find_in_volume(daily, kind.marker, centre_mm=centre, reach_mm=65.0, peak_hu=DAILY_PEAK_HU)
        places = np.array([pose.inverse().apply(seed.centre_mm) for seed in truth.there])
        count_volume(out[f"{kind.name}, cone-beam CT"], np.array([m.position_mm for m in seen]).reshape(-1, 3), places)
    return out


def crowded_scans(names: Sequence[str], of_each: int) -> list[str]:
    """Cone-beam CTs with several markers of every kind at once, 13 mm apart: found within 2 mm, how far off, what else is taken for one."""
    lines = ["| | found | false | distance: mean, 95 %, largest (mm) | error in deviations |", "| --- | --- | --- | --- | --- |"]
    for name in names:
        patient, random = PATIENTS[name], np.random.default_rng(5)
        isocentre, scan = patient.anatomy.isocentre_mm, SITES[patient.site].cone_beam
        turned = Correction(lateral_mm=3, longitudinal_mm=-4, vertical_mm=2, pitch_deg=1, roll_deg=-1.5, yaw_deg=2)
        pose = plan_from_daily(turned, isocentre_mm=isocentre, position=patient.position)
        places: list[np.ndarray] = []
        seeds: list[Seed] = []
        for kind in KINDS * of_each:
            place = random.uniform(-32, 32, 3)
            while any(np.linalg.norm(place - other) < 13 for other in places):
                place = random.uniform(-32, 32, 3)
            places.append(place)
            seeds.append(Seed(isocentre + place, random.normal(size=3), kind.diameter_mm, kind.length_mm, kind.hu))
        daily = acquire(patient.anatomy.phantom, plan_from_daily=pose, position=patient.position, scan=scan, seed=1, seeds=seeds)
        true = np.array([pose.inverse().apply(seed.centre_mm) for seed in seeds])
        for number, kind in enumerate(KINDS):
            found = find_in_volume(daily, kind.marker, centre_mm=pose.inverse().apply(isocentre), reach_mm=85.0, peak_hu=DAILY_PEAK_HU)
            off = np.array([marker.position_mm for marker in found]).reshape(-1, 1, 3) - true
            false = int((np.linalg.norm(off, axis=2).min(axis=1) > 2).sum())
            near = [(marker, min(one[number :: len(KINDS)], key=np.linalg.norm)) for marker, one in zip(found, off, strict=True)]
            own = [(marker, by) for marker, by in near if np.linalg.norm(by) <= 2]
            sigma = math.sqrt(np.mean([by @ np.linalg.solve(marker.covariance_mm2, by) / 3 for marker, by in own])) if own else math.nan
            errors = spread([float(np.linalg.norm(by)) for _, by in own])
            lines.append(f"| {name}, {kind.name} | {len(own)} of {of_each} | {false} | {errors} | {sigma:.2f} |")
    return lines


def count_volume(tally: Tally, found: np.ndarray, true: np.ndarray) -> None:
    """Counts the markers of a volume: found within 2 mm, false, and their distances."""
    apart = np.linalg.norm(true[:, None] - found[None], axis=2) if len(found) else np.full((len(true), 1), math.inf)
    near = apart.min(axis=1)
    tally.images += 1
    tally.there += len(true)
    tally.found += int((near <= 2).sum())
    tally.false += len(found) - len(set(apart.argmin(axis=1)[near <= 2].tolist()))
    tally.triangulated += near[near <= 2].tolist()


def tracking(frames: int) -> list[str]:
    """Frames of one view of each patient, gold seeds 1 x 3 mm that move together: judged, error in the plane, processor time."""
    lines = [
        "| | frames | judged | error in the plane: mean, 95 %, largest (mm) | error in deviations | processor ms a frame: median, 99 % |"
    ]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    random = np.random.default_rng(11)
    for name, patient in PATIENTS.items():
        isocentre, kind, angle = patient.anatomy.isocentre_mm, KINDS[0], 0.0
        pose = plan_from_daily(STILL, isocentre_mm=isocentre, position=patient.position)
        where = {"plan_from_daily": pose, "position": patient.position, "angles_deg": (angle,)}
        sums = ray_sums(patient.anatomy.phantom, physics=PHYSICS, **where)
        planned = truth_of(kind, isocentre, pose, 0, random).planned
        camera = camera_at(angle)
        to_room = RigidMotion(Frame.FIXED, Frame.PLAN, patient.position.fixed_from_lps, -patient.position.fixed_from_lps @ isocentre)
        verified = np.array([to_room.apply(seed.centre_mm) for seed in planned])
        errors, sigmas, seconds = [], [], []
        for number in range(frames):
            move = random.uniform(-3.5, 3.5, 3)
            integrals = sums.copy()
            cast_seeds(integrals, [seed.displaced(patient.position.fixed_from_lps.T @ move) for seed in planned], **where)
            image = expose(integrals, physics=PHYSICS, seed=number)[0]
            began = time.process_time()
            values = np.log(np.float32(60000) / image.astype(np.float32))
            seen = track_markers(values, np.ones(image.shape, bool), camera, kind.marker, verified_fixed_mm=verified)
            seconds.append(time.process_time() - began)
            if seen is not None:
                off = np.array([seen.across_mm - move[0], seen.along_mm - move[1]])  # at angle 0 the receptor's axes are the room's
                errors.append(float(np.linalg.norm(off)))
                sigmas.append(off / [seen.across_sd_mm, seen.along_sd_mm])
        ms = f"{1000 * np.median(seconds):.0f}, {1000 * np.percentile(seconds, 99):.0f}"
        sigma = f"{math.sqrt(np.mean(np.square(sigmas))):.2f}" if sigmas else "—"
        lines.append(f"| {name}, frontal | {frames} | {len(errors)} | {spread(errors)} | {sigma} | {ms} |")
    return lines


def rows(table: dict[str, Tally]) -> list[str]:
    """Markdown of a table."""
    lines = [
        "| | detected | false a image | triangulated: mean, 95 %, largest (mm) | error in deviations | cases | matched | "
        "too few | ambiguous | pose at the markers' centre: mean, 95 %, largest (mm) | beyond 1.5 mm | altered: told |",
        "| --- |" + " --- |" * 11,
    ]
    for name, t in table.items():
        known = f"{100 * t.found / t.there:.1f} % of {t.there}" if t.there else "—"
        false = f"{t.false / t.images:.1f}" if t.images else "—"
        sigma = f"{math.sqrt(np.mean(np.square(t.sigmas))):.2f}" if t.sigmas else "—"
        cases = sum(t.outcomes.values())
        told = f"{t.told} of {t.altered}" if t.altered else "—"
        counts = f"{cases or '—'} | {t.outcomes['match'] if cases else '—'} | {t.outcomes['too few'] + t.outcomes['cluttered']}"
        lines.append(
            f"| {name} | {known} | {false} | {spread(t.triangulated)} | {sigma} | {counts} | {t.outcomes['ambiguous']} | "
            f"{spread(t.pose)} | {t.wrong} | {told} |"
        )
    return lines


def spread(values: Sequence[float]) -> str:
    """Mean, 95th percentile and largest."""
    return f"{np.mean(values):.2f}, {np.percentile(values, 95):.2f}, {np.max(values):.2f}" if len(values) else "—"


def main() -> None:
    """Measures what is asked for, each part into its own place of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=210)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--volumes", type=int, default=14)
    parser.add_argument("--crowded", type=int, default=3, help="markers of each kind in one cone-beam CT of the head and one of the pelvis")
    options = parser.parse_args()
    if options.cases:
        by_kind, by_place = radiograph_cases(options.cases)
        write("radiographs", [f"{options.cases} pairs. By kind:", "", *rows(by_kind), "", "By patient and angles:", "", *rows(by_place)])
    if options.frames:
        write("frames", tracking(options.frames))
    if options.crowded:
        write("crowded", crowded_scans(("head", "pelvis"), options.crowded))
    if options.volumes:
        write("volumes", [f"{options.volumes} planning CTs and cone-beam CTs of the head.", "", *rows(volume_cases(options.volumes))])


def write(part: str, lines: list[str]) -> None:
    """Puts lines between the markers of a part."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    if not found:
        raise ValueError(f"{PAGE} has no place for {part}; put the lines {begin} and {end} where it belongs")
    PAGE.write_text("\n".join([before + begin, *lines, end]) + rest.partition(end)[2], encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
