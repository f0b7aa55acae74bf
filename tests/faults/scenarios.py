"""What the kills play with: small images and a worker that needs none, or a phantom's plan and image and the true worker."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.compute.volume import Volume
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.images.load import load_daily, load_plan
from igrt.images.write import Approval
from igrt.simulation.patients import PATIENTS, Fraction, make_daily, make_plan
from tests.bus.chain_cases import LOADED
from tests.bus.conftest import make_volume

GO, STOP, REFUSE = "go", "stop", "refuse"
"""Plans: one whose answers are to be followed, one whose verdict is stop, one whose answers are refused."""
ANY = (GO, STOP, REFUSE)


@dataclass(frozen=True)
class PlanOf:
    """A plan, and what the linac says that it has loaded of it."""

    path: Path
    loaded: m.LoadedPlan
    protocol: str | None = None


@dataclass(frozen=True)
class Scenario:
    """`image` is the one image there is, None for another of each name; `announced` goes into `begin_image`.

    An answer takes `answer_s` at most; an image that is to expire lives for `short_s`.
    """

    worker: tuple[str, ...]
    plans: Mapping[str, PlanOf]
    image: Volume | None = None
    announced: Mapping[str, Any] = field(default_factory=lambda: {"position": PatientPosition.HFS})
    answer_s: float = 1.0
    short_s: float = 0.25

    def kind_of(self, patient_id: str | None) -> str:
        """Which plan is in use."""
        return next((kind for kind, plan in self.plans.items() if plan.loaded.patient_id == patient_id), GO)

    def volume(self, image_id: str) -> Volume:
        """The image of this name: always the same voxels."""
        return self.image or make_volume(seed=zlib.crc32(image_id.encode()))


def small(folder: Path) -> Scenario:
    """Images of 600 voxels."""
    behaviours = {GO: {}, STOP: {"verdict": "stop"}, REFUSE: {"outcome": "refused", "verdict": "refused"}}
    plans = {}
    for kind, behaviour in behaviours.items():
        path = folder / f"{kind}.json"
        path.write_bytes(msgspec.json.encode({"patient_id": kind, **behaviour}))
        plans[kind] = PlanOf(path, msgspec.structs.replace(LOADED, patient_id=kind, fraction=4))
    return Scenario((sys.executable, "-m", "tests.faults.faults_worker"), plans)


def phantom(folder: Path) -> Scenario:
    """A head with a set-up error below every limit; what is refused is its image on the plan of a thorax."""
    error = Correction(lateral_mm=1.5, longitudinal_mm=-1.0, vertical_mm=1.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
    fraction = Fraction(name="image", patient="head", correction=error, seed=500, shows="a small set-up error")
    daily = load_daily(make_daily(fraction, folder, coarser=2))
    plans = {}
    for kind, patient in ((GO, PATIENTS["head"]), (REFUSE, PATIENTS["thorax"])):
        path = make_plan(patient, folder, coarser=2, approval=Approval.APPROVED)
        identity, (x, y, z) = load_plan(path).identity, patient.anatomy.isocentre_mm.tolist()
        loaded = msgspec.structs.replace(
            LOADED,
            patient_id=identity.patient_id,
            plan_uid=identity.plan_uid,
            plan_revision=identity.plan_revision,
            isocentre_mm=(x, y, z),
            beam=identity.beams[0],
        )
        plans[kind] = PlanOf(path, loaded, PATIENTS["head"].protocol)
    x, y, z = daily.isocentre_mm.tolist() if daily.isocentre_mm is not None else (0.0, 0.0, 0.0)
    announced = {"position": daily.position, "isocentre_mm": (x, y, z), "frame_of_reference_uid": daily.frame_of_reference_uid}
    return Scenario((), plans, daily.volume, announced, answer_s=30.0, short_s=1.0)
