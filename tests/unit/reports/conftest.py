"""A small plan, its daily image and the public JSON of an answer, for pages."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from igrt.answer import verify
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.images.records import Daily, Plan, PlanIdentity, Structure, StructureKind
from igrt.registration.match import Match
from tests.answer_cases import GOOD

NAME = "Müller^Jörg <script>alert('x')</script>"


def ball(
    frame: Frame, *, centre_mm: tuple[float, float, float], shape: tuple[int, int, int], spacing_mm: float, radius_mm: float
) -> Volume:
    grid = Grid.aligned(frame, shape_kji=shape, origin_mm=-(np.array(shape[::-1]) - 1) / 2 * spacing_mm, spacing_mm=[spacing_mm] * 3)
    k, j, i = np.indices(shape)
    distance = np.linalg.norm(grid.position_mm(np.stack([i, j, k], -1)) - centre_mm, axis=-1)
    hu = np.where(distance < radius_mm, 40, -1000) + np.where(distance < radius_mm / 3, 700, 0)
    return Volume(grid, np.ascontiguousarray(hu, np.int16))


def square(half_mm: float) -> tuple[np.ndarray, ...]:
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half_mm
    return tuple(np.column_stack([corners, np.full(4, z)]) for z in np.arange(-half_mm, half_mm + 1, 4.0))


@pytest.fixture(scope="session")
def plan() -> Plan:
    return Plan(
        ct=ball(Frame.PLAN, centre_mm=(0, 0, 0), shape=(24, 40, 40), spacing_mm=4, radius_mm=60),
        position=PatientPosition.HFS,
        isocentre_mm=np.zeros(3),
        structures=(Structure("PTV <1>", StructureKind.PTV, square(20)), Structure("body", StructureKind.EXTERNAL, square(40))),
        identity=PlanIdentity(patient_id="0042 & co", patient_name=NAME, plan_label="Lunge", plan_uid="1.2", frame_of_reference_uid="1.3"),
        fingerprint="ab" * 32,
        source="plan folder",
    )


@pytest.fixture(scope="session")
def daily() -> Daily:
    return Daily(
        volume=ball(Frame.DAILY, centre_mm=(8, 0, 0), shape=(20, 36, 36), spacing_mm=4, radius_mm=60),
        position=PatientPosition.HFS,
        isocentre_mm=np.zeros(3),
        patient_id="0042 & co",
        frame_of_reference_uid=None,
        source="daily folder",
    )


@pytest.fixture(scope="session")
def start() -> RigidMotion:
    return RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)


def match(shift_mm: tuple[float, float, float], *, second_start_difference_mm: float = 0.02) -> Match:
    evidence = replace(GOOD, similarity=0.85, second_start_difference_mm=second_start_difference_mm)
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array(shift_mm))
    return Match(plan_from_daily=pose, covariance=np.diag([4e-4] * 3 + [1e-7] * 3), evidence=evidence)


@pytest.fixture(scope="session")
def accepted(plan: Plan, daily: Daily) -> dict[str, Any]:
    return verify(plan, daily, matcher=lambda *_: match((-8.0, 0.0, 0.0))).to_json()


@pytest.fixture(scope="session")
def refused(plan: Plan, daily: Daily) -> dict[str, Any]:
    return verify(plan, daily, matcher=lambda *_: match((-8.0, 0.0, 0.0), second_start_difference_mm=14.2)).to_json()
