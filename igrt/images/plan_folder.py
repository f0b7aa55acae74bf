"""A plan as a planning system exports it: CT, structure set and RT Plan in one folder, each checked against the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import Elements, folder_contents, one_patient
from igrt.images.dicom_series import Progress, Series, agreed_position, is_ct, passed_over, read_series, why_no_ct
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.records import Plan, PlanIdentity, Structure
from igrt.images.rtplan import Placement, RtPlan, is_rtplan, place, read_rtplan
from igrt.images.structures import TARGETS, StructureSet, is_structure_set, read_structure_set

SAME_POINT_MM = 0.01


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Wanted:
    """What the caller states or chooses; None leaves it to the files."""

    isocentre_mm: NDArray[np.float64] | None
    position: PatientPosition | None
    isocentre_choice: str | None
    setup_choice: str | None


def read_plan_folder(folder: Path, wanted: Wanted, progress: Progress | None = None) -> Plan:
    """InputError where a part is missing, is there twice, or contradicts another part or what is wanted."""
    contents = folder_contents(folder)
    images = [file for file in contents.files if is_ct(file)]
    sets = [file for file in contents.files if is_structure_set(file)]
    plans = [file for file in contents.files if is_rtplan(file)]
    if not images:
        raise InputError(why_no_ct(contents.files, folder))
    one_patient([*images, *sets, *plans], str(folder))
    plan = _only_plan(plans, wanted, folder)
    structure_set = _only_set(sets, plan, folder)
    series = read_series(images, Frame.PLAN, str(folder), progress)
    if plan is not None:
        _plan_fits(plan, structure_set, series)
    if structure_set is not None:
        _set_fits(structure_set, series)
    structures = () if structure_set is None else structure_set.structures
    isocentre_mm, position, placed = _placement(plan, series, wanted, folder)
    others = len(contents.files) - len(images) - len(sets) - len(plans)
    built = Plan(
        ct=series.volume,
        position=position,
        isocentre_mm=isocentre_mm,
        structures=structures,
        identity=_identity(series, plan, placed),
        fingerprint=plan_fingerprint(series.volume, isocentre_mm, position, structures, () if placed is None else placed.table_angles_deg),
        source=str(folder),
        notes=passed_over(folder, others, contents.others) + _notes(plan, structure_set),
    )
    _targets_inside(structures, series.volume, structure_set)
    return built


def _only_plan(files: Sequence[Elements], wanted: Wanted, folder: Path) -> RtPlan | None:
    if len(files) > 1:
        named = ", ".join(f"{file.text('RTPlanLabel') or 'without label'} ({file.path.name})" for file in files)
        raise InputError(f"{folder} holds {len(files)} RT Plans: {named}; leave the one that is treated in the folder")
    if files:
        return read_rtplan(files[0])
    if wanted.isocentre_mm is None:
        raise InputError(f"{folder} holds no RT Plan; add the plan, or give isocentre_mm, the plan's isocentre as x y z in LPS mm")
    if wanted.isocentre_choice is not None or wanted.setup_choice is not None:
        raise InputError(f"{folder} holds no RT Plan to choose an isocentre or set-up from; leave the choice out")
    return None


def _only_set(files: Sequence[Elements], plan: RtPlan | None, folder: Path) -> StructureSet | None:
    if len(files) > 1:
        cited = () if plan is None else plan.structure_set_uids
        named = ", ".join(
            f"{file.text('StructureSetLabel') or 'without label'} ({file.path.name}"
            f"{', the one that the plan cites' if file.text('SOPInstanceUID') in cited else ''})"
            for file in files
        )
        raise InputError(f"{folder} holds {len(files)} structure sets: {named}; leave the one that belongs to the plan in the folder")
    return read_structure_set(files[0]) if files else None


def _plan_fits(plan: RtPlan, structure_set: StructureSet | None, series: Series) -> None:
    """The plan was made on this CT: same frame of reference, or at least on the structure set that is here."""
    same_set = structure_set is not None and structure_set.uid in plan.structure_set_uids
    if structure_set is not None and plan.structure_set_uids and not same_set:
        raise InputError(
            f"{plan.path} was made on another structure set than {structure_set.path.name}; "
            "export the structure set that belongs to the plan"
        )
    if plan.frame_of_reference_uid is None and not same_set:
        raise InputError(
            f"{plan.path} states no Frame of Reference UID (0020,0052), so its isocentre cannot be tied to the CT; export it again"
        )
    if plan.frame_of_reference_uid not in (None, series.frame_of_reference_uid):
        raise InputError(
            f"{plan.path} is in another frame of reference ({plan.frame_of_reference_uid}) than the CT ({series.frame_of_reference_uid}); "
            "give the CT that the plan was made on"
        )


def _set_fits(structure_set: StructureSet, series: Series) -> None:
    """The structures were drawn in the frame of reference of this CT, and if on this very series, all of it is here."""
    foreign = sorted(structure_set.frames - {series.frame_of_reference_uid or ""})
    if foreign or not structure_set.frames:
        found = foreign[0] if foreign else "none stated"
        raise InputError(
            f"{structure_set.path} is in another frame of reference ({found}) than the CT ({series.frame_of_reference_uid}); "
            "give the CT that the structures were drawn on"
        )
    absent = structure_set.cited.get(series.series_uid, frozenset()) - set(series.sop_uids)
    if absent:
        raise InputError(
            f"the CT is incomplete: {structure_set.path} was drawn on {len(absent)} slice(s) of it that are not here; copy the whole series"
        )


def _placement(
    plan: RtPlan | None, series: Series, wanted: Wanted, folder: Path
) -> tuple[NDArray[np.float64], PatientPosition, Placement | None]:
    """Isocentre and position, where files and caller agree, and what the plan says of both."""
    if plan is None:
        assert wanted.isocentre_mm is not None
        return wanted.isocentre_mm, agreed_position(wanted.position, [(series.position, "the CT")], str(folder)), None
    placed = place(plan, isocentre_choice=wanted.isocentre_choice, setup_choice=wanted.setup_choice)
    if wanted.isocentre_mm is not None and not np.linalg.norm(wanted.isocentre_mm - placed.isocentre_mm) < SAME_POINT_MM:
        raise InputError(
            f"isocentre_mm {np.round(wanted.isocentre_mm, 2).tolist()} is not the isocentre of {plan.path}, "
            f"{np.round(placed.isocentre_mm, 2).tolist()}; leave it out"
        )
    stated = [(series.position, "the CT"), (placed.position, f"the plan {plan.path.name}")]
    return placed.isocentre_mm, agreed_position(wanted.position, stated, str(folder)), placed


def _identity(series: Series, plan: RtPlan | None, placed: Placement | None) -> PlanIdentity:
    return PlanIdentity(
        patient_id=series.patient_id,
        patient_name=series.patient_name,
        plan_label=None if plan is None else plan.label,
        plan_uid=None if plan is None else plan.uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        beams=() if placed is None else placed.beams,
        series_uid=series.series_uid,
        plan_revision=None if plan is None else plan.revision,
        plan_approval=None if plan is None else plan.approval,
        table_angles_deg=() if placed is None else placed.table_angles_deg,
        isocentres=() if placed is None else placed.isocentres,
    )


def _notes(plan: RtPlan | None, structure_set: StructureSet | None) -> tuple[str, ...]:
    notes = []
    if plan is not None and plan.approval != "APPROVED":
        notes.append(f"{plan.path}: the plan is not approved ({plan.approval or 'no Approval Status'})")
    if structure_set is not None and structure_set.undrawn:
        notes.append(f"{structure_set.path}: without a closed contour and left out: {', '.join(structure_set.undrawn)}")
    return tuple(notes)


def _targets_inside(structures: Sequence[Structure], ct: Volume, structure_set: StructureSet | None) -> None:
    """A target outside the CT belongs to other images, whatever the identifiers say."""
    for structure in structures:
        if structure.kind in TARGETS and not ct.grid.contains(structure.vertices_mm).any():
            where = "the structure set" if structure_set is None else structure_set.path
            raise InputError(f"{where}: {structure.kind} {structure.name!r} lies outside the planning CT; give the CT that it was drawn on")
