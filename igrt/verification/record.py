"""An answer as it is handed on: valid once built, and the same as JSON and back (docs/json.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from igrt.errors import InputError
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction
from igrt.registration.match import Evidence, RegionResidual
from igrt.verification.compared import Compared
from igrt.verification.correction import CouchAnswer, MatchPoint, PointResidual
from igrt.verification.findings import Finding, Outcome, Override, Verdict
from igrt.verification.marker_rules import MarkersAnswer
from igrt.verification.radiograph_rules import RadiographsAnswer
from igrt.verification.record_json import correction_json, couch_json, evidence_json, evidence_of, matrix_json, motion_of, part_of, plain
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
class HypothesisRecord:
    """How well the image fits where it would show the vertebra `levels` above (+, towards the head) or below (-) the planned one.

    `score` is that of `Evidence.vertebra_score`. Where it would lie stays out: what is not the answer is nothing to move by.
    """

    levels: int
    score: float


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
    hypotheses: tuple[HypothesisRecord, ...] = ()
    regions: tuple[RegionResidual, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The key `match` of an answer's JSON."""
        table: dict[str, Any] = plain(self)
        for name, part in (("automatic", self.automatic), ("target", self.target)):
            if part is not None:
                table[name]["evidence"] = evidence_json(part.evidence)
        return table

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> MatchRecord:
        """As `to_json` wrote it; the default where an earlier igrt wrote none."""
        nested = {name: table.get(name) for name in ("automatic", "target")}
        whole = {name: None if part is None else {**part, "evidence": evidence_of(part["evidence"])} for name, part in nested.items()}
        record: MatchRecord = part_of({**table, **whole}, MatchRecord)
        return record


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What library, command and engine give for one plan and one daily image.

    Only an accepted match carries `plan_from_daily` (LPS mm, p_plan = M p_daily), `correction` (IEC fixed axes about the
    isocentre), `couch`, `match_point` and `residuals`: in any other answer all five are None. `start` is the pose at which
    nothing is wrong with the set-up, where the registration began. `override` is there in a refused answer alone: the way that is left to
    a person. `compared` is for pictures and stays out of the JSON. ValueError where an answer contradicts itself.
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
    override: Override | None = None
    compared: Compared | None = None
    markers: MarkersAnswer | None = None

    def __post_init__(self) -> None:
        present = [name for name in PROPOSAL_FIELDS if getattr(self, name) is not None]
        expected = list(PROPOSAL_FIELDS) if self.outcome is Outcome.ACCEPTED else []
        if present != expected:
            raise ValueError(
                f"an answer that is {self.outcome} carries {present or 'nothing'}; it must carry {expected or 'nothing'} of a proposal"
            )
        if (self.override is None) is (self.outcome is Outcome.REFUSED):
            raise ValueError(f"an answer that is {self.outcome} has override {self.override}; a refused one alone says which way is left")
        if self.verdict is not verdict_of(self.outcome, self.findings):
            raise ValueError(f"verdict is {self.verdict}; outcome and findings make it {verdict_of(self.outcome, self.findings)}")

    def to_json(self) -> dict[str, Any]:
        """The public object of `igrt verify --json`: plain values, no NaN; see docs/json.md for every key."""
        same = {name: plain(getattr(self, name)) for name in _SAME_IN_JSON} | {"evidence": evidence_json(self.evidence)}
        return {
            "version": VERSION,
            "notice": NOTICE,
            **{name: same[name] for name in ("outcome", "reason", "verdict", "research")},
            "override": plain(self.override),
            "plan_from_daily": matrix_json(self.plan_from_daily),
            "correction": correction_json(self.correction),
            "couch": couch_json(self.couch),
            "residuals_mm": None if self.residuals is None else {residual.name: plain(residual) for residual in self.residuals},
            "start_plan_from_daily": matrix_json(self.start),
            "match": self.match.to_json(),
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
                name: part_of(evidence_of(tables[name]) if name == "evidence" else tables[name], kind)
                for name, kind in _SAME_IN_JSON.items()
            }
            refused = same["outcome"] is Outcome.REFUSED  # an earlier igrt did not say which way is left
            residuals = tables["residuals_mm"]
            return cls(
                plan_from_daily=None if tables["plan_from_daily"] is None else motion_of(tables["plan_from_daily"]),
                correction=part_of(tables["correction"], Correction | None),
                couch=part_of(tables["couch"], CouchAnswer | None),
                residuals=None if residuals is None else part_of(list(residuals.values()), tuple[PointResidual, ...]),
                radiographs=part_of(tables.get("radiographs"), RadiographsAnswer | None),
                markers=part_of(tables.get("markers"), MarkersAnswer | None),
                start=motion_of(tables["start_plan_from_daily"]),
                match=MatchRecord.from_json(tables.get("match", {})),
                override=part_of(tables.get("override", Override.NONE if refused else None), Override | None),
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
