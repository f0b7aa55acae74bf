"""A plan and a daily image from what a planning system, an imager or a researcher has on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from igrt.errors import InputError
from igrt.geometry.motion import Frame, frozen_array
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import Elements, folder_contents, open_file, tolerant_reading
from igrt.images.dicom_series import (
    Progress,
    agreed_position,
    is_ct,
    kind_of_file,
    passed_over,
    patient_position,
    read_series,
    why_no_ct,
)
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.plan_folder import Wanted, read_plan_folder
from igrt.images.records import Daily, Plan, PlanIdentity
from igrt.images.rtplan import is_rtplan
from igrt.images.structures import is_structure_set
from igrt.images.volumes import is_volume_file, read_volume

AnyPath = str | os.PathLike[str]


def load_plan(
    path: AnyPath,
    *,
    isocentre_mm: ArrayLike | None = None,
    position: PatientPosition | str | None = None,
    isocentre_choice: str | None = None,
    setup_choice: str | None = None,
    progress: Progress | None = None,
) -> Plan:
    """The plan in a folder of DICOM files (CT, RT Plan, and a structure set where there is one) or in a volume file.

    `isocentre_mm` (LPS) and `position` are needed where the files do not state them (always for a volume file) and must
    agree with the files where they do. The choices are numbers out of the lists that the error about several isocentres
    or set-ups gives. `progress` is called with a stage and the share done. InputError where anything is missing,
    contradictory or unreadable.
    """
    source = _existing(path)
    wanted = Wanted(
        isocentre_mm=_stated_point(isocentre_mm, "isocentre_mm"),
        position=stated_position(position),
        isocentre_choice=isocentre_choice,
        setup_choice=setup_choice,
    )
    if source.is_dir():
        with tolerant_reading():
            return read_plan_folder(source, wanted, progress)
    if is_volume_file(source):
        return _plan_from_volume(source, wanted)
    with tolerant_reading():
        raise InputError(_why_no_plan(open_file(source)))


def load_daily(
    paths: AnyPath | Sequence[AnyPath],
    *,
    isocentre_mm: ArrayLike | None = None,
    position: PatientPosition | str | None = None,
    progress: Progress | None = None,
) -> Daily:
    """The daily image in a folder of DICOM files, in a list of DICOM files, or in one volume file (which needs `position`).

    `isocentre_mm` is the machine isocentre in the image's LPS coordinates; None leaves it to the machine profile, since
    a DICOM CT image does not state it. InputError as for `load_plan`.
    """
    given = [_existing(p) for p in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    stated = stated_position(position)
    isocentre = _stated_point(isocentre_mm, "daily isocentre_mm")
    if len(given) == 1 and is_volume_file(given[0]):
        if stated is None:
            raise InputError(f"{given[0]} states no patient position; give position, one of {', '.join(PatientPosition)}")
        return Daily(read_volume(given[0], Frame.DAILY), stated, isocentre, None, None, str(given[0]))
    if not given:
        raise InputError("no daily image is given; give a folder, DICOM files or one volume file")
    with tolerant_reading():
        return _daily_from_dicom(given, isocentre, stated, progress)


def _daily_from_dicom(
    given: Sequence[Path], isocentre_mm: NDArray[np.float64] | None, stated: PatientPosition | None, progress: Progress | None
) -> Daily:
    notes: tuple[str, ...] = ()
    if len(given) == 1 and given[0].is_dir():
        source = str(given[0])
        files, notes = _ct_in_folder(given[0])
    else:
        source = str(given[0]) if len(given) == 1 else f"{given[0].parent} ({len(given)} files)"
        files = _ct_files(given)
    series = read_series(files, Frame.DAILY, source, progress)
    agreed = agreed_position(stated, [(series.position, "the image")], source)
    return Daily(
        volume=series.volume,
        position=agreed,
        isocentre_mm=isocentre_mm,
        patient_id=series.patient_id,
        frame_of_reference_uid=series.frame_of_reference_uid,
        source=source,
        notes=notes,
        series_uid=series.series_uid,
    )


def _ct_in_folder(folder: Path) -> tuple[tuple[Elements, ...], tuple[str, ...]]:
    contents = folder_contents(folder)
    files = tuple(file for file in contents.files if is_ct(file))
    if not files:
        raise InputError(why_no_ct(contents.files, folder))
    return files, passed_over(folder, len(contents.files) - len(files), contents.others)


def _ct_files(given: Sequence[Path]) -> tuple[Elements, ...]:
    """The files named one by one: each must be a CT image."""
    for path in given:
        if path.is_dir() or is_volume_file(path):
            raise InputError(f"{path} is given beside other files; give one folder, DICOM files, or one volume file")
    files = tuple(open_file(path) for path in given)
    for file in files:
        if not is_ct(file):
            raise InputError(why_no_ct([file], None))
    return files


def _why_no_plan(file: Elements) -> str:
    """Why one DICOM file is no plan."""
    if is_ct(file) or is_rtplan(file) or is_structure_set(file):
        return f"{file.path} is {kind_of_file(file)} alone; give the folder that holds the CT, the structure set and the plan"
    return why_no_ct([file], None)


def _plan_from_volume(path: Path, wanted: Wanted) -> Plan:
    if wanted.isocentre_choice is not None or wanted.setup_choice is not None:
        raise InputError(f"{path} is a volume file without set-ups; leave the choice of isocentre or set-up out")
    if wanted.isocentre_mm is None:
        raise InputError(f"{path} states no isocentre; give isocentre_mm, the plan's isocentre as x y z in LPS mm")
    if wanted.position is None:
        raise InputError(f"{path} states no patient position; give position, one of {', '.join(PatientPosition)}")
    ct = read_volume(path, Frame.PLAN)
    return Plan(
        ct=ct,
        position=wanted.position,
        isocentre_mm=wanted.isocentre_mm,
        structures=(),
        identity=PlanIdentity(None, None, None, None, None),
        fingerprint=plan_fingerprint(ct, wanted.isocentre_mm, wanted.position, ()),
        source=str(path),
    )


def _existing(path: AnyPath) -> Path:
    found = Path(path)
    try:
        found.stat()
    except OSError as error:
        raise InputError(f"{found} cannot be opened ({error.strerror or error}); check the path and its permissions") from error
    return found


def _stated_point(point_mm: ArrayLike | None, field: str) -> NDArray[np.float64] | None:
    if point_mm is None:
        return None
    try:
        return frozen_array(point_mm, (3,), field)
    except (ValueError, TypeError) as error:
        raise InputError(f"{field} is {point_mm!r}; give three finite numbers x y z in LPS mm") from error


def stated_position(position: PatientPosition | str | None) -> PatientPosition | None:
    """The position that the caller states, None where none is stated; InputError where it is none of the eight."""
    return None if position is None else patient_position(position, "position")
