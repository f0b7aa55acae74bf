"""Radiographs of real CTs with known poses: another toolkit's projector, hardening, scatter, noise and a couch top."""

import json
from pathlib import Path

import numpy as np
import pytest

from igrt.compute.radiographs import RadiographVerbs
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily
from igrt.images.detector import line_integrals
from igrt.images.radiographs import KvConventions
from igrt.images.rt_image import read_radiograph
from igrt.images.volumes import read_volume
from igrt.registration.projection import match_radiographs
from igrt.registration.radiograph_levels import prepare_radiograph_plan, prepare_radiographs

KV = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))
LIMIT_MM = 0.10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["head_a", "chest_a"])
def test_pair_of_a_real_ct(shared_data: Path, name: str) -> None:
    folder = shared_data / name.split("_")[0]
    told = json.loads((folder / f"{name}_truth.json").read_text())
    isocentre, daily_isocentre = np.array(told["plan_isocentre_lps_mm"]), np.array(told["daily_isocentre_lps_mm"])
    truth = np.array(told["plan_from_daily"])
    truth[:3, 3] += truth[:3, :3] @ (daily_isocentre - isocentre)
    images = [read_radiograph(folder / one["file"]) for one in told["radiographs"]]
    for image, one in zip(images, told["radiographs"], strict=True):
        camera = image.camera(KV)
        np.testing.assert_allclose(camera.source_fixed_mm, one["source_fixed_mm"], atol=1e-6)
        np.testing.assert_allclose(camera.first_pixel_fixed_mm, one["first_pixel_fixed_mm"], atol=1e-6)
        np.testing.assert_allclose(camera.column_step_fixed_mm, np.array(one["column_axis_fixed"]) * one["pixel_mm"], atol=1e-9)
        np.testing.assert_allclose(camera.row_step_fixed_mm, np.array(one["row_axis_fixed"]) * one["pixel_mm"], atol=1e-9)
    verbs = RadiographVerbs()
    room = fixed_from_daily(isocentre_mm=isocentre, position=PatientPosition(told["patient_position"])).inverse()
    plan = prepare_radiograph_plan(read_volume(folder / told["plan"], Frame.PLAN), verbs)
    integrals = [line_integrals(image, KV) for image in images]
    daily = prepare_radiographs([i.camera(KV) for i in images], integrals, kvps=[i.kvp for i in images], daily_from_fixed=room)
    start = RigidMotion.identity(target=Frame.PLAN, source=Frame.DAILY)
    found = match_radiographs(plan, daily, start=start, isocentre_mm=isocentre, verbs=verbs)
    axis = np.linspace(-80, 80, 9)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + isocentre
    back = (points - truth[:3, 3]) @ truth[:3, :3]
    error = np.linalg.norm(found.plan_from_daily.apply(back) - points, axis=1)
    assert error.mean() <= LIMIT_MM
    assert found.evidence.converged
    assert found.evidence.similarity > 0.9
    off = RigidMotion.from_matrix(truth, target=Frame.PLAN, source=Frame.DAILY) @ found.plan_from_daily.inverse()
    small = np.r_[off.apply(isocentre) - isocentre, off.rotation[2, 1], off.rotation[0, 2], off.rotation[1, 0]]
    assert small @ np.linalg.solve(found.covariance, small) < 12.6  # 95 % of chi-square with 6 degrees of freedom
