"""A match is a pose plan_from_daily with a finite covariance, or is not built."""

import numpy as np
import pytest

from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import NOT_KNOWN, NOT_SCORED, Evidence, Match, measured

EVIDENCE = Evidence(1.0, 0.9, 1.0, 25.0, 6.0, 0.0, (0.1, 0.1, 0.1), (0.1, 0.1, 0.1), 0.2, 1000, 10, converged=True)


def test_a_match_holds_what_it_was_given() -> None:
    pose = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    match = Match(pose, np.eye(6), EVIDENCE)
    assert match.plan_from_daily is pose
    assert not match.covariance.flags.writeable


@pytest.mark.parametrize("frames", [(Frame.DAILY, Frame.PLAN), (Frame.PLAN, Frame.PLAN)])
def test_only_plan_from_daily_is_a_match(frames) -> None:
    with pytest.raises(ValueError, match="a match is plan_from_daily"):
        Match(RigidMotion.identity(target=frames[0], source=frames[1]), np.eye(6), EVIDENCE)


@pytest.mark.parametrize("covariance", [np.eye(3), np.full((6, 6), np.nan)])
def test_a_covariance_is_six_by_six_and_finite(covariance) -> None:
    with pytest.raises(ValueError, match="match covariance"):
        Match(RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY), covariance, EVIDENCE)


def test_what_was_not_measured_is_worse_than_anything_measured() -> None:
    for name in ("second_metric", "rival_margin", "vertebra_score", "vertebra_margin", "mirror_margin", "identity"):
        assert getattr(EVIDENCE, name) == NOT_SCORED < -2
    for name in ("swap_difference_mm", "second_metric_offset_mm", "stretch", "region_residual_mm", "target_residual_mm"):
        assert getattr(EVIDENCE, name) == NOT_KNOWN > 500
    assert not measured(NOT_SCORED)
    assert not measured(NOT_KNOWN)
    assert all(measured(value) for value in (0.0, -1.0, 1.0, 80.0))
