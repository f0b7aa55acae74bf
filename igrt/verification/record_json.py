"""The parts of an answer in the types of JSON and back (docs/json.md): plain values, nothing that is not finite."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import Correction
from igrt.registration.match import Evidence, measured
from igrt.verification.correction import CouchAnswer

# Measures that may not have been taken, and that an answer of an earlier igrt lacks.
_WITH_DEFAULT = frozenset(field.name for field in dataclasses.fields(Evidence) if field.default is not dataclasses.MISSING)


def plain(value: object) -> Any:
    """The value in the types of JSON; a number that is not finite becomes None, for JSON has none."""
    return _finite(msgspec.to_builtins(value))


def evidence_json(evidence: Evidence | None) -> dict[str, Any] | None:
    """Every measure; None for one that was not taken."""
    if evidence is None:
        return None
    return {name: None if name in _WITH_DEFAULT and not measured(value) else value for name, value in plain(evidence).items()}


def evidence_of(table: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Evidence as it was before `evidence_json`: a number that is None was not finite, or, where a measure has a default, not taken."""
    if table is None:
        return None
    known = {name: value for name, value in table.items() if value is not None or name not in _WITH_DEFAULT}
    return {
        name: [math.nan if inner is None else inner for inner in value] if isinstance(value, list) else math.nan if value is None else value
        for name, value in known.items()
    }


def matrix_json(motion: RigidMotion | None) -> list[list[float]] | None:
    """Rows of the homogeneous matrix."""
    return None if motion is None else [[float(value) for value in row] for row in motion.matrix]


def motion_of(matrix: object) -> RigidMotion:
    """`plan_from_daily` of such rows."""
    return RigidMotion.from_matrix(np.asarray(matrix, float), target=Frame.PLAN, source=Frame.DAILY)


def correction_json(correction: Correction | None) -> dict[str, Any] | None:
    """Axes, values and words."""
    return None if correction is None else {"axes": "fixed", **plain(correction), "words": list(correction.words())}


def couch_json(couch: CouchAnswer | None) -> dict[str, Any] | None:
    """With what it really makes as a correction."""
    return None if couch is None else {**plain(couch), "made": correction_json(couch.made)}


def part_of(value: object, kind: Any) -> Any:
    """The value as `kind`; msgspec.ValidationError where it is not one."""
    return msgspec.convert(value, kind, strict=True)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
