"""A known correction from radiographs, in any position, table and receptor; rays, room and patient are written out here."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from igrt.answer import verify
from igrt.compute.volume import Volume
from igrt.geometry.camera import DEFAULT_ORIENTATION, XrayCamera
from igrt.geometry.position import PatientPosition
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.records import Plan, PlanIdentity
from igrt.images.today import load_today
from igrt.images.write import WriteIdentity
from igrt.images.write_radiograph import write_radiograph
from igrt.verification.findings import Outcome
from tests.radiograph_cases import ISOCENTRE_MM, patient

SAD_MM, PANEL_MM, PIXEL_MM, PIXELS, STEP_MM, REACH_MM = 1000.0, (3.0, -2.0, -500.0), 2.5, 104, 3.0, 150.0
CORRECTION = {"lateral_mm": 3.0, "longitudinal_mm": -4.0, "vertical_mm": 2.0, "pitch_deg": 0.7, "roll_deg": -0.9, "yaw_deg": 1.1}
# Room axes (right facing the gantry, toward it, up) in LPS, for a patient on a table at 0.
ROOM_IN_LPS = {
    "HFS": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "HFP": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "FFDL": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}
EXCHANGED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0)


def about(axis: str, angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def attenuation(ct: Volume, points_mm: np.ndarray) -> np.ndarray:
    """Of water at 100 kV, linear between voxels; none beyond their faces."""
    mu, last = np.maximum(0, 0.0208 * (1 + ct.hu / 1000.0)), np.array(ct.hu.shape).reshape(3, 1, 1) - 1
    index = np.moveaxis((points_mm - ct.grid.position_mm([0, 0, 0])) / np.array(ct.grid.spacing_mm), -1, 0)[::-1]
    inside = np.all((index >= -0.5) & (index <= last + 0.5), axis=0)
    low = np.clip(np.floor(index).astype(int), 0, last - 1)
    part = np.clip(index - low, 0, 1)
    found = np.zeros(inside.shape)
    for corner in np.ndindex(2, 2, 2):
        share = np.prod([p if up else 1 - p for p, up in zip(part, corner, strict=True)], axis=0)
        found += share * mu[tuple(axis + up for axis, up in zip(low, corner, strict=True))]
    return np.where(inside, found, 0)


def integrals(ct: Volume, plan_of_room, *, source_deg: float, receptor_deg: float, first_mm, orientation) -> np.ndarray:
    """(rows, columns) sums along the rays from the source to the pixels, f = Ry(source) [T + Rz(receptor) r]."""
    rows, columns = np.meshgrid(np.arange(PIXELS), np.arange(PIXELS), indexing="ij")
    on_receptor = np.array([*first_mm, 0.0]) + PIXEL_MM * (
        np.multiply.outer(columns, np.array(orientation[:3])) + np.multiply.outer(rows, np.array(orientation[3:]))
    )
    pixels = (on_receptor @ about("z", receptor_deg).T + np.array(PANEL_MM)) @ about("y", source_deg).T
    source = about("y", source_deg) @ np.array([0.0, 0.0, SAD_MM])
    rays = (pixels - source).reshape(-1, 1, 3)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    along = np.arange(SAD_MM - REACH_MM, SAD_MM + REACH_MM, STEP_MM).reshape(1, -1, 1)
    return STEP_MM * attenuation(ct, plan_of_room(source + along * rays)).sum(axis=1).reshape(PIXELS, PIXELS)


@pytest.mark.parametrize(
    ("position", "planned_deg", "image_deg", "receptor_deg", "orientation"),
    [
        ("HFS", 0.0, 0.0, 0.0, DEFAULT_ORIENTATION),
        ("FFDL", 30.0, 31.5, 15.0, DEFAULT_ORIENTATION),
        ("HFP", 330.0, 330.0, 90.0, EXCHANGED),
    ],
)
def test_the_correction_that_is_known(tmp_path: Path, position, planned_deg, image_deg, receptor_deg, orientation) -> None:
    ct = patient()
    shift = np.array([CORRECTION[f"{axis}_mm"] for axis in ("lateral", "longitudinal", "vertical")])
    turn = about("z", CORRECTION["yaw_deg"]) @ about("x", CORRECTION["pitch_deg"]) @ about("y", CORRECTION["roll_deg"])
    planned = about("z", planned_deg) @ np.array(ROOM_IN_LPS[position])

    def plan_of_room(points_mm):
        """The tissue at a place of the room: the correction would bring it where the plan wants it."""
        return (points_mm @ turn.T + shift) @ planned + ISOCENTRE_MM

    lying, half = PatientPosition(position), (PIXELS - 1) / 2 * PIXEL_MM
    first_mm = (-half, half)
    identity = WriteIdentity(patient_id="P-001", patient_name="A^B", seed="kv", acquired=dt.datetime(2026, 3, 2, 8))
    for source_deg in (0.0, 90.0):
        view = {"receptor_deg": receptor_deg, "first_mm": first_mm, "orientation": orientation}
        image = integrals(ct, plan_of_room, source_deg=source_deg, **view)
        camera = XrayCamera(
            source_angle_deg=source_deg,
            sad_mm=SAD_MM,
            receptor_translation_mm=np.array(PANEL_MM),
            receptor_angle_deg=receptor_deg,
            first_pixel_mm=np.array(first_mm),
            spacing_mm=(PIXEL_MM, PIXEL_MM),
            shape=(PIXELS, PIXELS),
            orientation=np.array(orientation),
        )
        counts = np.clip(np.rint(60000 * np.exp(-image)), 1, 65535).astype(np.uint16)
        path = tmp_path / f"kv{source_deg:03.0f}.dcm"
        write_radiograph(counts, path, camera=camera, identity=identity, position=lying, kvp=100, table_angle_deg=image_deg)
    plan = Plan(
        ct=ct,
        position=lying,
        isocentre_mm=ISOCENTRE_MM,
        structures=(),
        identity=PlanIdentity("P-001", "A^B", "plan", "1.2", "1.2.3"),
        fingerprint=plan_fingerprint(ct, ISOCENTRE_MM, lying, ()),
        source="plan folder",
    )
    answer = verify(plan, load_today(tmp_path), table_angle_deg=planned_deg, image_table_angle_deg=image_deg)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    for name, value in CORRECTION.items():
        assert abs(getattr(answer.correction, name) - value) < 0.1, (name, answer.correction)
