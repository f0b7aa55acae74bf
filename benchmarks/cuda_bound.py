"""What a match asks of a GPU, counted where there is none, and the time that no GPU of a kind can go below.

    python benchmarks/cuda_bound.py [--case chest_a]

The emulated GPU runs the whole job on a pair of real images and counts launches and bytes by kernel. From memory comes every array of a
launch once; in `accumulate`, whose reads are scattered, the 32-byte sectors that they can touch at most. Operations are counted in the
kernels' source. A kernel can be no faster than its bytes over the memory's bandwidth and its operations over the arithmetic rate. What
launches and answers to the host take comes on top: it can only be measured.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import truth

from igrt.compute.cpu import BEST, CpuVerbs
from igrt.compute.emulation import EmulatedRuntime
from igrt.compute.gpu import GpuVerbs
from igrt.compute.verbs import Verbs
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid

T = TypeVar("T")

# Operations of a byte read and of a byte written, from the source: arithmetic without addresses, a division or root as one.
# accumulate: 200 a sample, which reads 3 coordinates, 1 value and 8 scores (32 bytes), and 25 for its share of the fold.
OPERATIONS = {
    "accumulate": (225 / 32, 0.0),
    "box_along_j": (1 / 4, 0.0),
    "correlate_along_i": (1 / 4, 25 / 8),
    "correlate_along_k": (20 / 5, 0.0),
    "draw_count": (37 / 14, 0.0),
    "draw_slopes": (25 / 14, 0.0),
    "draw_write": (37 / 14, 0.0),
    "interpolate": (60 / 40, 0.0),
    "normalise_along_i": (1 / 4, 18 / 2),
    "normalise_along_k": (10 / 3, 0.0),
    "shrink": (2 / 2, 6 / 2),
}
IN_FLOAT64 = ("correlate_along_i", "interpolate")
SECTORS_OF_A_SAMPLE = 4 * 32 / 16  # bytes from memory by byte of the 8 scores: four rows of two
SCORES_OF_A_SAMPLE = 16 / 32  # of the bytes that a sample reads


@dataclass(frozen=True)
class Gpu:
    """Published peaks: memory in byte/s, float32 and float64 in operation/s with a fused multiply-add as two."""

    name: str
    bandwidth: float
    peak32: float
    peak64: float

    def least_s(self, kernel: str, nbytes: float, operations: float) -> float:
        """The bound; operations are not fused, so half of the peak. Whole numbers count as float32, which is no slower."""
        peak = self.peak64 if kernel in IN_FLOAT64 else self.peak32
        return max(nbytes / self.bandwidth, operations / (peak / 2))


GPUS = (Gpu("H100 SXM", 3.35e12, 67e12, 34e12), Gpu("RTX 4090", 1.008e12, 82.6e12, 1.29e12))


class Counts:
    """What one stage of the job launched."""

    def __init__(self, runtime: EmulatedRuntime) -> None:
        self._runtime = runtime
        self._before, self._moved = self._now(), self._bus()

    def _now(self) -> list[Counter[str]]:
        r = self._runtime
        return [counter.copy() for counter in (r.launches, r.reads, r.writes, r.arrays)]

    def _bus(self) -> tuple[int, int, int]:
        return self._runtime.uploaded, self._runtime.downloaded, self._runtime.answers

    def bus(self) -> str:
        """What went to the GPU and came back, since the beginning."""
        up, down, answers = (now - before for now, before in zip(self._bus(), self._moved, strict=True))
        return f"{up / 1e6:.1f} MB to the GPU, {down / 1e6:.1f} MB back in {answers} answers that the host waits for."

    def rows(self) -> list[tuple[str, int, float, float, float]]:
        """Kernel, launches, bytes asked for, bytes from memory, operations, since the beginning."""
        launches, reads, writes, arrays = (now - before for now, before in zip(self._now(), self._before, strict=True))
        rows = []
        for kernel, count in sorted(launches.items()):
            by_read, by_write = OPERATIONS[kernel]
            scores = reads[kernel] * SCORES_OF_A_SAMPLE
            memory = reads[kernel] - scores + scores * SECTORS_OF_A_SAMPLE + writes[kernel] if kernel == "accumulate" else arrays[kernel]
            rows.append((kernel, count, reads[kernel] + writes[kernel], memory, by_read * reads[kernel] + by_write * writes[kernel]))
        return rows


def show(stage: str, counts: Counts) -> None:
    """A table of one stage."""
    bounds = " | ".join(f"{gpu.name} ≥ µs" for gpu in GPUS)
    print(f"\n{stage}\n\n| kernel | launches | MB asked for | MB from memory | Mop | {bounds} |\n|" + " --- |" * (5 + len(GPUS)))
    total = [0.0] * len(GPUS)
    for kernel, launches, asked, memory, operations in counts.rows():
        least = [1e6 * gpu.least_s(kernel, memory, operations) for gpu in GPUS]
        total = [a + b for a, b in zip(total, least, strict=True)]
        figures = (launches, f"{asked / 1e6:.1f}", f"{memory / 1e6:.1f}", f"{operations / 1e6:.0f}", *(f"{us:.0f}" for us in least))
        print(f"| {kernel} | " + " | ".join(map(str, figures)) + " |")
    print("| all | | | | | " + " | ".join(f"{us:.0f}" for us in total) + f" |\n\n{counts.bus()}", flush=True)


def job(pair: truth.Truth, verbs: Verbs, runtime: EmulatedRuntime | None = None) -> RigidMotion:
    """Plan, daily image and match; a table of each stage where there is a runtime that counts."""
    ct, image = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)

    if runtime:
        print(f"{pair.case}: CT {ct.grid.size_ijk.tolist()}, daily image {image.grid.size_ijk.tolist()} voxels")

    def stage(words: str, work: Callable[[], T]) -> T:
        counts = Counts(runtime) if runtime else None
        done = work()
        if counts:
            show(words, counts)
        return done

    plan = stage("The plan, once at its load", lambda: prepare_plan(ct, verbs))
    daily = stage("The daily image", lambda: prepare_daily(image, verbs))
    match = stage(
        "The match, both starts and the evidence",
        lambda: match_rigid(plan, daily, start=pair.start, isocentre_mm=pair.isocentre_mm, verbs=verbs),
    )
    return match.plan_from_daily


def main() -> None:
    """Print the tables, and how far the emulated GPU's answer lies from the processor's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="chest_a")
    options = parser.parse_args()
    pair = next(pair for pair in truth.pairs() if pair.case == options.case)
    runtime = EmulatedRuntime()
    begin = time.perf_counter()
    emulated = job(pair, GpuVerbs(runtime), runtime)
    seconds = time.perf_counter() - begin
    processor = job(pair, CpuVerbs(BEST))
    apart = (
        pair.errors_mm(emulated).max(),
        pair.errors_mm(processor).max(),
        pair.errors_mm(emulated @ processor.inverse() @ pair.plan_from_daily).max(),
    )
    print(f"\nMaximum error {apart[0]:.4f} mm emulated, {apart[1]:.4f} mm cpu {BEST}; the two answers lie at most {apart[2]:.1g} mm apart.")
    print(f"The emulation took {seconds:.0f} s for the whole job on one core.")


if __name__ == "__main__":
    main()
