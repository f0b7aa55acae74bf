"""The report on radiographs: pictures that turn grey where planning CT and radiograph agree."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from igrt.answer import verify
from igrt.compute.radiographs import RadiographVerbs
from igrt.images.radiographs import CollimatorEdges, KvConventions, PixelSense, Radiograph, Radiographs, StatedGeometry
from igrt.images.records import Plan, PlanIdentity
from igrt.reports import html
from igrt.reports.radiograph_pictures import radiograph_gallery
from tests.radiograph_cases import ISOCENTRE_MM, POSITION, START, camera, integrals, motion, patient

KV = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))
POSE = motion(shift_mm=(9.0, -8.0, 7.0), pitch=0.0, roll=0.0, yaw=0.0)


@pytest.fixture(scope="module")
def plan() -> Plan:
    identity = PlanIdentity(None, None, None, None, None)
    return Plan(
        ct=patient(), position=POSITION, isocentre_mm=ISOCENTRE_MM, structures=(), identity=identity, fingerprint="ab" * 32, source="plan"
    )


def taken(angles) -> Radiographs:
    images = []
    for angle in angles:
        one = camera(angle)
        stated = StatedGeometry(
            gantry_angle_deg=angle,
            sad_mm=one.sad_mm,
            sid_mm=one.distance_mm,
            spacing_mm=one.spacing_mm,
            shape=one.shape,
            receptor_angle_deg=0.0,
            receptor_translation_mm=one.receptor_translation_mm,
            position_mm=one.first_pixel_mm,
            orientation=one.orientation,
            support_angle_deg=0.0,
        )
        pixels = integrals(patient(), POSE, [one])[0]
        images.append(
            Radiograph(
                source=f"kv{angle:.0f}.dcm",
                pixels=pixels,
                edges=(CollimatorEdges(axis=1, low_mm=-200.0, high_mm=88.0, angle_deg=0.0),),  # without the first 8 rows
                sense=PixelSense.ATTENUATION,
                kvp=None,
                stated=stated,
                sop_uid=str(angle),
            )
        )
    return Radiographs(images=tuple(images), position=POSITION, patient_id=None, source="kv folder")


def colourfulness(uri: str) -> float:
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), float)
    return float(np.abs(pixels[..., 0] - pixels[..., 1]).mean())


def test_grey_after_the_match(plan) -> None:
    found = radiograph_gallery(plan, taken([0.0, 90.0]), KV, before=START, after=POSE, verbs=RadiographVerbs())
    assert [row.name for row in found.rows] == ["Radiograph, source at 0°", "Radiograph, source at 90°"]
    for row in found.rows:
        before, after, _board = row.pictures
        assert colourfulness(before.uri) > 3 * colourfulness(after.uri)
        assert row.letters[2:] == ("S", "I")
    assert found.rows[0].letters[:2] == ("R", "L")


def test_the_isocentre_is_where_the_camera_sees_it(plan) -> None:
    row = radiograph_gallery(plan, taken([0.0]), KV, before=START, after=None, verbs=RadiographVerbs()).rows[0]
    column, line = camera(0.0).pixel_of(np.zeros(3))
    assert row.isocentre == pytest.approx((column + 0.5, line + 0.5))
    assert [picture.heading for picture in row.pictures] == ["Before · blend", "Before · checkerboard"]


def test_a_page_from_a_pair_and_from_one(plan) -> None:
    for angles, sentence in (([0.0, 90.0], "Couch correction"), ([0.0], "One radiograph does not show the depth")):
        daily = taken(angles)
        answer = verify(plan, daily).to_json()
        page = html.render(answer, plan=plan, daily=daily, kv=KV)
        assert sentence in page
        assert f"{len(angles)} radiograph" in page
        assert ("Measured in the radiograph’s plane: across" in page) == (len(angles) == 1)
        assert len(re.findall("data:image/png", page)) == (3 if len(angles) > 1 else 2) * len(angles)
        assert "HU" not in page.partition("Windows:")[2]
    with pytest.raises(ValueError, match="give kv"):
        html.render(answer, plan=plan, daily=daily)
