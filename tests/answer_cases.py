"""Small plans, daily images and matches for tests of verification and answer: built, never read from disk."""

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
from hypothesis import strategies as st

from igrt.answer import verify
from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, fixed_from_daily, fixed_from_plan
from igrt.images.records import Daily, Plan, PlanIdentity, Structure, StructureKind
from igrt.registration.match import Evidence, Match

ISOCENTRE_MM = np.array([12.0, -34.0, 56.0])
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GOOD = Evidence(
    overlap=0.99,
    similarity=0.8,
    inliers=0.9,
    second_start_offset_mm=25.0,
    second_start_offset_deg=6.0,
    second_start_difference_mm=0.02,
    translation_sd_mm=(0.01, 0.01, 0.02),
    rotation_sd_deg=(0.01, 0.01, 0.01),
    observability=0.2,
    samples=20_000,
    iterations=12,
    converged=True,
    swap_difference_mm=0.1,
    second_metric_offset_mm=0.2,
    second_metric=0.9,
    rival_margin=1.2,
    vertebra_score=0.95,
    vertebra_margin=0.6,
    mirror_margin=0.7,
    stretch=0.001,
    region_residual_mm=0.2,
    target_residual_mm=0.1,
    identity=0.98,
)


def box(name, kind, centre_mm, half_mm=10.0):
    """An axis-aligned box delineated on slices 2.5 mm apart, plan LPS."""
    x, y, z = np.asarray(centre_mm, float)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half_mm + [x, y]
    heights = z + np.arange(-half_mm, half_mm + 0.1, 2.5)
    return Structure(name, StructureKind(kind), tuple(np.c_[square, np.full(4, h)] for h in heights))


def make_plan(structures=None, *, position=PatientPosition.HFS, isocentre_mm=ISOCENTRE_MM, patient_id="P1", frame_uid="1.2.3"):
    """A plan on a small CT about `ISOCENTRE_MM`; by default with one CTV and one organ."""
    if structures is None:
        structures = (box("CTV", "CTV", ISOCENTRE_MM), box("Cord", "ORGAN", ISOCENTRE_MM + np.array([0, 30, 0]), 5.0))
    origin = np.floor(ISOCENTRE_MM / 2.5) * 2.5 - 100.0
    grid = Grid.aligned(Frame.PLAN, shape_kji=(81, 81, 81), origin_mm=origin, spacing_mm=(2.5, 2.5, 2.5))
    identity = PlanIdentity(patient_id, "Doe^Jo", "plan", "1.2", frame_uid)
    return Plan(
        Volume(grid, np.zeros((81, 81, 81), np.int16)), position, isocentre_mm, tuple(structures), identity, "f" * 64, "plan folder"
    )


def make_daily(*, position=PatientPosition.HFS, isocentre_mm=(0.0, 0.0, 0.0), patient_id="P1", frame_uid="1.2.9"):
    """A daily image about 0 0 0."""
    grid = Grid.aligned(Frame.DAILY, shape_kji=(41, 41, 41), origin_mm=(-100.0, -100.0, -100.0), spacing_mm=(5.0, 5.0, 5.0))
    isocentre = None if isocentre_mm is None else np.array(isocentre_mm, float)
    return Daily(Volume(grid, np.zeros((41, 41, 41), np.int16)), position, isocentre, patient_id, frame_uid, "daily folder")


def make_match(plan, daily, correction=None, *, sd_mm=0.02, sd_deg=0.02, table_angle_deg=0.0, image_axes="room", **evidence):
    """The match from which `correction` (fixed axes, by default none needed) follows."""
    motion = (correction or still()).motion
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=table_angle_deg)
    now = fixed_from_daily(
        isocentre_mm=daily.isocentre_mm, position=daily.position, table_angle_deg=table_angle_deg, image_axes=image_axes
    )  # fmt: skip
    covariance = np.diag([sd_mm**2] * 3 + [np.radians(sd_deg) ** 2] * 3)
    return Match(goal.inverse() @ motion @ now, covariance, dataclasses.replace(GOOD, **evidence))


def still(**values):
    """A correction of zero but for `values`."""
    zero = dict.fromkeys(("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"), 0.0)
    return Correction(**{**zero, **values})


def corrections(shift_mm=25.0, turn_deg=4.0):
    """Corrections within the re-set-up limit."""
    shift, turn = st.floats(-shift_mm, shift_mm), st.floats(-turn_deg, turn_deg)
    return st.builds(
        Correction, lateral_mm=shift, longitudinal_mm=shift, vertical_mm=shift, pitch_deg=turn, roll_deg=turn, yaw_deg=turn
    )  # fmt: skip


def rotations():
    """Proper rotations of any size."""
    angle = st.floats(-180.0, 180.0)
    return st.builds(lambda p, r, y: rotation_from_angles(pitch_deg=p, roll_deg=r, yaw_deg=y), st.floats(-89.0, 89.0), angle, angle)


def fixed_motion(rotation, translation_mm=(0.0, 0.0, 0.0)):
    """`fixed_from_fixed`."""
    return RigidMotion(Frame.FIXED, Frame.FIXED, rotation, np.asarray(translation_mm, float))


PLAN, DAILY = make_plan(), make_daily()


def answer(correction=None, *, plan=PLAN, daily=DAILY, evidence=None, match=None, **settings):
    """The answer to a match from which `correction` follows."""
    table_angle_deg = settings.get("table_angle_deg", 0.0)
    given_match = match or make_match(plan, daily, correction, table_angle_deg=table_angle_deg, **(evidence or {}))
    return verify(plan, daily, matcher=lambda *_: given_match, now=NOW, **settings)


def strict_json(result):
    """Through text and back; ValueError where it holds NaN or infinity."""
    return json.loads(json.dumps(result.to_json(), allow_nan=False))
