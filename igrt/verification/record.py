"""An answer as it is handed on: valid once built, and the same as JSON and back (docs/json.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.registration.match import Evidence
from igrt.verification.correction import CouchAnswer, MatchPoint, PointResidual
from igrt.verification.findings import Finding, Outcome, Verdict
from igrt.verification.marker_rules import MarkersAnswer
from igrt.verification.radiograph_rules import RadiographsAnswer
from igrt.verification.verdict import verdict as verdict_of

VERSION = "igrt-answer/1"
NOTICE = "igrt is research software and not a medical device: no patient is to be treated on its answer."
PROPOSAL_FIELDS = ("plan_from_daily", "correction", "couch", "match_point", "residuals")
CONE_BEAM, RADIOGRAPHS = "cone-beam CT", "kV radiographs"
MARKERS = "markers"
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticRecord:
    """The automatic match where a hand set the pose: how far it ended from it (80 mm about the isocentre), why it is refused, if it is."""

    difference_mm: float
    difference_deg: float
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """The target's soft tissue matched by itself: where it lies (plan LPS mm) from where the correction puts it; None with a reason.

    `evidence` is None where there was nothing to match.
    """

    region: str
    reason: str
    shift_mm: Point | None = None
    distance_mm: float | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRecord:
    """What the match looked at, and what lies beside it."""

    mode: str = "grey"
    region: str = "whole"
    freedom: str = "six"
    rotation_centre_mm: Point | None = None
    manual: bool = False
    whole_similarity: float | None = None
    automatic: AutomaticRecord | None = None
    target: TargetRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What library, command and engine give for one plan and one daily image.

    Only an accepted match carries `plan_from_daily` (LPS mm, p_plan = M p_daily), `correction` (IEC fixed axes about the
    isocentre), `couch`, `match_point` and `residuals`: in any other answer all five are None. `start` is the pose at which
    nothing is wrong with the set-up, where the registration began. ValueError where an answer contradicts itself.
    """

    outcome: Outcome
    reason: str
    verdict: Verdict
    plan_from_daily: RigidMotion | None
    correction: Correction | None
    couch: CouchAnswer | None
    match_point: MatchPoint | None
    residuals: tuple[PointResidual, ...] | None
    findings: tuple[Finding, ...]
    evidence: Evidence | None
    checked: tuple[str, ...]
    start: RigidMotion
    plan_isocentre_mm: Point
    daily_isocentre_mm: Point
    daily_isocentre_from: str
    position: PatientPosition
    table_angle_deg: float
    image_table_angle_deg: float
    table_angle_from: str
    scan_offset_mm: Point
    machine: str
    protocol: str
    calibration: tuple[str, ...]
    research: bool
    device: str
    seconds: Mapping[str, float]
    plan_fingerprint: str
    modality: str = CONE_BEAM
    match: MatchRecord = MatchRecord()
    radiographs: RadiographsAnswer | None = None
    markers: MarkersAnswer | None = None

    def __post_init__(self) -> None:
        present = [name for name in PROPOSAL_FIELDS if getattr(self, name) is not None]
        expected = list(PROPOSAL_FIELDS) if self.outcome is Outcome.ACCEPTED else []
        if present != expected:
            raise ValueError(
                f"an answer that is {self.outcome} carries {present or 'nothing'}; it must carry {expected or 'nothing'} of a proposal"
            )
        if self.verdict is not verdict_of(self.outcome, self.findings):
            raise ValueError(f"verdict is {self.verdict}; outcome and findings make it {verdict_of(self.outcome, self.findings)}")

    def to_json(self) -> dict[str, Any]:
        """The public object of `igrt verify --json`: plain values, no NaN; see docs/json.md for every key."""
        same = {name: plain(getattr(self, name)) for name in _SAME_IN_JSON}
        return {
            "version": VERSION,
            "notice": NOTICE,
            **{name: same[name] for name in ("outcome", "reason", "verdict", "research")},
            "plan_from_daily": _matrix(self.plan_from_daily),
            "correction": _with_words(self.correction),
            "couch": _couch(self.couch),
            "residuals_mm": None if self.residuals is None else {residual.name: plain(residual) for residual in self.residuals},
            "start_plan_from_daily": _matrix(self.start),
            "match": plain(self.match),
            "radiographs": plain(self.radiographs),
            **({} if self.markers is None else {"markers": plain(self.markers)}),
            **same,
        }

    @classmethod
    def from_json(cls, tables: Mapping[str, Any]) -> Answer:
        """The answer that `to_json` wrote; InputError where it is of another version or not an answer."""
        if tables.get("version") != VERSION:
            raise InputError(f"the answer's version is {tables.get('version')!r}; this igrt reads {VERSION!r}")
        try:
            same = {
                name: _part(_with_nan(tables[name]) if name == "evidence" else tables[name], kind) for name, kind in _SAME_IN_JSON.items()
            }
            matched = _match(tables.get("match", {}))
            residuals = tables["residuals_mm"]
            return cls(
                plan_from_daily=_motion(tables["plan_from_daily"]),
                correction=_part(tables["correction"], Correction | None),
                couch=_part(tables["couch"], CouchAnswer | None),
                residuals=None if residuals is None else _part(list(residuals.values()), tuple[PointResidual, ...]),
                radiographs=_part(tables.get("radiographs"), RadiographsAnswer | None),
                markers=_part(tables.get("markers"), MarkersAnswer | None),
                start=RigidMotion.from_matrix(tables["start_plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY),
                match=matched,
                **same,
            )
        except (KeyError, TypeError, ValueError, AttributeError, msgspec.ValidationError) as problem:
            raise InputError(f"this is not an answer of igrt ({problem!r}); give one as `igrt verify --json` printed it") from problem


# Fields that stand in the JSON as they are, with the type that they are read back as.
_SAME_IN_JSON: Mapping[str, Any] = {
    "outcome": Outcome,
    "reason": str,
    "verdict": Verdict,
    "research": bool,
    "match_point": MatchPoint | None,
    "findings": tuple[Finding, ...],
    "evidence": Evidence | None,
    "checked": tuple[str, ...],
    "plan_isocentre_mm": Point,
    "daily_isocentre_mm": Point,
    "daily_isocentre_from": str,
    "position": PatientPosition,
    "table_angle_deg": float,
    "image_table_angle_deg": float,
    "table_angle_from": str,
    "scan_offset_mm": Point,
    "machine": str,
    "protocol": str,
    "calibration": tuple[str, ...],
    "device": str,
    "seconds": dict[str, float],
    "plan_fingerprint": str,
    "modality": str,
}


def plain(value: object) -> Any:
    """The value in the types of JSON; a number that is not finite becomes None, for JSON has none."""
    return _finite(msgspec.to_builtins(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _with_nan(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Evidence as it was before `_finite`: only a number can be None there."""
    if evidence is None:
        return None
    return {
        name: [math.nan if inner is None else inner for inner in value] if isinstance(value, list) else math.nan if value is None else value
        for name, value in evidence.items()
    }


def _match(table: Mapping[str, Any]) -> MatchRecord:
    """As written; the default where an earlier igrt wrote none."""
    nested = {name: table.get(name) for name in ("automatic", "target")}
    whole = {
        name: None if part is None else {**part, "evidence": part["evidence"] and _with_nan(part["evidence"])}
        for name, part in nested.items()
    }
    record: MatchRecord = _part({**table, **whole}, MatchRecord)
    return record


def _matrix(motion: RigidMotion | None) -> list[list[float]] | None:
    return None if motion is None else [[float(value) for value in row] for row in motion.matrix]


def _motion(matrix: object) -> RigidMotion | None:
    return None if matrix is None else RigidMotion.from_matrix(np.asarray(matrix, float), target=Frame.PLAN, source=Frame.DAILY)


def _with_words(correction: Correction | None) -> dict[str, Any] | None:
    return None if correction is None else {"axes": "fixed", **plain(correction), "words": list(correction.words())}


def _couch(couch: CouchAnswer | None) -> dict[str, Any] | None:
    return None if couch is None else {**plain(couch), "made": _with_words(couch.made)}


def _part(value: object, kind: Any) -> Any:
    return msgspec.convert(value, kind, strict=True)
