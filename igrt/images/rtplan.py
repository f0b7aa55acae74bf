"""RT Plan: its isocentres, set-ups and beams, and the one isocentre and set-up that are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import RTPlanStorage

from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import Elements
from igrt.images.dicom_series import patient_position
from igrt.images.records import PlannedIsocentre

SAME_ISOCENTRE_MM = 0.01
_DISPLACEMENTS = ("TableTopVerticalSetupDisplacement", "TableTopLongitudinalSetupDisplacement", "TableTopLateralSetupDisplacement")


@dataclass(frozen=True, slots=True)
class Setup:
    """One item of Patient Setup Sequence (300A,0180); `says` is all in it that tells set-ups apart, in words."""

    number: int
    position: PatientPosition | None
    says: str


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """One beam: its isocentres (n, 3) in LPS mm as they change over its control points (none where unstated), its set-up's number.

    `table_angles_deg` are the Patient Support Angles (300A,0122) that its control points state.
    """

    name: str
    treatment: bool
    isocentres_mm: NDArray[np.float64]
    setup: int | None
    table_angles_deg: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RtPlan:
    """What an RT Plan file says of where the patient belongs; `revision` is RT Plan Date and Time written together."""

    path: Path
    label: str | None
    uid: str
    approval: str | None
    revision: str | None
    patient_id: str | None
    frame_of_reference_uid: str | None
    structure_set_uids: tuple[str, ...]
    setups: tuple[Setup, ...]
    beams: tuple[Beam, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """The isocentre (LPS mm), the patient position (None where the plan states none) and the beams that share them.

    `table_angles_deg` are those of the beams that treat; `isocentres` are all isocentres of the same set-up.
    """

    isocentre_mm: NDArray[np.float64]
    position: PatientPosition | None
    beams: tuple[str, ...]
    table_angles_deg: tuple[float, ...] = ()
    isocentres: tuple[PlannedIsocentre, ...] = ()


def is_rtplan(file: Elements) -> bool:
    """Whether the file is an RT Plan (photons and electrons)."""
    return file.sop_class == RTPlanStorage


def read_rtplan(file: Elements) -> RtPlan:
    """InputError where the plan is not of a patient, holds no beam, or a treatment beam has no isocentre."""
    if file.text("RTPlanGeometry") == "TREATMENT_DEVICE":
        raise InputError(
            f"{file.path}: RT Plan Geometry (300A,000C) is TREATMENT_DEVICE, not made on a patient's images; give the patient's plan"
        )
    beams = tuple(_beam(item) for item in file.items("BeamSequence"))
    if not beams:
        raise InputError(f"{file.path} holds no beam (300A,00B0); give an external beam plan")
    for beam in beams:
        if beam.treatment and not len(beam.isocentres_mm):
            raise InputError(f"{file.path}: beam {beam.name!r} has no Isocenter Position (300A,012C); plan it about an isocentre")
    setups = tuple(_setup(item) for item in file.items("PatientSetupSequence"))
    return RtPlan(
        path=file.path,
        label=file.text("RTPlanLabel"),
        uid=file.required("SOPInstanceUID"),
        approval=file.text("ApprovalStatus"),
        revision=_revision(file),
        patient_id=file.text("PatientID"),
        frame_of_reference_uid=file.text("FrameOfReferenceUID"),
        structure_set_uids=tuple(item.required("ReferencedSOPInstanceUID") for item in file.items("ReferencedStructureSetSequence")),
        setups=setups,
        beams=beams,
    )


def _revision(file: Elements) -> str | None:
    """RT Plan Date and Time written together; None where the plan states no date."""
    date = file.text("RTPlanDate")
    return None if date is None else date + (file.text("RTPlanTime") or "")


def _beam(item: Elements) -> Beam:
    points = item.items("ControlPointSequence")
    stated = [point.numbers("IsocenterPosition", 3) for point in points]
    angles = [point.numbers("PatientSupportAngle", 1) for point in points]
    setup = item.numbers("ReferencedPatientSetupNumber", 1)
    return Beam(
        name=item.text("BeamName") or f"beam {item.text('BeamNumber') or '?'}",
        treatment=(item.text("TreatmentDeliveryType") or "TREATMENT") in {"TREATMENT", "CONTINUATION"},
        isocentres_mm=np.array([s for s in stated if s is not None]).reshape(-1, 3),
        setup=None if setup is None else int(setup[0]),
        table_angles_deg=tuple(dict.fromkeys(float(angle[0]) for angle in angles if angle is not None)),
    )


def _setup(item: Elements) -> Setup:
    stated = item.text("PatientPosition")
    position = None if stated is None else patient_position(stated, f"{item.path}: Patient Position (0018,5100) of a set-up")
    says = [str(position) if position else "no patient position"]
    says += [text for keyword in ("PatientAdditionalPosition", "SetupTechnique") if (text := item.text(keyword))]
    shifts = [item.numbers(keyword, 1) for keyword in _DISPLACEMENTS]
    if any(shift is not None and shift[0] for shift in shifts):
        vertical, longitudinal, lateral = (0.0 if shift is None else float(shift[0]) for shift in shifts)
        says.append(f"displaced vertical {vertical:g}, longitudinal {longitudinal:g}, lateral {lateral:g} mm")
    return Setup(item.whole("PatientSetupNumber"), position, " ".join(says))


def place(plan: RtPlan, *, isocentre_choice: str | None = None, setup_choice: str | None = None) -> Placement:
    """The isocentre and position of the beams that the choices leave; a choice is a number of those that the error lists.

    Set-ups that say the same (position, technique, displacements) are one: planning systems write one for each beam.
    InputError listing the choices where several isocentres or set-ups are left.
    """
    isocentres_mm = _distinct(plan.beams)
    choices = _isocentre_list(plan, isocentres_mm)
    left = isocentres_mm
    if isocentre_choice is not None:
        number = _number(isocentre_choice, range(1, len(isocentres_mm) + 1), f"{plan.path}: isocentre", choices)
        left = [isocentres_mm[number - 1]]
    beams = tuple(b for b in _of_setup(plan, setup_choice) if any(_uses(b, iso) for iso in left))
    left = [iso for iso in left if any(_uses(b, iso) for b in beams)]
    if not left:
        raise InputError(f"{plan.path}: no beam has both the isocentre and the set-up chosen; choose from {choices}")
    if len(left) > 1:
        raise InputError(f"{plan.path} has {len(left)} isocentres: {choices}; choose one by its number")
    setup = _one_setup(plan, beams)
    return Placement(
        isocentre_mm=left[0],
        position=None if setup is None else setup.position,
        beams=tuple(b.name for b in beams),
        table_angles_deg=_table_angles(beams),
        isocentres=_same_setup(plan, isocentres_mm, {b.setup for b in beams}),
    )


def _table_angles(beams: Iterable[Beam]) -> tuple[float, ...]:
    return tuple(dict.fromkeys(angle for b in beams if b.treatment for angle in b.table_angles_deg))


def _same_setup(plan: RtPlan, isocentres_mm: Sequence[NDArray[np.float64]], setups: set[int | None]) -> tuple[PlannedIsocentre, ...]:
    found = []
    for isocentre_mm in isocentres_mm:
        beams = [b for b in plan.beams if b.setup in setups and _uses(b, isocentre_mm)]
        if any(b.treatment for b in beams):
            x, y, z = isocentre_mm.tolist()
            found.append(PlannedIsocentre((x, y, z), tuple(b.name for b in beams), _table_angles(beams)))
    return tuple(found)


def _distinct(beams: Iterable[Beam]) -> list[NDArray[np.float64]]:
    """The isocentres of all beams, in order of appearance."""
    found: list[NDArray[np.float64]] = []
    for isocentre_mm in (iso for beam in beams for iso in beam.isocentres_mm):
        if not any(np.linalg.norm(isocentre_mm - known) < SAME_ISOCENTRE_MM for known in found):
            found.append(isocentre_mm)
    return found


def _uses(beam: Beam, isocentre_mm: NDArray[np.float64]) -> bool:
    return bool((np.linalg.norm(beam.isocentres_mm - isocentre_mm, axis=1) < SAME_ISOCENTRE_MM).any())


def _isocentre_list(plan: RtPlan, isocentres_mm: Sequence[NDArray[np.float64]]) -> str:
    def line(number: int, iso: NDArray[np.float64]) -> str:
        names = ", ".join(b.name for b in plan.beams if _uses(b, iso))
        return f"{number} at ({iso[0]:.1f}, {iso[1]:.1f}, {iso[2]:.1f}) mm for {names}"

    return "; ".join(line(n, iso) for n, iso in enumerate(isocentres_mm, 1))


def _of_setup(plan: RtPlan, choice: str | None) -> tuple[Beam, ...]:
    if choice is None:
        return plan.beams
    number = _number(choice, [s.number for s in plan.setups], f"{plan.path}: set-up", _setup_list(plan.setups))
    return tuple(b for b in plan.beams if b.setup in (number, None))


def _number(choice: str, numbers: Iterable[int], what: str, choices: str) -> int:
    known = {str(n): n for n in numbers}
    if str(choice).strip() not in known:
        raise InputError(f"{what} {choice!r} is not in the plan; choose from {choices or 'none: it states none'}")
    return known[str(choice).strip()]


def _one_setup(plan: RtPlan, beams: Sequence[Beam]) -> Setup | None:
    cited = {b.setup for b in beams}
    setups = [s for s in plan.setups if s.number in cited or None in cited]
    if len({s.says for s in setups}) > 1:
        raise InputError(f"{plan.path} has {len(setups)} set-ups that differ: {_setup_list(setups)}; choose one by its number")
    return setups[0] if setups else None


def _setup_list(setups: Iterable[Setup]) -> str:
    return "; ".join(f"{s.number} ({s.says})" for s in setups)
