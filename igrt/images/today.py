"""The day's image whatever it is: a cone-beam CT, or radiographs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import folder_contents, open_file, tolerant_reading
from igrt.images.dicom_series import Progress, is_ct, passed_over
from igrt.images.load import AnyPath, load_daily, stated_position
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily
from igrt.images.rt_image import is_rt_image, read_radiographs
from igrt.images.volumes import is_volume_file


def load_today(
    paths: AnyPath | Sequence[AnyPath],
    *,
    isocentre_mm: ArrayLike | None = None,
    position: PatientPosition | str | None = None,
    progress: Progress | None = None,
) -> Daily | Radiographs:
    """Radiographs where the files, or those of the one folder, are RT Images and none is a CT; else as `load_daily`.

    Radiographs have no volume frame: their isocentre is the plan's, and stating another is an InputError.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    radiographs = _radiographs(given, position)
    if radiographs is None:
        return load_daily(paths, isocentre_mm=isocentre_mm, position=position, progress=progress)
    if isocentre_mm is not None:
        raise InputError(f"{radiographs.source}: radiographs show the machine isocentre by their geometry; leave daily isocentre_mm out")
    return radiographs


def _radiographs(given: Sequence[Path], position: PatientPosition | str | None) -> Radiographs | None:
    if not given or not all(path.exists() for path in given) or is_volume_file(given[0]):
        return None
    with tolerant_reading():
        notes: tuple[str, ...] = ()
        if len(given) == 1 and given[0].is_dir():
            contents = folder_contents(given[0])
            files = tuple(file for file in contents.files if is_rt_image(file))
            if any(is_ct(file) for file in contents.files):
                return None
            notes = passed_over(given[0], len(contents.files) - len(files), contents.others)
            source = str(given[0])
        elif any(path.is_dir() or is_volume_file(path) for path in given):
            return None
        else:
            files = tuple(open_file(path) for path in given)
            source = str(given[0]) if len(given) == 1 else f"{given[0].parent} ({len(given)} files)"
        if not any(is_rt_image(file) for file in files):
            return None
        return read_radiographs(files, stated_position=stated_position(position), source=source, notes=notes)
