"""One fraction of the demo: made, sent, heard, compared with what is known of it, reported."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from igrt.bus.client import Client
from igrt.bus.messages import CouchReadout, Proposal
from igrt.cli.bus_imager import Heard, engine_errors, send_and_hear
from igrt.cli.demo_release import Chain, bring_home, patient_on_couch
from igrt.cli.terminal import ProgressCall
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import Correction
from igrt.images.load import load_daily, load_plan
from igrt.images.today import load_today
from igrt.images.write import Approval
from igrt.reports import html
from igrt.simulation.linac import Linac, readout
from igrt.simulation.patients import PATIENTS, Fraction, make_daily, make_plan, plan_from_daily
from igrt.simulation.radiographs import make_image
from igrt.verification.findings import Verdict
from igrt.verification.machine import load_machine
from igrt.verification.protocol import SetupTable, load_protocol

if TYPE_CHECKING:
    from igrt.images.records import Plan

REACH_MM = 80.0
ALLOWED_ERROR_MM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """Where the demo plays: the folders of the patients' files and of the reports, the engine, the linac, and who is told of progress."""

    patients: Path
    reports: Path
    client: Client
    linac: Linac
    progress: ProgressCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of a fraction.

    `error_mm` is None where there is no correction; `objections` is empty where all is as it must be,
    `chain` what was done with the proposal.
    """

    fraction: Fraction
    heard: Heard
    error_mm: float | None
    report: Path
    plan_folder: Path
    daily_folder: Path
    objections: tuple[str, ...]
    chain: Chain = field(default_factory=Chain)


def play(fraction: Fraction, number: int, ground: Playground) -> Played:
    """Makes the files that are not there yet, has the engine answer, judges the answer by the truth, writes the report."""
    patient = PATIENTS[fraction.patient]
    plan_folder = ground.patients / patient.name / "plan"
    if not plan_folder.exists():
        make_plan(patient, ground.patients, approval=Approval.APPROVED, progress=ground.progress)
    daily_folder = make_image(fraction, ground.patients, progress=ground.progress)
    plan, daily = load_plan(plan_folder), load_today(daily_folder)
    ground.progress("engine loads the plan", 0.0)
    with engine_errors():
        patient_on_couch(ground.linac, plan, fraction=number)
        ground.client.load_plan(plan_folder, protocol=patient.protocol, fraction=number)
        heard = send_and_hear(ground.client, daily, progress=ground.progress, couch=readout(ground.linac.couch))
        chain = _bring_home(fraction, heard, ground)
    error_mm = error_of(heard, fraction, plan)
    report = ground.reports / f"{number}-{patient.name}-{fraction.name}.html"
    html.write(report, html.render(heard.answer, plan=plan, daily=daily, kv=load_machine().kv, steps=chain.steps))
    expected = expected_verdicts(fraction, load_protocol(patient.protocol).tables.setup)
    return Played(
        fraction=fraction,
        heard=heard,
        error_mm=error_mm,
        report=report,
        plan_folder=plan_folder,
        daily_folder=daily_folder,
        objections=objections(heard, error_mm, expected) + tuple(chain.objections),
        chain=chain,
    )


def _bring_home(fraction: Fraction, heard: Heard, ground: Playground) -> Chain:
    """What becomes of the proposal, where there is one."""
    if heard.proposal is None:
        return Chain()

    def image_again(left: Correction, couch: CouchReadout, number: int) -> Proposal | None:
        name = f"{fraction.name}-verification-{number}"
        again = replace(fraction, name=name, correction=left, seed=1000 + fraction.seed + number, kv=False)
        daily = load_daily(make_daily(again, ground.patients, progress=ground.progress))
        return send_and_hear(ground.client, daily, progress=ground.progress, couch=couch).proposal

    ground.progress("approval, claim, couch", 0.0)
    anyway = ["a cone-beam CT follows the pair of radiographs"] if fraction.kv else []
    return bring_home(ground.client, ground.linac, heard.proposal, error=fraction.correction, image_again=image_again, anyway=anyway)


def expected_verdicts(fraction: Fraction, tolerance: SetupTable) -> tuple[Verdict, ...]:
    """Someone else must be refused; a set-up error beyond the protocol's warning must be told; any other passes."""
    if fraction.impostor_seed is not None:
        return (Verdict.REFUSED,)
    known: Correction = fraction.correction
    length_mm = float(np.linalg.norm(known.motion.translation_mm))
    angle_deg = max(abs(known.pitch_deg), abs(known.roll_deg), abs(known.yaw_deg))
    if length_mm > tolerance.translation_mm.warn or angle_deg > tolerance.rotation_deg.warn:
        return (Verdict.CAUTION, Verdict.STOP)
    return (Verdict.PROCEED,)


def error_of(heard: Heard, fraction: Fraction, plan: Plan) -> float | None:
    """Largest displacement (mm) between answer and truth at the corners of a cube of +-80 mm about the isocentre."""
    if heard.answer["plan_from_daily"] is None:
        return None
    answer = RigidMotion.from_matrix(heard.answer["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
    truth = plan_from_daily(fraction.correction, isocentre_mm=plan.isocentre_mm, position=plan.position)
    if fraction.kv:  # whose daily frame has the machine isocentre at the plan isocentre's coordinates, and not at zero
        truth = truth @ RigidMotion(Frame.DAILY, Frame.DAILY, np.eye(3), -plan.isocentre_mm)
    corners = plan.isocentre_mm + np.array(list(itertools.product((-REACH_MM, REACH_MM), repeat=3)))
    return float(np.linalg.norm((answer @ truth.inverse()).apply(corners) - corners, axis=1).max())


def objections(heard: Heard, error_mm: float | None, expected: tuple[Verdict, ...]) -> tuple[str, ...]:
    """What is not as it must be; the demo fails on any."""
    said = []
    verdict = Verdict(heard.answer["verdict"])
    if verdict not in expected:
        said.append(f"the verdict is {verdict}, not {' or '.join(expected)}")
    if error_mm is not None and not error_mm <= ALLOWED_ERROR_MM:
        said.append(f"the correction is {error_mm:.2f} mm from the truth, more than {ALLOWED_ERROR_MM:g} mm")
    if verdict is not Verdict.PROCEED and not heard.alerts:
        said.append("the engine raised no alert")
    return tuple(said)
