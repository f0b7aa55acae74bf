"""What the tests of radiographs over the bus share: an approved plan of a small patient as files, and radiographs of them."""

import datetime as dt
from functools import cache
from pathlib import Path

import numpy as np

from igrt.compute.volume import Volume
from igrt.images.radiographs import Radiographs
from igrt.images.today import load_today
from igrt.images.write import Approval, PlannedBeam, Scanner, WriteIdentity, write_ct_series, write_rtplan, write_structure_set
from igrt.images.write_radiograph import write_radiograph
from tests.answer_cases import box
from tests.radiograph_cases import ISOCENTRE_MM, POSITION, camera, integrals, motion, patient

POSE = motion(shift_mm=(2.0, -1.5, 1.0), pitch=0.4, roll=-0.5, yaw=0.6)
KVP = 100.0


def write_kv_plan(folder: Path) -> Path:
    """Planning CT, structures and an approved plan."""
    identity = WriteIdentity(patient_id="PHANTOM", patient_name="Phantom", seed="kv plan", acquired=dt.datetime(2026, 3, 1, 9, 0))
    scanner, ct = Scanner(manufacturer="igrt", model="tests", series_description="plan", kvp=120), patient()
    series = write_ct_series(ct, folder, identity=identity, position=POSITION, scanner=scanner)
    structures = [box("CTV", "CTV", ISOCENTRE_MM), box("Cord", "ORGAN", ISOCENTRE_MM + np.array([0.0, 40.0, 0.0]), 5.0)]
    drawn = write_structure_set(structures, folder / "RS.dcm", grid=ct.grid, series=series, label="phantom")
    write_rtplan(
        folder / "RP.dcm",
        identity=identity,
        label="phantom",
        isocentre_mm=ISOCENTRE_MM,
        position=POSITION,
        beams=[PlannedBeam(name="AP", gantry_deg=0.0)],
        structure_set_uid=drawn,
        approval=Approval.APPROVED,
    )
    return folder


@cache
def _counts(angles, shift_mm, turned):
    pose = POSE if shift_mm is None else motion(shift_mm=shift_mm, **dict(zip(("pitch", "roll", "yaw"), turned, strict=True)))
    images = integrals(patient(), pose, [camera(angle) for angle in angles])
    return tuple(np.clip(np.rint(60000 * np.exp(-image)), 1, 65535).astype(np.uint16) for image in images)


def radiographs(folder: Path, *, angles=(0.0, 90.0), shift_mm=None, turned=(0.0, 0.0, 0.0), table_angle_deg=0.0) -> Radiographs:
    """RT Images of the patient in a pose (None: `POSE`), written to a folder and read again."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = WriteIdentity(patient_id="PHANTOM", patient_name="Phantom", seed=folder.name, acquired=dt.datetime(2026, 3, 2, 8))
    paths = []
    for angle, counts in zip(angles, _counts(angles, shift_mm, turned), strict=True):
        paths.append(folder / f"kv{angle % 360:03.0f}.dcm")
        write_radiograph(
            counts,
            paths[-1],
            camera=camera(angle),
            identity=identity,
            position=POSITION,
            kvp=KVP,
            jaws_mm=(-120.0, 120.0, -90.0, 95.0),
            table_angle_deg=table_angle_deg,
        )
    daily = load_today(paths)
    assert isinstance(daily, Radiographs)
    return daily


def cone_beam(shift_mm=(0.0, 0.0, 0.0)) -> Volume:
    """A small cone-beam image of the patient, shifted by so much (daily LPS mm), the machine isocentre at the plan isocentre's place."""
    from igrt.geometry.grid import Grid
    from igrt.geometry.motion import Frame

    ct = patient()
    origin = ct.grid.origin_mm + np.asarray(shift_mm)
    noise = np.random.default_rng(5).normal(0.0, 15.0, ct.hu.shape)
    grid = Grid.aligned(Frame.DAILY, shape_kji=ct.grid.shape_kji, origin_mm=origin, spacing_mm=tuple(ct.grid.spacing_mm))
    return Volume(grid, np.clip(ct.hu + noise, -1024, 3000).astype(np.int16))
