"""The voxels of a NIfTI-1 file, read whole or not at all.

ITK's reader fills what is missing from a file that is cut short with zeros and turns NaN into 0, which is water; here
both are seen. Geometry is left to ITK.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError

HEADER_BYTES = 348
# NIfTI-1 datatype codes of scalar types.
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


def nifti_values(path: Path) -> NDArray[Any]:
    """Voxels (k, j, i) with scl_slope and scl_inter applied; InputError where the file is cut short, damaged or of another kind."""
    data = _content(path)
    if len(data) < HEADER_BYTES:
        raise InputError(f"{path} is cut short in its header; copy it again")
    order = next((o for o in "<>" if struct.unpack_from(f"{o}i", data)[0] == HEADER_BYTES), None)
    if order is None or data[344:347] != b"n+1":
        raise InputError(f"{path} is not a single-file NIfTI-1 image; convert it to one, or to .mha")
    dimensions = struct.unpack_from(f"{order}8h", data, 40)
    (code,) = struct.unpack_from(f"{order}h", data, 70)
    start, slope, intercept = struct.unpack_from(f"{order}3f", data, 108)
    shape = tuple(reversed(dimensions[1:4]))
    if code not in _TYPES or not 3 <= dimensions[0] <= 7 or min(shape) < 1 or any(n > 1 for n in dimensions[4 : dimensions[0] + 1]):
        raise InputError(
            f"{path} holds datatype {code} with dimensions {dimensions[1 : dimensions[0] + 1]}; give one scalar 3D volume in HU"
        )
    offset = int(start)
    kind = np.dtype(order + _TYPES[code])
    if len(data) < offset + math.prod(shape) * kind.itemsize:
        raise InputError(f"{path} is cut short: {len(data) - offset} of {math.prod(shape) * kind.itemsize} bytes of voxels; copy it again")
    values = np.frombuffer(data, kind, math.prod(shape), offset).reshape(shape)
    if slope in (0.0, 1.0) and (intercept == 0.0 or slope == 0.0):  # a slope of 0 means: not scaled
        return values
    return values * np.float64(slope) + np.float64(intercept)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is cut short or damaged ({error}); copy it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror or error}); check the path and its permissions") from error
