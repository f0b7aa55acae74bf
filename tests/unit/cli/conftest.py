"""Two small volume files of one anatomy, the second shifted, and a matcher that finds what a test wants."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import igrt.answer
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Hypothesis, Match, RegionResidual
from tests.answer_cases import GOOD


def write_ball(path: Path, *, centre_mm: tuple[float, float, float]) -> Path:
    k, j, i = np.indices((32, 40, 40))
    position = np.stack([i, j, k], -1) * 4.0 + [-78, -78, -62]
    distance = np.linalg.norm(position - centre_mm, axis=-1)
    hu = np.where(distance < 55, 40, -1000) + np.where(np.linalg.norm(position - centre_mm - [10, 5, 5], axis=-1) < 15, 600, 0)
    image = SimpleITK.GetImageFromArray(hu.astype(np.int16))
    image.SetSpacing((4.0, 4.0, 4.0))
    image.SetOrigin((-78.0, -78.0, -62.0))
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("images")
    return write_ball(folder / "plan.mha", centre_mm=(0, 0, 0)), write_ball(folder / "daily.mha", centre_mm=(2, 0, 0))


@pytest.fixture
def usage(images) -> list[str]:
    plan, daily = images
    return ["verify", "--plan", str(plan), "--daily", str(daily), "--isocentre", "0", "-4", "-2.5", "--position", "HFS"]


@pytest.fixture
def found(monkeypatch):
    """Have every match come out as the given shift (mm) and disagreement of the second start (mm)."""
    real = igrt.answer.verify

    def arrange(shift_mm: tuple[float, float, float], second_start_difference_mm: float = 0.02) -> None:
        evidence = replace(GOOD, similarity=0.85, second_start_difference_mm=second_start_difference_mm)
        pose = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), np.array(shift_mm))
        match = Match(
            plan_from_daily=pose,
            covariance=np.diag([4e-4] * 3 + [1e-7] * 3),
            evidence=evidence,
            hypotheses=(Hypothesis(1, 24.0, pose, 0.4),),
            regions=(RegionResidual((0.0, 0.0, 0.0), (0.1, 0.2, 0.3), (0.0, 0.0, 0.0), 0.2),),
        )
        monkeypatch.setattr(igrt.answer, "verify", lambda *images, **settings: real(*images, **settings, matcher=lambda *_: match))

    return arrange
