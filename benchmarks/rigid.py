"""Rigid match on every pair with a known pose: errors and seconds, as a markdown table.

    python benchmarks/rigid.py [DEVICE]

Seconds are the best of three: `plan` is done at plan load, `daily` mostly while slabs arrive, `match` runs both starts and the evidence.
"""

import platform
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import truth

from igrt.compute import device
from igrt.geometry.motion import Frame
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid

T = TypeVar("T")
REPEATS = 3
HEADER = ("pair", "start mm", "mean mm", "max mm", "plan s", "daily s", "match s", "similarity", "second start mm", "SD mm", "SD °")


def best(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` gives, and the least of its times (s)."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begin)
    return result, min(times)


def row(pair: truth.Truth, verbs: device.Verbs) -> tuple[str, ...]:
    """One pair's line."""
    ct, image = truth.load(pair.plan, Frame.PLAN), truth.load(pair.daily, Frame.DAILY)
    plan, plan_s = best(lambda: prepare_plan(ct, verbs))
    daily, daily_s = best(lambda: prepare_daily(image, verbs))
    match, match_s = best(lambda: match_rigid(plan, daily, start=pair.start, isocentre_mm=pair.isocentre_mm, verbs=verbs))
    errors, evidence = pair.errors_mm(match.plan_from_daily), match.evidence
    return (
        pair.case,
        f"{pair.errors_mm(pair.start).mean():.1f}",
        f"{errors.mean():.3f}",
        f"{errors.max():.3f}",
        *(f"{seconds:.2f}" for seconds in (plan_s, daily_s, match_s)),
        f"{evidence.similarity:.2f}",
        f"{evidence.second_start_difference_mm:.3f}",
        f"{max(evidence.translation_sd_mm):.3f}",
        f"{max(evidence.rotation_sd_deg):.3f}",
    )


def main() -> None:
    """Print the table."""
    chosen = device.choose(sys.argv[1] if len(sys.argv) > 1 else None)
    print(f"{chosen.name} ({chosen.why}), {platform.machine()}, Python {platform.python_version()}\n")
    print("| " + " | ".join(HEADER) + " |")
    print("|" + " --- |" * len(HEADER))
    for pair in truth.pairs():
        print("| " + " | ".join(row(pair, chosen.verbs)) + " |", flush=True)
    print(f"\nPeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB.")


if __name__ == "__main__":
    main()
