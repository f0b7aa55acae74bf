"""A case of the fault-injection benchmark before it is matched: who is planned, who is imaged, how; what a good one draws.

A good case has a pose as clinics see it (Student's t, 4 degrees of freedom, a deviation of 4 mm and 1.5 degrees, cut at 20 mm and
5 degrees) and an image with noise, cupping, rings, gas, metal and breath of moderate size; a third are treated at a vertebra, and
fields are as scanners have them: 250 mm wide about a head, 260 or 340 mm about a body, 96 to 173 mm long.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from evidence_anatomies import Doubles
from evidence_images import Bead, Bend, Field, Look, carried, cone_beam, noise
from evidence_people import Person, Stored, Target
from hard_images import correction

from igrt.compute.device import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.simulation.patients import plan_from_daily

SPINE_SHARE = 0.33  # of good cases, treated at a vertebra
START_SD_MM, START_MAX_MM = 4.0, 12.0  # for images that are there, whose pose is what it is
ADDED_NOISE_HU = 20.0  # to such images at most, which have noise of their own


@dataclass
class Scene:
    """A case about to be imaged and matched; `edits` change the image after it was made, as a wrong header does.

    `impossible`: no answer is right, for this is not the anatomy of the plan. `start_only`: the image is good, the start alone is not.
    """

    patient: Person
    target: Target
    target_name: str
    shown: Person
    truth: RigidMotion
    start: RigidMotion
    field: Field
    look: Look
    bends: list[Bend] = field(default_factory=list)
    edits: list[Callable[[Volume], Volume]] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    impossible: bool = False
    start_only: bool = False
    stored: Volume | None = None

    def image(self, rng: np.random.Generator, verbs: Verbs) -> Volume:
        """The daily image, as it arrives."""
        if self.stored is None:
            daily = cone_beam(
                self.shown, plan_from_daily=self.truth, field=self.field, look=self.look, rng=rng, verbs=verbs, bends=self.bends
            )
        else:
            daily = self.stored
        for edit in self.edits:
            daily = edit(daily)
        return daily

    def errors_mm(self, answer: RigidMotion) -> Doubles:
        """(n, 3) how far off the answer would put every target vertex (plan LPS): the couch moves the patient, whatever the header says."""
        there = self.truth.inverse().apply(carried(self.target.vertices_mm, self.bends))
        return answer.apply(there) - self.target.vertices_mm


def draw_look(rng: np.random.Generator, site: str) -> Look:
    """What a usual image has."""
    gas, metal = rng.random() < 0.4, rng.random() < 0.25
    breath = {"head": 0.0, "thorax": rng.random() < 0.6, "pelvis": 0.3 * (rng.random() < 0.4)}.get(site, 0.0)
    return Look(
        gain=rng.uniform(0.8, 1.05),
        offset_hu=rng.normal(-30, 40),
        noise_hu=rng.uniform(10, 60),
        cupping_hu=rng.uniform(-40, 200),
        shading_hu=tuple(rng.normal(0, 25, 3)),
        rings=tuple((rng.uniform(3, 110), rng.normal(0, 15)) for _ in range(rng.integers(0, 4))),
        gas=tuple(Bead(rng.uniform(-60, 60, 3), rng.uniform(5, 12)) for _ in range(rng.integers(1, 5) if gas else 0)),
        metal=tuple(Bead(rng.uniform(-60, 60, 3), rng.uniform(1.5, 4.5)) for _ in range(rng.integers(1, 4) if metal else 0)),
        streak_hu=rng.uniform(50, 250),
        breath_mm=float(breath) * rng.uniform(2, 10),
    )


def draw_field(rng: np.random.Generator, site: str, target: str) -> Field:
    """What scanners reconstruct; a pelvis is not made above its third lumbar vertebra, so that its spine has a shorter field."""
    along = int(rng.integers(40, 51 if (site, target) == ("pelvis", "spine") else 73))
    if site == "head":
        return Field(radius_mm=125.0, voxel_mm=(2.0, 2.4), across=128, along=along)
    if rng.random() < 0.3:
        return Field(radius_mm=130.0, voxel_mm=(2.4, 2.4), across=112, along=along)
    return Field(radius_mm=170.0, voxel_mm=(2.4, 2.4), across=144, along=along)


def good(patient: Person, rng: np.random.Generator, target_name: str | None = None, stored: Stored | None = None) -> Scene:
    """A patient as they are set up and imaged on most days."""
    name = target_name or ("spine" if rng.random() < SPINE_SHARE else "site")
    target = patient.targets[name]
    pose = plan_from_daily(correction(rng), isocentre_mm=target.isocentre_mm, position=PatientPosition.HFS)
    start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), target.isocentre_mm)
    look = draw_look(rng, "head" if patient.real else patient.kind)  # a real CT holds the breath of its own
    scene = Scene(patient, target, name, patient, pose, start, draw_field(rng, patient.kind, name), look)
    if stored is not None:  # the set-up error is in the image: what varies is where the match starts, and noise
        scene.stored, scene.truth = noisy(stored.image, rng.uniform(0, ADDED_NOISE_HU), rng), stored.plan_from_daily
        shift = np.clip(START_SD_MM * rng.standard_normal(3), -START_MAX_MM, START_MAX_MM)
        scene.start = RigidMotion(Frame.PLAN, Frame.DAILY, stored.start.rotation, stored.start.translation_mm + shift)
    return scene


def noisy(image: Volume, sd_hu: float, rng: np.random.Generator) -> Volume:
    """An image with more noise, the padding of its field left alone."""
    added = np.rint(sd_hu * noise(image.grid.shape_kji, rng)).astype(np.int16)
    padding = image.hu == image.hu[0, 0, 0]
    return Volume(image.grid, np.where(padding, image.hu, np.clip(image.hu + added, -1024, 3071)).astype(np.int16))
