"""The rigid match on cone-beam images that life has been at: poses, breathing, flex, metal, gas, scatter, every patient position.

    python benchmarks/rigid_hard.py [--poses N] [--results FILE.jsonl] [--coarser N] [--device NAME]

The simulator is igrt's own (igrt.simulation): analytic anatomies, projection through voxels, a three-line spectrum, photon
noise, scatter as a blur of the primary, Feldkamp reconstruction. Poses are drawn, a shift and a turn for each axis, from
Student's t with 4 degrees of freedom, scaled to a deviation of 4 mm and 1.5 degrees and cut at 20 mm and 5 degrees. Each
result is a line of the file, and what is there is not run again.

Every pose has a planning CT of 3 mm slices. The effects follow the number of the pose, so that each is there in half of the images
or fewer, in every combination: gas and metal in the daily image, breathing of 10 mm in front and none at the spine (chest), a panel
that sags by 1 mm three times a turn, and four strengths of scatter, the first none, as after a perfect correction.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.compute import device
from igrt.compute.projection import Cameras, CpuProjector
from igrt.geometry.grid import Grid
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.simulation.anatomy import GAS, LPS_AXES, METAL
from igrt.simulation.patients import SITES, plan_from_daily
from igrt.simulation.phantoms import Part, Phantom
from igrt.simulation.planning import planning_ct
from igrt.simulation.scanner import Physics, acquire
from igrt.simulation.shapes import Ball
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol

SEEDS = {"head": 31, "thorax": 32, "pelvis": 33}
SHIFT_SD_MM, SHIFT_MAX_MM, TURN_SD_DEG, TURN_MAX_DEG = 4.0, 20.0, 1.5, 5.0
SCATTER = (0.0, 0.03, 0.045, 0.09)
BREATH_MM, BREATHS, PHASES = 10.0, 14, 4
SAG_MM = 1.0
AXES = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


def correction(rng: np.random.Generator) -> Correction:
    """The motion that would put the patient right."""
    drawn = rng.standard_t(4, 6) / np.sqrt(2)
    shift = np.clip(SHIFT_SD_MM * drawn[:3], -SHIFT_MAX_MM, SHIFT_MAX_MM)
    turn = np.clip(TURN_SD_DEG * drawn[3:], -TURN_MAX_DEG, TURN_MAX_DEG)
    return Correction(**dict(zip(AXES, [*shift, *turn], strict=True)))


def disturbed(phantom: Phantom, middle_mm: NDArray[np.float64], rng: np.random.Generator, *, gas: bool, metal: bool) -> Phantom:
    """The phantom with bubbles that the planning CT had not, and with two pieces of metal."""
    parts = list(phantom.parts)
    if gas:
        balls = [Ball(middle_mm + rng.uniform((-45, -50, -50), (45, 10, 50)), rng.uniform(6, 14, 3), LPS_AXES) for _ in range(5)]
        parts.append(Part("moved gas", tuple(balls), ((0.0, GAS),)))
    if metal:
        balls = [Ball(middle_mm + rng.uniform((-50, -30, -40), (50, 40, 40)), np.full(3, 4.0), LPS_AXES) for _ in range(2)]
        parts.append(Part("metal", tuple(balls), ((0.0, METAL),)))
    return replace(phantom, parts=tuple(parts))


class Restless(CpuProjector):
    """Projects while the patient breathes and the panel sags."""

    def __init__(self, *, breath_mm: float, sag_mm: float, front: NDArray[np.float64]) -> None:
        super().__init__()
        self._breath_mm, self._sag_mm, self._front = breath_mm, sag_mm, front

    def project(self, values: NDArray[np.float32], grid: Grid, cameras: Cameras) -> NDArray[np.float32]:
        """As `CpuProjector.project`, each view of its phase."""
        angle = np.arctan2(cameras.source_mm[:, 0], cameras.source_mm[:, 2])
        rows, columns = (step / np.linalg.norm(step, axis=1, keepdims=True) for step in (cameras.row_step_mm, cameras.column_step_mm))
        sag = self._sag_mm * (np.sin(3 * angle)[:, None] * rows + np.cos(3 * angle)[:, None] * columns)
        sagged = Cameras(cameras.source_mm, cameras.first_pixel_mm + sag, cameras.row_step_mm, cameras.column_step_mm, cameras.shape)
        if not self._breath_mm:
            return super().project(values, grid, sagged)
        phase = np.rint((0.5 - 0.5 * np.cos(BREATHS * angle)) * (PHASES - 1)).astype(int)
        out = np.empty((len(angle), *cameras.shape), np.float32)
        for n in np.unique(phase):
            chosen = np.flatnonzero(phase == n)
            out[chosen] = super().project(self._inhaled(values, grid, n / (PHASES - 1)), grid, sagged.views(chosen))
        return out

    def _inhaled(self, values: NDArray[np.float32], grid: Grid, share: float) -> NDArray[np.float32]:
        """Tissue in front of the isocentre moved along the patient (i of the grid), more the farther in front, none behind it."""
        k, j = np.meshgrid(*(np.arange(n) for n in grid.shape_kji[:2]), indexing="ij")
        ahead = grid.position_mm(np.stack([np.zeros_like(k), j, k], -1)) @ self._front
        steps = share * self._breath_mm * np.clip(ahead / 60.0, 0, 1) / grid.spacing_mm[0]
        whole, part = np.floor(steps).astype(int), (steps % 1).astype(np.float32)
        index = np.arange(grid.shape_kji[2])[None, None, :] + whole[..., None]
        low, high = (np.take_along_axis(values, np.clip(index + n, 0, values.shape[2] - 1), axis=2) for n in (0, 1))
        return np.ascontiguousarray(low + part[..., None] * (high - low))


def cases(poses: int) -> Iterator[tuple[str, int]]:
    """Site and number, one of each site after the other."""
    for n in range(poses):
        for site in SITES:
            yield site, n


def run(site_name: str, n: int, coarser: int, verbs: device.Verbs) -> dict[str, object]:
    """One image made and matched: how far off, about and along the axes of the room."""
    site, rng = SITES[site_name], np.random.default_rng([SEEDS[site_name], n])
    anatomy, position = site.anatomy(SEEDS[site_name]), tuple(PatientPosition)[n % len(PatientPosition)]
    effects = {"gas": n % 2 == 1, "metal": n % 3 == 2, "breathing": site_name == "thorax" and n % 4 != 0, "flex": n % 5 in (1, 3)}
    wanted, scatter = correction(rng), SCATTER[(n // 2) % len(SCATTER)]
    truth = plan_from_daily(wanted, isocentre_mm=anatomy.isocentre_mm, position=position)
    scan = replace(site.ct, voxel_mm=(site.ct.voxel_mm[0], 3.0), along=int(site.ct.along * site.ct.voxel_mm[1] / 3.0))
    ct = planning_ct(anatomy, position=position, scan=scan, seed=n)
    front = position.fixed_from_lps @ np.array([0.0, -1.0, 0.0])
    daily = acquire(
        disturbed(anatomy.phantom, anatomy.isocentre_mm, rng, gas=effects["gas"], metal=effects["metal"]),
        plan_from_daily=truth,
        position=position,
        scan=replace(site.cone_beam.coarser(coarser), physics=Physics(scatter=scatter)),
        seed=n,
        projector=Restless(breath_mm=BREATH_MM * effects["breathing"], sag_mm=SAG_MM * effects["flex"], front=front),
    )
    start = plan_from_daily(Correction(**dict.fromkeys(AXES, 0.0)), isocentre_mm=anatomy.isocentre_mm, position=position)
    plan, image = prepare_plan(ct, verbs), prepare_daily(daily, verbs)
    match = match_rigid(plan, image, start=start, isocentre_mm=anatomy.isocentre_mm, verbs=verbs)
    off = off_in_room(match.plan_from_daily, truth, anatomy.isocentre_mm, position)
    refusing = [finding.code for finding in judge_evidence(match, load_protocol().tables.evidence)]
    return {"site": site_name, "n": n, "position": str(position), "scatter": scatter, **effects, "off": off, "refusing": refusing}


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


def main() -> None:
    """Run what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=20, help="of each site")
    parser.add_argument("--results", type=Path, default=Path("rigid_hard.jsonl"))
    parser.add_argument("--coarser", type=int, default=1, help="divides the resolution of the cone-beam scan")
    parser.add_argument("--device")
    options = parser.parse_args()
    verbs = device.choose(options.device).verbs
    lines = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(line["site"], line["n"]) for line in lines}
    with options.results.open("a") as file:
        for site, n in cases(options.poses):
            if (site, n) not in done:
                began = time.perf_counter()
                lines.append(run(site, n, options.coarser, verbs) | {"coarser": options.coarser, "seconds": time.perf_counter() - began})
                file.write(json.dumps(lines[-1]) + "\n")
                file.flush()
    table(lines)


if __name__ == "__main__":
    main()
