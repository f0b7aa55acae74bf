"""Simulated radiographs: where the camera is, what the panel counts, and a whole fraction found again."""

import json

import numpy as np
import pytest

from igrt.answer import verify
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.load import load_plan
from igrt.images.today import load_today
from igrt.simulation.patients import FRACTIONS, PATIENTS, make_plan
from igrt.simulation.radiographs import UNATTENUATED, camera_at, make_radiographs

COARSER = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    fraction = next(f for f in FRACTIONS if f.patient == "head" and f.impostor_seed is None)
    return make_plan(PATIENTS["head"], folder, coarser=2), make_radiographs(fraction, folder, coarser=COARSER), fraction, folder


def test_the_camera_is_centred() -> None:
    camera = camera_at(270.0)
    np.testing.assert_allclose(camera.pixel_of([0.0, 0.0, 0.0]), [255.5, 191.5], atol=1e-9)
    np.testing.assert_allclose(camera.source_fixed_mm, [-1000.0, 0.0, 0.0], atol=1e-9)


def test_air_is_unattenuated_and_the_head_is_dark(made) -> None:
    image = load_today(made[1]).images[0]
    assert abs(np.median(image.pixels[:, :6]) / UNATTENUATED - 1) < 0.08
    assert image.pixels.min() < 0.2 * UNATTENUATED
    assert image.kvp == 110


def test_a_fraction_is_found_again(made) -> None:
    plan_folder, paths, fraction, folder = made
    answer = verify(load_plan(plan_folder), load_today(paths), protocol=PATIENTS["head"].protocol)
    assert answer.evidence.converged, answer.reason
    assert answer.plan_from_daily is not None, answer.reason
    told = json.loads((folder / "head" / f"{fraction.name}_kv_truth.json").read_text())
    truth = RigidMotion.from_matrix(told["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
    assert told["daily_isocentre_lps_mm"] == told["plan_isocentre_lps_mm"]
    points = np.array(told["plan_isocentre_lps_mm"]) + 46 * np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    error = np.linalg.norm(answer.plan_from_daily.apply(truth.inverse().apply(points)) - points, axis=1)
    assert error.mean() < 0.5
    wanted = fraction.correction
    for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm"):
        assert abs(getattr(answer.correction, axis) - getattr(wanted, axis)) < 0.5


def test_nothing_is_written_over(made) -> None:
    with pytest.raises(InputError, match="already holds files"):
        make_radiographs(made[2], made[3], coarser=COARSER)
