"""From a proposal to the couch and back, in the demo: approved, claimed, moved, read back, imaged again where that is asked for, treated.

Therapist and linac are the simulation's, and say so; the patient is carried by the simulated couch, whose kinematics are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import EngineSilentError
from igrt.bus.sockets import Endpoints
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import Correction
from igrt.images.records import Plan
from igrt.reports.words import figure
from igrt.simulation.couch import SimulatedCouch, carry, simple_mechanics
from igrt.simulation.linac import UNITS, Linac, readout
from igrt.simulation.therapist import NAME, Therapist
from igrt.verification.superseding import OF_TWO_IMAGES

COUCH = SimulatedCouch(mechanics=simple_mechanics(), lateral_mm=5.0, longitudinal_mm=-120.0, vertical_mm=-140.0)
STEP_TIMEOUT_S = 60.0
MOST_LEFT_MM = 0.5
MOST_LEFT_DEG = 0.5
MOST_IMAGES = 3
ASKED = "A verification image is required before the beam: "

ImageAgain = Callable[[Correction, m.CouchReadout, int], m.Proposal | None]
"""Images the patient, of whose set-up error this much is left, with the couch there, for the n-th time; None where it is refused."""


@dataclass(slots=True)
class Chain:
    """What became of a proposal: each step as a heading and its words; `left` is the truth after the last move, None where none was made.

    `objections` is empty where all is as it must be.
    """

    steps: list[tuple[str, str]] = field(default_factory=list)
    left: Correction | None = None
    verified: bool = False
    objections: list[str] = field(default_factory=list)

    def tell(self, heading: str, words: str) -> None:
        """One step more."""
        self.steps.append((heading, words))


@contextmanager
def treatment_room(engine: Endpoints | Path) -> Iterator[Linac]:
    """A simulated therapist and a simulated linac that follow the engine."""
    linac, therapist = Linac(engine, couch=COUCH, loaded=None), Therapist(engine)
    for thread in (linac, therapist):
        thread.start()
    try:
        yield linac
    finally:
        for thread in (linac, therapist):
            thread.end()


def patient_on_couch(linac: Linac, plan: Plan, *, fraction: int) -> None:
    """The next patient lies down: the couch at its place, the plan loaded at the linac."""
    identity = plan.identity
    x_mm, y_mm, z_mm = plan.isocentre_mm.tolist()
    linac.couch = COUCH
    linac.loaded = m.LoadedPlan(
        patient_id=identity.patient_id,
        plan_uid=identity.plan_uid,
        plan_revision=identity.plan_revision,
        plan_approval=identity.plan_approval,
        fraction=fraction,
        isocentre_mm=(x_mm, y_mm, z_mm),
        beam=identity.beams[0],
        machine="research-default",
    )


def bring_home(
    client: Client, linac: Linac, proposal: m.Proposal, *, error: Correction, image_again: ImageAgain, anyway: Sequence[str] = ()
) -> Chain:
    """Follow a proposal until the beam has been on, or until it goes no further; `error` is the correction that would be right.

    `anyway` are reasons for an image after the first move that the engine does not ask for.
    """
    chain = Chain(left=error)
    try:
        for number in range(1, MOST_IMAGES + 1):
            before = linac.couch
            if not _released(client, proposal, chain):
                return chain
            needed = _moved(client, chain)
            if needed is None:
                return chain
            assert chain.left is not None
            chain.left = remaining(chain.left, start=before, now=linac.couch)
            also = anyway if number == 1 else ()
            if not needed and not also:
                _treated(client, linac, chain)
                return chain
            causes = "; ".join([*(why.removeprefix(ASKED).rstrip(".") for why in needed), *also])
            chain.tell("Image again", f"required before the beam: {causes}" if needed else causes)
            again = image_again(chain.left, readout(linac.couch), number)
            if again is None:
                chain.objections.append("the verification image was refused")
                return chain
            _verified(again, chain)
            proposal = again
        chain.objections.append(f"{MOST_IMAGES} images did not bring the patient home")
    except EngineSilentError as problem:
        chain.objections.append(f"the engine said nothing of the next step ({problem})")
    return chain


def _released(client: Client, proposal: m.Proposal, chain: Chain) -> bool:
    """Whether the therapist approves and the guard releases."""
    if proposal.answer["verdict"] == "stop":
        chain.tell("Approval", f"none: the {NAME} approves no stop; nothing is released and the couch stays")
        chain.left = None
        return False
    approved = client.wait_for(m.Approved, timeout_s=STEP_TIMEOUT_S)
    chain.tell("Approval", f"by the {approved.by}")
    claimed = client.wait_for((m.Claimed, m.ClaimDenied), timeout_s=STEP_TIMEOUT_S)
    if isinstance(claimed, m.ClaimDenied):
        chain.tell("Claim", f"denied: {' '.join(denial.sentence for denial in claimed.denials)}")
        chain.objections.append("the guard denied the claim")
        return False
    assert isinstance(claimed, m.Claimed)
    chain.tell("Claim", f"released to the simulated linac, once, to move the couch to {_place(claimed.release.target)}")
    return True


def _moved(client: Client, chain: Chain) -> list[str] | None:
    """Why a verification image is needed, empty where none is; None where the couch did not arrive."""
    closed = client.wait_for(m.ChainClosed, timeout_s=STEP_TIMEOUT_S)
    assert isinstance(closed, m.ChainClosed)
    if not closed.within:
        chain.tell("Couch", f"not where it was sent: {' '.join(closed.faults)}")
        chain.objections.append("the couch is not where it was sent")
        return None
    apart_mm = max(abs(getattr(closed.difference, axis)) for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm"))
    apart_deg = max(abs(getattr(closed.difference, axis)) for axis in ("pitch_deg", "roll_deg", "yaw_deg"))
    chain.tell("Couch", f"moved and read back: {apart_mm:.1f} mm and {apart_deg:.1f}° from the target; the chain is closed")
    return closed.verification


def _verified(proposal: m.Proposal, chain: Chain) -> None:
    """What the verification image asks for, and what is left in truth."""
    asked, left = proposal.answer["correction"], chain.left
    assert left is not None
    asked_mm = float(np.linalg.norm([asked[axis] for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm")]))
    asked_deg = max(abs(asked[axis]) for axis in ("pitch_deg", "roll_deg", "yaw_deg"))
    left_mm, left_deg = size_of(left)
    words = f"the image asks for {asked_mm:.2f} mm and {asked_deg:.2f}° more; in truth {left_mm:.2f} mm and {left_deg:.2f}° are left"
    chain.tell("Verified", words)
    chain.verified = True
    _beside(proposal, chain)
    if not (left_mm <= MOST_LEFT_MM and left_deg <= MOST_LEFT_DEG):
        chain.objections.append(f"the couch left {left_mm:.2f} mm and {left_deg:.2f}°")


def _beside(proposal: m.Proposal, chain: Chain) -> None:
    """How far the image differs from an earlier one of another kind, where there is one."""
    for finding in proposal.answer["findings"]:
        if finding["code"] in OF_TWO_IMAGES:
            chain.tell("Compared", finding["sentence"])
            if finding["value"] is None or finding["level"] != "inform":
                chain.objections.append("two images of a patient who lay still differ, or were not compared")


def _treated(client: Client, linac: Linac, chain: Chain) -> None:
    """The beam, on and off again."""
    assert chain.left is not None
    states = [client.report_machine(linac.loaded, beam_on=on, simulated=True, units=UNITS).state for on in (True, False)]
    left_mm, left_deg = size_of(chain.left)
    chain.tell("Beam", f"on and off again; the patient lay {left_mm:.2f} mm and {left_deg:.2f}° from the plan")
    if states != ["delivering", "ready"]:
        chain.objections.append(f"with the beam on and off the session was {' and '.join(states)}")
    if not (left_mm <= MOST_LEFT_MM and left_deg <= MOST_LEFT_DEG):
        chain.objections.append(f"the patient was treated {left_mm:.2f} mm and {left_deg:.2f}° from the plan")


def remaining(correction: Correction, *, start: SimulatedCouch, now: SimulatedCouch) -> Correction:
    """What is left of a correction once the couch has gone from `start` to `now`, by the couch's own kinematics."""
    origin, *axes = np.array(carry([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], start=start, now=now))
    made = RigidMotion(Frame.FIXED, Frame.FIXED, (np.array(axes) - origin).T, origin)
    return Correction.from_motion(correction.motion @ made.inverse())


def size_of(correction: Correction) -> tuple[float, float]:
    """Length of the shift (mm) and largest angle (degrees)."""
    angle_deg = max(abs(correction.pitch_deg), abs(correction.roll_deg), abs(correction.yaw_deg))
    return float(np.linalg.norm(correction.motion.translation_mm)), angle_deg


def _place(couch: m.CouchReadout) -> str:
    shifts = ", ".join(figure(value) for value in (couch.lateral_mm, couch.longitudinal_mm, couch.vertical_mm))
    turns = ", ".join(figure(value) for value in (couch.pitch_deg, couch.roll_deg, couch.yaw_deg))
    return f"{shifts} mm, {turns}°"
