"""The demo's patients and fractions, one table each, and their files: plans and daily images as DICOM, the truth beside."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.images.write import Approval, PlannedBeam, Scanner, WriteIdentity, write_ct_series, write_rtplan, write_structure_set
from igrt.simulation.anatomy import Anatomy
from igrt.simulation.folders import new_folder as new_folder
from igrt.simulation.head import head
from igrt.simulation.pelvis import pelvis
from igrt.simulation.planning import CtScan, delineate, planning_ct
from igrt.simulation.reconstruction import Orbit
from igrt.simulation.scanner import Progress, Scan, acquire
from igrt.simulation.thorax import thorax

# Full fan: 200 degrees about the head. Half fan: a shifted panel and a full circle.
_FULL_FAN = Orbit(views=200, start_deg=-100.0, arc_deg=200.0, columns=256, rows=192, pixel_mm=1.552)
_HALF_FAN = Orbit(views=224, start_deg=180.0, arc_deg=360.0, columns=208, rows=156, pixel_mm=1.91, panel_offset_mm=148.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How one part of the body is made and imaged, and the protocol that judges it."""

    anatomy: Callable[[int], Anatomy]
    protocol: str
    ct: CtScan
    cone_beam: Scan


SITES = {
    "head": Site(
        anatomy=head,
        protocol="head",
        ct=CtScan(voxel_mm=(1.1, 2.0), across=256, along=116),
        cone_beam=Scan(orbit=_FULL_FAN, voxel_mm=(1.25, 2.0), across=208, along=80, anatomy_voxel_mm=1.2),
    ),
    "thorax": Site(
        anatomy=thorax,
        protocol="thorax",
        ct=CtScan(voxel_mm=(1.5, 2.5), across=256, along=104),
        cone_beam=Scan(orbit=_HALF_FAN, voxel_mm=(1.5, 2.0), across=244, along=80, anatomy_voxel_mm=1.6),
    ),
    "pelvis": Site(
        anatomy=pelvis,
        protocol="pelvis",
        ct=CtScan(voxel_mm=(1.5, 2.5), across=256, along=100),
        cone_beam=Scan(orbit=_HALF_FAN, voxel_mm=(1.5, 2.0), across=244, along=80, anatomy_voxel_mm=1.6),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A simulated patient: `seed` makes the anatomy of the site."""

    name: str
    site: str
    position: PatientPosition
    seed: int
    patient_id: str
    patient_name: str

    @property
    def protocol(self) -> str:
        """Name of the protocol that judges this patient."""
        return SITES[self.site].protocol

    @property
    def anatomy(self) -> Anatomy:
        """The anatomy; its isocentre is the plan's."""
        return _anatomy(self.site, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """One daily image: whose plan, the `correction` that would put the patient right, and what the fraction shows.

    `impostor_seed` is the anatomy of someone else of the same site who lies there in the patient's place. With `kv` the set-up is
    imaged by a pair of radiographs first, and by a cone-beam CT after the couch has moved.
    """

    name: str
    patient: str
    correction: Correction
    seed: int
    shows: str
    impostor_seed: int | None = None
    kv: bool = False


PATIENTS = {
    p.name: p
    for p in (
        Patient(name="head", site="head", position=PatientPosition.HFS, seed=2, patient_id="IGRT-SIM-1", patient_name="Simulated^Head"),
        Patient(
            name="thorax", site="thorax", position=PatientPosition.HFS, seed=1, patient_id="IGRT-SIM-2", patient_name="Simulated^Thorax"
        ),
        Patient(
            name="pelvis", site="pelvis", position=PatientPosition.HFP, seed=3, patient_id="IGRT-SIM-3", patient_name="Simulated^Pelvis"
        ),
    )
}


def _correction(lateral: float, longitudinal: float, vertical: float, pitch: float, roll: float, yaw: float) -> Correction:
    return Correction(lateral_mm=lateral, longitudinal_mm=longitudinal, vertical_mm=vertical, pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw)


FRACTIONS = (
    Fraction(
        name="fraction-1", patient="head", correction=_correction(1.1, -1.4, 0.7, 0.5, -0.4, 0.6), seed=101, shows="a head within tolerance"
    ),
    Fraction(
        name="fraction-1",
        patient="thorax",
        correction=_correction(-2.6, 2.2, -1.5, 0.6, 0.7, -0.5),
        seed=102,
        shows="a chest within tolerance",
    ),
    Fraction(
        name="fraction-1",
        patient="pelvis",
        correction=_correction(-13.5, 17.0, 6.5, 2.1, -1.6, 3.0),
        seed=103,
        shows="a pelvis, prone, out of tolerance",
    ),
    Fraction(
        name="fraction-2",
        patient="thorax",
        correction=_correction(3.0, -2.0, 1.0, 0.4, -0.5, 0.8),
        seed=104,
        shows="another patient in this one's place",
        impostor_seed=11,
    ),
    Fraction(
        name="fraction-3",
        patient="thorax",
        correction=_correction(4.0, -10.5, 3.0, -1.2, 0.6, 1.5),
        seed=105,
        shows="a chest half a vertebra too far in",
    ),
    Fraction(
        name="fraction-2",
        patient="head",
        correction=_correction(-2.2, 2.6, -1.3, -0.6, 0.5, -0.9),
        seed=106,
        shows="a head on a pair of kV radiographs, then on a cone-beam CT",
        kv=True,
    ),
)


@lru_cache(maxsize=8)
def _anatomy(site: str, seed: int) -> Anatomy:
    return SITES[site].anatomy(seed)


def make_plan(
    patient: Patient,
    folder: Path,
    *,
    coarser: int = 1,
    approval: Approval = Approval.UNAPPROVED,
    progress: Progress | None = None,
) -> Path:
    """Write planning CT, structure set and plan as DICOM to FOLDER/<patient>/plan; that folder.

    `coarser` divides the resolution, for tests; a plan that is to be claimed by a simulated linac needs its `approval`. InputError
    where the files are there already.
    """
    tell = progress or _quiet
    target = new_folder(folder / patient.name / "plan")
    anatomy, site = patient.anatomy, SITES[patient.site]
    ct = planning_ct(
        anatomy,
        position=patient.position,
        scan=site.ct.coarser(coarser),
        seed=patient.seed,
        progress=lambda share: tell("planning CT", share),
    )
    tell("structures", 0.0)
    identity = _identity(patient, "plan", hours=0)
    series = write_ct_series(ct, target, identity=identity, position=patient.position, scanner=_CT)
    structure_set = write_structure_set(delineate(anatomy, ct.grid), target / "RS.dcm", grid=ct.grid, series=series, label="simulated")
    write_rtplan(
        target / "RP.dcm",
        identity=identity,
        label=patient.site,
        isocentre_mm=anatomy.isocentre_mm,
        position=patient.position,
        beams=_BEAMS,
        structure_set_uid=structure_set,
        approval=approval,
    )
    tell("structures", 1.0)
    return target


def make_daily(fraction: Fraction, folder: Path, *, coarser: int = 1, progress: Progress | None = None) -> Path:
    """Write the daily cone-beam CT as DICOM to FOLDER/<patient>/<fraction>, and beside it <fraction>_truth.json; the image's folder."""
    patient = PATIENTS[fraction.patient]
    target = new_folder(folder / patient.name / fraction.name)
    someone = anatomy_of(fraction)
    pose = plan_from_daily(fraction.correction, isocentre_mm=someone.isocentre_mm, position=patient.position)
    volume = acquire(
        someone.phantom,
        plan_from_daily=pose,
        position=patient.position,
        scan=SITES[patient.site].cone_beam.coarser(coarser),
        seed=fraction.seed,
        progress=progress,
    )
    write_ct_series(
        volume,
        target,
        identity=identity_of(fraction, fraction.name),
        position=patient.position,
        scanner=_CONE_BEAM,
        series=fraction.name,
    )
    truth = truth_of(fraction, pose if fraction.impostor_seed is None else None)
    (target.parent / f"{fraction.name}_truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return target


def anatomy_of(fraction: Fraction) -> Anatomy:
    """Whose anatomy is imaged: the patient's, or the impostor's."""
    patient = PATIENTS[fraction.patient]
    return patient.anatomy if fraction.impostor_seed is None else _anatomy(patient.site, fraction.impostor_seed)


def identity_of(fraction: Fraction, what: str) -> WriteIdentity:
    """The identity of what is imaged on a fraction's day."""
    hours = 24 * (1 + FRACTIONS.index(fraction)) if fraction in FRACTIONS else 24
    return _identity(PATIENTS[fraction.patient], what, hours=hours)


def plan_from_daily(correction: Correction, *, isocentre_mm: np.ndarray, position: PatientPosition) -> RigidMotion:
    """The pose of a patient whom `correction` would put right, machine isocentre at (0, 0, 0) of the daily image, table at 0.

    `R = Bp A Bd^T` and `t = Bp (M q0 - c)` solved for M (docs/geometry.md, "Correction").
    """
    lps_from_fixed, motion = position.fixed_from_lps.T, correction.motion
    rotation = lps_from_fixed @ motion.rotation @ lps_from_fixed.T
    return RigidMotion(Frame.PLAN, Frame.DAILY, rotation, isocentre_mm + lps_from_fixed @ motion.translation_mm)


def truth_of(fraction: Fraction, pose: RigidMotion | None) -> dict[str, object]:
    """What is known of a fraction; `plan_from_daily` is null where the image is not of this patient."""
    patient = PATIENTS[fraction.patient]
    return {
        "case": f"{patient.name} {fraction.name}",
        "shows": fraction.shows,
        "plan": "plan",
        "daily": fraction.name,
        "plan_isocentre_lps_mm": patient.anatomy.isocentre_mm.tolist(),
        "daily_isocentre_lps_mm": [0.0, 0.0, 0.0],
        "patient_position": patient.position.value,
        "table_angle_deg": 0.0,
        "plan_from_daily": None if pose is None else pose.matrix.tolist(),
        "seed": fraction.seed,
    }


_CT = Scanner(manufacturer="igrt", model="simulated CT", series_description="simulated planning CT", kvp=120.0)
_CONE_BEAM = Scanner(manufacturer="igrt", model="simulated cone-beam CT", series_description="simulated cone-beam CT", kvp=120.0)
_BEAMS = (
    PlannedBeam(name="field 1", gantry_deg=0.0),
    PlannedBeam(name="field 2", gantry_deg=140.0),
    PlannedBeam(name="field 3", gantry_deg=250.0),
    PlannedBeam(name="cone beam", gantry_deg=0.0, setup_only=True),
)
_FIRST_DAY = dt.datetime(2026, 1, 5, 9, 0)


def _identity(patient: Patient, what: str, *, hours: int) -> WriteIdentity:
    return WriteIdentity(
        patient_id=patient.patient_id,
        patient_name=patient.patient_name,
        seed=f"{patient.name} {patient.seed} {what}",
        acquired=_FIRST_DAY + dt.timedelta(hours=hours),
    )


def _quiet(_stage: str, _share: float) -> None:
    """Progress that nobody asked for."""
