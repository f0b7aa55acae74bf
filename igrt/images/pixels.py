"""The pixels of one CT slice in Hounsfield units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from igrt.errors import InputError
from igrt.images.dicom_files import PARSE_ERRORS, Elements, open_file

AIR_HU = -1000.0
_GPL_DECODED = {*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes} - set(JPEG2000TransferSyntaxes)


def slice_hu(path: Path, shape: tuple[int, int]) -> NDArray[np.int16]:
    """HU (rows, columns) of the slice in the file: stored value x Rescale Slope + Rescale Intercept, rounded to int16.

    A declared Pixel Padding Value that stands for less than air becomes air; one at a value that tissue can have is
    left alone, since it cannot be told from tissue. InputError where the file is cut short or cannot be decoded, where
    it states no rescale, or where a value does not fit int16.
    """
    file = open_file(path, pixels=True)
    stored = _stored(file, shape)
    slope, intercept = (float(file.required_numbers(keyword, 1)[0]) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if slope == 0:
        raise InputError(f"{path}: Rescale Slope (0028,1053) is 0; export the series again")
    values = np.rint(stored * slope + intercept)  # float64 holds every whole number that can occur
    padded = _padding(file, stored, slope, intercept)
    if padded is not None:
        values[padded] = AIR_HU
    return to_int16(values, str(path))


def to_int16(values: NDArray[np.integer | np.floating], source: str) -> NDArray[np.int16]:
    """The rounded values as int16 HU; InputError where one does not fit."""
    low, high = float(values.min()), float(values.max())
    if not (low >= -32768 and high <= 32767):
        raise InputError(f"{source} holds values from {low:.0f} to {high:.0f}, beyond what HU can be (-32768 to 32767); check its rescale")
    return values.astype(np.int16)


def _stored(file: Elements, shape: tuple[int, int]) -> NDArray[np.integer]:
    """Stored values (rows, columns), unused bits cleared or sign-extended."""
    _check_format(file)
    if "PixelData" not in file.dataset:
        raise InputError(f"{file.path} holds no pixel data: it is cut short; copy it again")
    syntax = _transfer_syntax(file)
    plugin = "pylibjpeg" if syntax.is_compressed and syntax.is_encapsulated else ""
    try:
        stored: NDArray[np.integer] = pixel_array(file.dataset, decoding_plugin=plugin)
    except (*PARSE_ERRORS, RuntimeError) as error:
        raise InputError(f"{file.path}: its pixel data are cut short or damaged ({_first_line(error)}); copy it again") from error
    if stored.shape != shape:
        raise InputError(f"{file.path} decodes to {stored.shape} pixels where its header says {shape}; export it again")
    unused = stored.dtype.itemsize * 8 - file.whole("BitsStored")
    return np.right_shift(np.left_shift(stored, unused), unused) if unused else stored


def _check_format(file: Elements) -> None:
    frames = file.numbers("NumberOfFrames", 1)
    if frames is not None and frames[0] != 1:
        raise InputError(f"{file.path} holds {frames[0]:.0f} frames; export the series as single-frame CT images")
    colour = file.required("PhotometricInterpretation")
    if colour != "MONOCHROME2" or file.whole("SamplesPerPixel") != 1:
        raise InputError(f"{file.path} is {colour}, which is no CT image in Hounsfield units (MONOCHROME2); give the original series")
    allocated, stored, high = (file.whole(keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit"))
    if allocated not in (8, 16) or not 1 <= stored <= allocated or high != stored - 1:
        raise InputError(
            f"{file.path} has {allocated} bits allocated, {stored} stored, high bit {high}; a CT image has 16, up to 16, stored - 1"
        )


def _transfer_syntax(file: Elements) -> UID:
    """The transfer syntax; InputError naming it and what to install where there is no decoder."""
    syntax = UID(str(file.dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        decoder = get_decoder(syntax)
        known = not syntax.is_encapsulated or "pylibjpeg" in decoder.available_plugins
    except (NotImplementedError, ValueError):
        raise InputError(f"{file.path} is stored as {syntax.name or 'nothing stated'}, which is not read; export it uncompressed") from None
    if not known:
        extra = "igrt[jpeg]" if syntax in _GPL_DECODED else "igrt again with its dependencies (pylibjpeg-openjpeg, pylibjpeg-rle)"
        raise InputError(
            f"{file.path} is compressed as {syntax.name} and no decoder for it is installed; install {extra}, or export it uncompressed"
        )
    return syntax


def _padding(file: Elements, stored: NDArray[np.integer], slope: float, intercept: float) -> NDArray[np.bool_] | None:
    value = file.numbers("PixelPaddingValue", 1)
    if value is None:
        return None
    limit = file.numbers("PixelPaddingRangeLimit", 1)
    ends = sorted([float(value[0]), float(value[0] if limit is None else limit[0])])
    if max(end * slope + intercept for end in ends) >= AIR_HU:
        return None
    return (stored >= ends[0]) & (stored <= ends[1])


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
