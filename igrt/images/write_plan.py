"""RT Plans out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage, RTStructureSetStorage

from igrt.geometry.motion import frozen_array
from igrt.geometry.position import PatientPosition
from igrt.images.write_dataset import (
    LONG_TEXT,
    RESEARCH_NOTE,
    SHORT_TEXT,
    Approval,
    WriteIdentity,
    checked_text,
    decimals,
    derived_uid,
    item,
    new_dataset,
    save,
    set_approval,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBeam:
    """One static photon beam; angles after IEC 61217, degrees."""

    name: str
    gantry_deg: float
    table_deg: float = 0.0
    setup_only: bool = False


def write_rtplan(
    path: Path,
    *,
    identity: WriteIdentity,
    label: str,
    isocentre_mm: ArrayLike,
    position: PatientPosition,
    beams: Sequence[PlannedBeam],
    structure_set_uid: str,
    machine: str = "research",
    approval: Approval = Approval.UNAPPROVED,
) -> str:
    """Write an RT Plan (PS3.3 A.20) of static photon beams about one isocentre (LPS mm) in one set-up; its SOP Instance UID.

    Fields are 100 x 100 mm and carry no dose: the plan says where the patient belongs, not what to deliver.
    """
    if not any(not b.setup_only for b in beams):
        raise ValueError("beams holds no treatment beam; give at least one")
    isocentre = frozen_array(isocentre_mm, (3,), "isocentre_mm")
    sop_uid = derived_uid(identity.seed, "plan", label)
    series_uid = derived_uid(identity.seed, "plan series", label)
    ds = new_dataset(identity, sop_class=RTPlanStorage, sop_uid=sop_uid, series_uid=series_uid, modality="RTPLAN")
    ds.RTPlanLabel = checked_text(label, "plan label", limit=SHORT_TEXT)
    ds.RTPlanDescription = ds.SeriesDescription = RESEARCH_NOTE
    ds.RTPlanDate, ds.RTPlanTime = ds.StudyDate, ds.StudyTime
    ds.RTPlanGeometry = "PATIENT"
    ds.PlanIntent = "RESEARCH"
    ds.OperatorsName = ""
    ds.PatientSetupSequence = [item(PatientSetupNumber=1, PatientPosition=PatientPosition(position).value, SetupTechnique="ISOCENTRIC")]
    ds.FractionGroupSequence = [_fraction_group(len(beams))]
    ds.BeamSequence = [_beam(n, b, isocentre, machine) for n, b in enumerate(beams, 1)]
    ds.ReferencedStructureSetSequence = [item(ReferencedSOPClassUID=RTStructureSetStorage, ReferencedSOPInstanceUID=structure_set_uid)]
    set_approval(ds, approval)
    save(ds, path)
    return sop_uid


def _fraction_group(beams: int) -> Dataset:
    cited = [item(ReferencedBeamNumber=n) for n in range(1, beams + 1)]
    return item(
        FractionGroupNumber=1,
        NumberOfFractionsPlanned=1,
        NumberOfBeams=beams,
        NumberOfBrachyApplicationSetups=0,
        ReferencedBeamSequence=cited,
    )


def _beam(number: int, beam: PlannedBeam, isocentre_mm: NDArray[np.float64], machine: str) -> Dataset:
    """One item of Beam Sequence (PS3.3 C.8.8.14), static, with the two control points that the standard asks for."""
    jaws = [item(RTBeamLimitingDeviceType=axis, NumberOfLeafJawPairs=1) for axis in ("ASYMX", "ASYMY")]
    return item(
        BeamNumber=number,
        BeamName=checked_text(beam.name, "beam name", limit=LONG_TEXT),
        BeamType="STATIC",
        RadiationType="PHOTON",
        TreatmentDeliveryType="SETUP" if beam.setup_only else "TREATMENT",
        TreatmentMachineName=checked_text(machine, "machine", limit=SHORT_TEXT),
        PrimaryDosimeterUnit="MU",
        SourceAxisDistance="1000",
        BeamLimitingDeviceSequence=jaws,
        ReferencedPatientSetupNumber=1,
        NumberOfWedges=0,
        NumberOfCompensators=0,
        NumberOfBoli=0,
        NumberOfBlocks=0,
        FinalCumulativeMetersetWeight="1",
        NumberOfControlPoints=2,
        ControlPointSequence=[
            _first_control_point(beam, isocentre_mm),
            item(ControlPointIndex=1, CumulativeMetersetWeight="1"),
        ],
    )


def _first_control_point(beam: PlannedBeam, isocentre_mm: NDArray[np.float64]) -> Dataset:
    gantry, table = decimals([beam.gantry_deg % 360, beam.table_deg % 360])
    jaws = [item(RTBeamLimitingDeviceType=axis, LeafJawPositions=["-50", "50"]) for axis in ("ASYMX", "ASYMY")]
    return item(
        ControlPointIndex=0,
        CumulativeMetersetWeight="0",
        NominalBeamEnergy="6",
        BeamLimitingDevicePositionSequence=jaws,
        GantryAngle=gantry,
        GantryRotationDirection="NONE",
        BeamLimitingDeviceAngle="0",
        BeamLimitingDeviceRotationDirection="NONE",
        PatientSupportAngle=table,
        PatientSupportRotationDirection="NONE",
        TableTopEccentricAngle="0",
        TableTopEccentricRotationDirection="NONE",
        TableTopVerticalPosition=None,
        TableTopLongitudinalPosition=None,
        TableTopLateralPosition=None,
        IsocenterPosition=decimals(isocentre_mm),
    )
