"""Memory of engine and worker over many fractions, each the whole way: plan, image, answer, approval, claim, couch, beam.

    python benchmarks/bus_memory.py [--minutes 10] [--coarser 2]

One fraction follows the other as fast as they go, of two simulated patients in turn; a clinic has four in an hour. Prints resident
memory after each tenth, and the slope over the second half.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
from bus import WAIT_S, remove_images, running_engine, worker_of
from bus_events import UNITS, rss_mb
from scatter import svg

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.geometry.setup import Correction
from igrt.images.load import load_daily, load_plan
from igrt.images.records import Daily
from igrt.images.write import Approval
from igrt.simulation.imager import send_daily
from igrt.simulation.patients import PATIENTS, Fraction, make_daily, make_plan

COUCH = m.CouchReadout(lateral_mm=10.0, longitudinal_mm=-200.0, vertical_mm=-150.0)
SMALL = Correction(lateral_mm=1.5, longitudinal_mm=-1.0, vertical_mm=1.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
NAMES = ("head", "thorax")


class Patient(msgspec.Struct):
    """A plan's folder, what the linac has loaded of it, its protocol, and today's image."""

    plan: Path
    loaded: m.LoadedPlan
    protocol: str
    daily: Daily


def patient_of(name: str, folder: Path, *, coarser: int) -> Patient:
    """Made on the disk."""
    patient = PATIENTS[name]
    plan = make_plan(patient, folder, coarser=coarser, approval=Approval.APPROVED)
    fraction = Fraction(name="image", patient=name, correction=SMALL, seed=500, shows="a small set-up error")
    daily = load_daily(make_daily(fraction, folder, coarser=coarser))
    identity, (x, y, z) = load_plan(plan).identity, patient.anatomy.isocentre_mm.tolist()
    loaded = m.LoadedPlan(
        patient_id=identity.patient_id,
        plan_uid=identity.plan_uid,
        plan_revision=identity.plan_revision,
        plan_approval="APPROVED",
        fraction=1,
        isocentre_mm=(x, y, z),
        beam=identity.beams[0],
        machine="research-default",
    )
    return Patient(plan, loaded, patient.protocol, daily)


def fraction_of(client: Client, patient: Patient) -> bool:
    """One fraction; whether a correction was released in it (a refused match has none)."""
    client.load_plan(patient.plan, protocol=patient.protocol, fraction=1)
    proposal = client.wait_for_answer(send_daily(client, patient.daily, couch=COUCH), timeout_s=WAIT_S)
    if not isinstance(proposal, m.Proposal) or proposal.answer["verdict"] == "stop":
        return False
    client.approve(proposal.proposal_id, by="Benchmark", simulated=True)
    approved = client.snapshot().standing.approved
    client.report_machine(patient.loaded, beam_on=False, simulated=True, units=UNITS)
    release = client.claim(proposal.proposal_id, token=approved.token if approved else "", couch=COUCH).release
    if release is None:
        return False
    client.report_couch(release.proposal_id, "start", release.start)
    client.report_couch(release.proposal_id, "after", release.target)
    for beam_on in (True, False):
        client.report_machine(patient.loaded, beam_on=beam_on, simulated=True, units=UNITS)
    return True


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--coarser", type=int, default=2)
    parser.add_argument("--plot", type=Path, default=None, help="an SVG file")
    options = parser.parse_args()
    series: list[tuple[int, float, float]] = []
    released = 0
    with tempfile.TemporaryDirectory() as name:
        patients = [patient_of(who, Path(name), coarser=options.coarser) for who in NAMES]
        with running_engine() as (folder, pid), Client(folder) as client:
            began_s, number = time.monotonic(), 0
            while time.monotonic() - began_s < options.minutes * 60:
                released += fraction_of(client, patients[number % len(patients)])
                remove_images(folder)
                number += 1
                series.append((number, rss_mb(pid), rss_mb(worker_of(pid))))
            minutes = (time.monotonic() - began_s) / 60
            journal_mb = (folder / "journal.sqlite").stat().st_size / 1e6
    shapes = ", ".join("x".join(str(n) for n in p.daily.volume.grid.shape_kji[::-1]) for p in patients)
    print(f"{number} fractions in {minutes:.1f} min ({released} released), images {shapes}; journal {journal_mb:.0f} MB")
    print("| fractions | engine MB | worker MB |\n| --- | --- | --- |")
    for n, engine, worker in series[:: max(1, len(series) // 12)]:
        print(f"| {n} | {engine:.1f} | {worker:.1f} |")
    if options.plot:
        points = [
            (what, float(row[0]), row[place])
            for place, what in ((1, "engine"), (2, "worker"))
            for row in series[:: max(1, len(series) // 60)]
        ]
        options.plot.write_text(svg(points, ("fractions", "resident memory, MB")), encoding="utf-8")
    late = series[len(series) // 2 :]
    for place, what in ((1, "engine"), (2, "worker")):
        slope = statistics.linear_regression([row[0] for row in late], [row[place] for row in late]).slope
        print(f"{what}: {slope * 100:+.2f} MB in 100 fractions over the second half; highest {max(row[place] for row in series):.1f} MB")


if __name__ == "__main__":
    main()
