"""Radiographs of the phantom of `registration_cases`, as the recorded sessions send them."""

import numpy as np

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily
from igrt.images.radiographs import PixelSense, Radiograph, Radiographs, StatedGeometry
from tests.radiograph_cases import camera
from tests.registration_cases import ISOCENTRE_MM, grid_about, image, motion


def kv(pose: tuple[tuple[float, float, float], float], angles_deg: tuple[float, ...]) -> Radiographs:
    """Radiographs of the day's patient, from their planning CT: counts in steps of 16, which pack well."""
    ct = image(grid_about(ISOCENTRE_MM, shape_kji=(60, 76, 96), spacing_mm=(3.0, 3.0, 3.0)))
    verbs, attenuation = RadiographVerbs("baseline"), AttenuationField.of_ct(ct, kvp=100.0)
    daily_from_fixed = fixed_from_daily(isocentre_mm=ISOCENTRE_MM, position=PatientPosition.HFS).inverse()
    plan_from_daily = motion(*pose[:1], degrees=pose[1], daily_isocentre_mm=ISOCENTRE_MM)
    images = []
    for angle in angles_deg:
        view = camera(angle)
        counts = 60000 * np.exp(-verbs.radiograph(attenuation, View.of(view, daily_from_fixed).moved(plan_from_daily)))
        stated = StatedGeometry(
            gantry_angle_deg=angle,
            sad_mm=view.sad_mm,
            sid_mm=None,
            spacing_mm=view.spacing_mm,
            shape=view.shape,
            receptor_angle_deg=0.0,
            receptor_translation_mm=view.receptor_translation_mm,
            position_mm=view.first_pixel_mm,
            orientation=None,
            support_angle_deg=0.0,
        )
        pixels = (np.rint(counts / 16) * 16 + 1).astype(np.float32)
        name = f"kv{angle:03.0f}"
        images.append(Radiograph(source=name, pixels=pixels, sense=PixelSense.INTENSITY, kvp=100.0, stated=stated, sop_uid=name))
    return Radiographs(images=tuple(images), position=PatientPosition.HFS, patient_id="PHANTOM", source="kv")
