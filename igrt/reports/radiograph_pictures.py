"""The pictures of a report on radiographs: each over the planning CT's radiograph, before and after the match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from igrt.compute.radiographs import AttenuationField, RadiographVerbs, View
from igrt.geometry.camera import XrayCamera
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily
from igrt.images.detector import line_integrals
from igrt.images.radiographs import KvConventions, Radiograph, Radiographs
from igrt.images.records import Plan
from igrt.registration.radiograph_levels import REFERENCE_KVP, binned
from igrt.registration.radiograph_scores import local_scores
from igrt.reports.overlay import PLAIN, blend, checkerboard
from igrt.reports.pictures import SCALE_BARS_MM, Gallery, Picture, Row
from igrt.reports.png import data_uri

PIXEL_MM = 0.8  # at the isocentre
WINDOW_MM = 50.0  # of the local contrast that is shown
SHOWN_SCORES = 2.5
LPS_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))  # at the low and at the high end of x, y, z


def radiograph_gallery(
    plan: Plan, daily: Radiographs, kv: KvConventions, *, before: RigidMotion, after: RigidMotion | None, verbs: RadiographVerbs
) -> Gallery:
    """Overlays at pose `before` (plan_from_daily, set-up as it is) and, where there is a match, `after`: one row a radiograph.

    Planning CT and radiograph are shown by local contrast, which anatomy of every thickness has.
    """
    field = AttenuationField.of_ct(plan.ct, kvp=REFERENCE_KVP)
    daily_from_fixed = fixed_from_daily(isocentre_mm=plan.isocentre_mm, position=plan.position).inverse()
    poses = [before] if after is None else [before, after]
    rows = []
    for image in daily.images:
        camera = image.camera(kv)
        factor = max(round(PIXEL_MM / _at_isocentre(camera)), 1)
        view = View.of(camera, daily_from_fixed).binned(factor)
        plans = [_grey(verbs.radiograph(field, view.moved(pose)), camera, factor) for pose in poses]
        rows.append(_row(camera, factor, plans, _radiograph_grey(image, kv, camera, factor), plan.position))
    return Gallery(tuple(rows), PLAIN, PLAIN)


def _at_isocentre(camera: XrayCamera) -> float:
    return max(camera.spacing_mm) * camera.sad_mm / camera.distance_mm


def _grey(integrals: NDArray[np.float32], camera: XrayCamera, factor: int) -> NDArray[np.float32]:
    window = 2 * max(round(WINDOW_MM / _at_isocentre(camera) / factor / 2), 1) + 1
    scores, _, _ = local_scores(integrals, window)
    return np.asarray(np.clip(scores / (2 * SHOWN_SCORES) + 0.5, 0, 1), np.float32)


def _radiograph_grey(image: Radiograph, kv: KvConventions, camera: XrayCamera, factor: int) -> NDArray[np.float32]:
    """NaN beyond the collimator."""
    integrals, valid = binned(*line_integrals(image, kv), factor)
    return np.where(valid, _grey(integrals, camera, factor), np.float32(np.nan))


def _row(
    camera: XrayCamera, factor: int, plans: list[NDArray[np.float32]], radiograph: NDArray[np.float32], position: PatientPosition
) -> Row:
    name = f"Radiograph, source at {camera.source_angle_deg % 360:.0f}°"
    pixel_mm = factor * _at_isocentre(camera)
    pictures = [_picture(name, when, "blend", blend(grey, radiograph)) for when, grey in zip(("before", "after"), plans, strict=False)]
    when = "after" if len(plans) > 1 else "before"
    pictures.append(_picture(name, when, "checkerboard", checkerboard(plans[-1], radiograph, pixel_mm=pixel_mm)))
    rows, columns = radiograph.shape
    column, row = (camera.pixel_of(np.zeros(3)) + 0.5) / factor
    scale_mm = next((bar for bar in SCALE_BARS_MM if bar / pixel_mm < 0.4 * columns), SCALE_BARS_MM[-1])
    return Row(
        name=name,
        letters=_letters(camera, position),
        width=columns,
        height=rows,
        isocentre=(float(column), float(row)),
        scale_mm=scale_mm,
        scale_pixels=scale_mm / pixel_mm,
        outlines=(),
        pictures=tuple(pictures),
    )


def _letters(camera: XrayCamera, position: PatientPosition) -> tuple[str, str, str, str]:
    """Of the patient's sides at left, right, top and bottom of the picture."""
    lps = position.fixed_from_lps.T
    across, down = lps @ camera.column_step_fixed_mm, lps @ camera.row_step_fixed_mm
    left, right = _ends(across)
    top, bottom = _ends(down)
    return left, right, top, bottom


def _ends(direction: NDArray[np.float64]) -> tuple[str, str]:
    axis = int(np.abs(direction).argmax())
    low, high = LPS_LETTERS[axis]
    return (low, high) if direction[axis] > 0 else (high, low)


def _picture(name: str, when: str, kind: str, rgb: NDArray[np.uint8]) -> Picture:
    how = "planning CT in magenta, radiograph in green, grey where they agree" if kind == "blend" else "squares of both in turn"
    return Picture(f"{when.capitalize()} · {kind}", f"{name}, {when} the match: {how}", data_uri(rgb))
