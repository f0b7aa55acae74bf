"""Rigid motions between named frames: `target_from_source` takes a point of the source frame to the target frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ORTHONORMAL_TOLERANCE = 1e-6


class Frame(StrEnum):
    """The frames of the system: right-handed, millimetres.

    `plan` and `daily` have DICOM LPS axes; `fixed` is the IEC 61217 fixed frame (origin isocentre, x right facing the
    gantry, y toward the gantry, z up); `gantry`, `beam_limiting_device`, `receptor`, `support`, `eccentric`, `couch` (IEC table
    top) and `patient` are the IEC 61217 frames of that name (docs/geometry.md).
    """

    PLAN = "plan"
    DAILY = "daily"
    FIXED = "fixed"
    GANTRY = "gantry"
    BEAM_LIMITING_DEVICE = "beam_limiting_device"
    SUPPORT = "support"
    ECCENTRIC = "eccentric"
    COUCH = "couch"
    PATIENT = "patient"
    RECEPTOR = "receptor"


def frozen_array(values: ArrayLike, shape: tuple[int, ...], field: str) -> NDArray[np.float64]:
    """A read-only float64 copy of `values`; ValueError names `field` where the shape is wrong or a value not finite."""
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{field} has shape {array.shape}; give an array of shape {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{field} holds a value that is not finite; give finite numbers only")
    array.setflags(write=False)
    return array


def require_finite_fields(instance: DataclassInstance, what: str, *, error: type[ValueError] = ValueError) -> None:
    """Make every field of a frozen dataclass a float; `error` names `what` and the field where one is not finite."""
    for field in fields(instance):
        given = getattr(instance, field.name)
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise error(f"{what}: {field.name} is {given!r}; give a finite number")
        object.__setattr__(instance, field.name, value)


@dataclass(frozen=True, slots=True, eq=False)
class RigidMotion:
    """`x_target = rotation @ x_source + translation_mm`, a proper rotation and a finite translation, or ValueError."""

    target: Frame
    source: Frame
    rotation: NDArray[np.float64]
    translation_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", Frame(self.target))
        object.__setattr__(self, "source", Frame(self.source))
        object.__setattr__(self, "rotation", frozen_array(self.rotation, (3, 3), f"rotation of {self.name}"))
        object.__setattr__(self, "translation_mm", frozen_array(self.translation_mm, (3,), f"translation_mm of {self.name}"))
        deviation = float(np.abs(self.rotation.T @ self.rotation - np.eye(3)).max())
        if not deviation < ORTHONORMAL_TOLERANCE or not np.linalg.det(self.rotation) > 0:
            raise ValueError(
                f"rotation of {self.name} is not a proper rotation (off by {deviation:.2g}); give an orthonormal matrix of determinant +1"
            )

    @property
    def name(self) -> str:
        """Such as `plan_from_daily`."""
        return f"{self.target}_from_{self.source}"

    @classmethod
    def identity(cls, *, target: Frame, source: Frame) -> Self:
        """Axes parallel and origins together."""
        return cls(target, source, np.eye(3), np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, *, target: Frame, source: Frame) -> Self:
        """From a homogeneous 4x4 matrix with last row 0 0 0 1 (mm, column vectors)."""
        m = frozen_array(matrix, (4, 4), f"matrix of {target}_from_{source}")
        if not np.abs(m[3] - [0, 0, 0, 1]).max() < 1e-12:
            raise ValueError(f"matrix of {target}_from_{source} has last row {m[3].tolist()}; give 0 0 0 1")
        return cls(target, source, m[:3, :3], m[:3, 3])

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Homogeneous 4x4 matrix (mm, column vectors)."""
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = self.rotation, self.translation_mm
        return m

    def inverse(self) -> RigidMotion:
        """`source_from_target`."""
        return RigidMotion(self.source, self.target, self.rotation.T, -self.rotation.T @ self.translation_mm)

    def __matmul__(self, other: RigidMotion) -> RigidMotion:
        """`a_from_b @ b_from_c == a_from_c`; ValueError where the inner frames differ."""
        if self.source != other.target:
            raise ValueError(f"{self.name} cannot follow {other.name}: {self.source} is not {other.target}")
        return RigidMotion(
            self.target, other.source, self.rotation @ other.rotation, self.rotation @ other.translation_mm + self.translation_mm
        )

    def apply(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 3) of the source frame, in the target frame (mm)."""
        return np.asarray(points_mm, dtype=np.float64) @ self.rotation.T + self.translation_mm

    def turn(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Directions (..., 3) of the source frame, in the target frame: rotated, not shifted."""
        return np.asarray(vectors, dtype=np.float64) @ self.rotation.T
