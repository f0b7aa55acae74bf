"""Volume files for research (.mha, .nii, .nii.gz, .nrrd): Hounsfield units on a right-handed grid in LPS, by SimpleITK."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import ORTHONORMAL_TOLERANCE, Frame
from igrt.images.nifti import nifti_values
from igrt.images.pixels import to_int16

SUFFIXES = (".mha", ".nii", ".nii.gz", ".nrrd")


def is_volume_file(path: Path) -> bool:
    """Whether the name ends as volume files do."""
    return path.name.lower().endswith(SUFFIXES)


def read_volume(path: Path, frame: Frame) -> Volume:
    """The volume in `frame`; a left-handed grid is turned round along its last axis, which keeps every voxel in its place.

    InputError where the file cannot be read, is not one scalar 3D image, states no orientation, or holds what is no HU.
    """
    image, voxels = _read(path)
    values = _hounsfield(voxels, path)
    spacing_mm, origin_mm = np.array(image.GetSpacing()), np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    if np.linalg.det(direction) < 0:
        origin_mm = origin_mm + direction[:, 2] * spacing_mm[2] * (len(values) - 1)
        direction = direction * [1, 1, -1]
        values = values[::-1]
    skew = float(np.abs(direction.T @ direction - np.eye(3)).max())
    if not skew < ORTHONORMAL_TOLERANCE:
        raise InputError(f"{path}: its axes are not at right angles (off by {skew:.2g}); resample it to a right-angled grid")
    grid = Grid(frame, values.shape, origin_mm, spacing_mm, direction)
    return Volume(grid, np.ascontiguousarray(values))


def _read(path: Path) -> tuple[Any, NDArray[Any]]:
    """The image's geometry and its voxels (k, j, i)."""
    itk = _simple_itk()
    try:
        with path.open("rb"):
            reader = itk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        dimension, components = reader.GetDimension(), reader.GetNumberOfComponents()
        if dimension != 3 or components != 1:
            raise InputError(f"{path} is a {dimension}D image of {components} component(s); give one scalar 3D volume in HU")
        if path.name.lower().endswith((".nii", ".nii.gz")):
            _refuse_unoriented(reader, path)
            return reader, nifti_values(path)
        image = reader.Execute()
        return image, itk.GetArrayViewFromImage(image)
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror or error}); check the path and its permissions") from error
    except RuntimeError as error:
        raise InputError(f"{path} cannot be read as a volume ({_reason(error)}); it may be cut short or damaged: copy it again") from error


def _refuse_unoriented(reader: Any, path: Path) -> None:
    codes = {key: reader.GetMetaData(key) for key in ("qform_code", "sform_code") if reader.HasMetaDataKey(key)}
    if set(codes.values()) == {"0"}:
        raise InputError(f"{path}: its NIfTI header states no orientation (qform_code and sform_code are 0); convert it again with one")


def _simple_itk() -> Any:
    """SimpleITK, which takes a third of a second to import and which only these files need."""
    return importlib.import_module("SimpleITK")


def _hounsfield(values: NDArray[Any], path: Path) -> NDArray[np.int16]:
    if values.dtype.kind == "f":
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(
                f"{path} holds {bad} voxel(s) that are not finite (NaN or infinite); fill them with air (-1000 HU) or crop them away"
            )
        values = np.rint(values)
    elif values.dtype.kind not in "iu":
        raise InputError(f"{path} holds {values.dtype} values; give a scalar volume in HU")
    if values.min() == values.max():
        raise InputError(f"{path} holds the one value {values.min():.0f} everywhere, no image; give a volume in HU")
    return to_int16(values, str(path))


def _reason(error: RuntimeError) -> str:
    """The last line of an ITK error that says what went wrong: lines before it name source files, "Reason:" the last system call."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Reason:")]
    return lines[-1][:200] if lines else "no reason given"
