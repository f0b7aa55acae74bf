"""Pictures of fault-injection cases: the planning CT and the daily image side by side at the answer, the target's isocentre crossed."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from evidence_anatomies import Doubles
from evidence_cases import Case, scene_of
from evidence_people import People
from evidence_statistics import Line, Rules, wrong

from igrt.compute import device
from igrt.compute.volume import Volume
from igrt.geometry.motion import RigidMotion
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid

HALF_MM, PIXELS, WINDOW_HU = 90.0, 240, (-500.0, 600.0)
AXES = ((0, 1), (0, 2), (1, 2))  # transverse, frontal, sagittal


def missed(rules: Rules, lines: Sequence[Line], anatomies: Path, out: Path) -> None:
    """A picture of each wrong answer that nothing refuses, named by its case."""
    bad = [line for line in lines if wrong(line)]
    for line, caught in zip(bad, rules.refusing(bad).any(axis=1), strict=True):
        if not caught:
            case = Case(line["site"], line["seed"], line["fault"], line["n"])
            cv2.imwrite(
                str(out / f"evidence-missed-{case.key.replace(' ', '-')}.jpg"), picture(case, People(anatomies, device.choose(None).verbs))
            )


def picture(case: Case, people: People) -> np.ndarray:
    """Plan above, daily image at the answer in the middle, at the truth below; three planes through the plan isocentre, 180 mm wide."""
    scene, rng = scene_of(case, people)
    ct = people.plan(scene.patient)
    image = scene.image(rng, people.verbs)
    plan, daily = prepare_plan(ct, people.verbs), prepare_daily(image, people.verbs)
    match = match_rigid(plan, daily, start=scene.start, isocentre_mm=scene.target.isocentre_mm, verbs=people.verbs)
    centre = scene.target.isocentre_mm
    rows = [_planes(ct, centre, None, people)]
    rows += [_planes(image, centre, pose.inverse(), people) for pose in (match.plan_from_daily, scene.truth)]
    return np.vstack(rows)


def _planes(volume: Volume, centre_mm: Doubles, volume_from_plan: RigidMotion | None, people: People) -> np.ndarray:
    along = np.linspace(-HALF_MM, HALF_MM, PIXELS)
    planes = []
    for across, down in AXES:
        points = np.tile(centre_mm, (PIXELS, PIXELS, 1))
        points[..., across] += along
        points[..., down] += along[::-1, None] if down == 2 else along[:, None]  # the head is up
        flat = points.reshape(-1, 3)
        hu = people.verbs.interpolate(volume, flat if volume_from_plan is None else volume_from_plan.apply(flat)).reshape(PIXELS, PIXELS)
        low, high = WINDOW_HU
        grey = np.clip((np.nan_to_num(hu, nan=low) - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        grey[PIXELS // 2, ::4] = grey[::4, PIXELS // 2] = 255
        planes.append(grey)
    return np.hstack(planes)
