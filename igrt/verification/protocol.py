"""Protocols: what is judged at a treatment site, and against which tolerances. Research values until a clinic has made them its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.findings import Level
from igrt.verification.marker_table import MarkerTable
from igrt.verification.schema import Table, convert, reject
from igrt.verification.site import CalibrationFile, Kind, read_calibration
from igrt.verification.tolerance import Tolerance

DEFAULT_PROTOCOL = "default"

Millimetres = Annotated[float, Meta(ge=-1000, le=1000)]


class ProtocolTable(Table, frozen=True):
    """What the protocol is for."""

    description: Annotated[str, Meta(description="One sentence for the output and the report")]
    research: Annotated[bool, Meta(description="True until the clinic has made these tolerances its own; true marks every output")]


class TargetTable(Table, frozen=True):
    """Which structures are targets, and where the match is judged."""

    kinds: Annotated[
        tuple[Literal["CTV", "ITV", "GTV"], ...],
        Meta(
            min_length=1, description="Kinds of structure that are targets; the first kind that the plan has is judged, the others are not"
        ),
    ]
    names: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Patterns of structure names that count as targets, `*` for all; case does not matter"),
    ]
    ptv_fallback: Annotated[bool, Meta(description="Whether a PTV stands in where there is no such target; the output says so")]
    missing: Annotated[Level, Meta(description="Level of the finding where there is no target at all and the isocentre alone is judged")]


class OrganTable(Table, frozen=True):
    """Which organs are judged."""

    names: Annotated[tuple[str, ...], Meta(description="Patterns of organ names that are judged, `*` for all, empty for none")]
    reach_mm: Annotated[float, Meta(ge=0, le=1000, description="Organ points farther than this from the match point are not judged (mm)")]


class SetupTable(Table, frozen=True):
    """Tolerances on the set-up error, which the correction takes away."""

    scan_offset_mm: Annotated[
        tuple[Millimetres, Millimetres, Millimetres],
        Meta(
            description="Shift lateral, longitudinal, vertical (mm, fixed axes) by which the couch is moved on purpose after the scan; "
            "taken out before tolerances and the re-set-up limit are judged"
        ),
    ]
    translation_mm: Tolerance
    rotation_deg: Tolerance


class AxisTable(Table, frozen=True):
    """Tolerances on each translation, beside that on the whole shift."""

    lateral_mm: Tolerance | None = None
    longitudinal_mm: Tolerance | None = None
    vertical_mm: Tolerance | None = None


class ResidualTable(Table, frozen=True):
    """Tolerances on what remains after the couch has moved, with its 95 % uncertainty added."""

    target_mm: Tolerance
    organ_mm: Tolerance


class ResetupTable(Table, frozen=True):
    """Beyond this no correction is offered: set the patient up again."""

    translation_mm: Annotated[float, Meta(gt=0, le=200, description="Length of the shift (mm)")]
    rotation_deg: Annotated[float, Meta(gt=0, le=45, description="Whole angle of the turn (degrees)")]


class ReleaseTable(Table, frozen=True):
    """How long an image may move a patient. A site may tighten it."""

    lifetime_s: Annotated[
        float,
        Meta(
            gt=0, le=300, description="Age (s, from the end of its scan) beyond which an image moves nobody; 180 for stereotactic treatment"
        ),
    ] = 300.0


class VerificationImageTable(Table, frozen=True):
    """When an image must show that a correction was right. A site may tighten it."""

    always: Annotated[bool, Meta(description="Whether one is taken after the first correction of a set-up, however small")] = False
    shift_mm: Annotated[float, Meta(ge=0, le=10, description="One is taken after a correction by more than this length (mm)")] = 10.0
    turn_deg: Annotated[float, Meta(ge=0, le=2, description="One is taken after a correction by more than this angle (degrees)")] = 2.0
    rounds: Annotated[int, Meta(ge=1, le=2, description="Most verification images of one set-up; then the patient is set up again")] = 2


class ImagesTable(Table, frozen=True):
    """How far apart two images of one set-up, as radiographs and then a cone-beam CT, may place a patient. A site may tighten it."""

    shift_mm: Annotated[float, Meta(gt=0, le=2, description="Of the tissue at the match point, the couch's motion taken out (mm)")] = 2.0
    turn_deg: Annotated[float, Meta(gt=0, le=1, description="Whole angle, the couch's motion taken out (degrees)")] = 1.0


class ChainTable(Table, frozen=True):
    """How far from its target a couch may be read back. A site may tighten it."""

    shift_mm: Annotated[float, Meta(gt=0, le=0.5, description="Along each axis of the couch (mm)")] = 0.5
    turn_deg: Annotated[float, Meta(gt=0, le=0.2, description="About each axis of the couch (degrees)")] = 0.2
    place_mm: Annotated[
        float, Meta(gt=0, le=1, description="Of the tissue at the match point, which small errors of the axes add up to (mm)")
    ] = 1.0


class TargetPositionTable(Table, frozen=True):
    """The soft tissue of the target matched beside what the correction rests on; the difference is a finding."""

    margin_mm: Annotated[float, Meta(ge=0, le=100, description="Soft tissue within this of the target is matched, by shifts alone (mm)")]
    tolerance_mm: Tolerance


class MatchTable(Table, frozen=True):
    """What the match looks at and what it may move. Left out, it is the whole body, all tissue, six motions."""

    mode: Annotated[
        Literal["grey", "bone", "soft"],
        Meta(description="Tissue of the planning CT to match: all, bone, or soft tissue away from bone"),
    ] = "grey"
    region: Annotated[
        Literal["whole", "target", "structures"],
        Meta(description="Part of the planning CT that is matched: the whole, the target, or the structures named in `structures`"),
    ] = "whole"
    structures: Annotated[
        tuple[str, ...], Meta(description='Patterns of structure names, such as "vert*", with `region = "structures"`')
    ] = ()
    margin_mm: Annotated[float, Meta(ge=0, le=100, description="What lies within this of target or structures is matched too (mm)")] = 0.0
    freedom: Annotated[
        Literal["six", "translations", "rotations"],
        Meta(description="Motions that are sought: all six, shifts alone, or turns about the isocentre alone; the others stay as planned"),
    ] = "six"
    target_position: TargetPositionTable | None = None


class SecondSolverTable(Table, frozen=True):
    """When a second solver, of other code, confirms or withdraws an answer that it finishes after."""

    use: Annotated[bool, Meta(description="Whether it runs beside each proposal of a cone-beam CT")] = True
    difference_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Farthest that the two poses may lie apart within 80 mm of the isocentre (mm)")
    ] = 1.5
    margin: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="It withdraws only where its own measure is better at its pose than at the answer's by more than this share",
        ),
    ] = 0.02
    required: Annotated[bool, Meta(description="Whether a correction can be claimed only once it is confirmed")] = False


class ProtocolTables(Table, frozen=True, kw_only=True):
    """A protocol, as its file has it."""

    protocol: ProtocolTable
    target: TargetTable
    organs: OrganTable
    setup: SetupTable
    axis: AxisTable = AxisTable()
    residual: ResidualTable
    resetup: ResetupTable
    evidence: EvidenceTable
    release: ReleaseTable = ReleaseTable()
    verification_image: VerificationImageTable = VerificationImageTable()
    chain: ChainTable = ChainTable()
    images: ImagesTable = ImagesTable()
    match: MatchTable = MatchTable()
    second_solver: SecondSolverTable = SecondSolverTable()
    markers: MarkerTable | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A valid protocol."""

    file: CalibrationFile
    tables: ProtocolTables

    @property
    def name(self) -> str:
        """As asked for."""
        return self.file.name

    @property
    def research(self) -> bool:
        """Whether every output must say so."""
        return self.tables.protocol.research


def load_protocol(name: str | None = None, site: Path | None = None) -> Protocol:
    """The protocol of that name (None: `default`), the site's before the shipped one; InputError where it is wrong."""
    return protocol_of(read_calibration(Kind.PROTOCOL, name or DEFAULT_PROTOCOL, site))


def protocol_of(file: CalibrationFile) -> Protocol:
    """The protocol that a file describes; InputError where it is wrong."""
    tables = convert(file.tables, ProtocolTables, file.path)
    for key, tolerance in _tolerances(tables):
        if not tolerance.inform <= tolerance.warn <= tolerance.stop:
            raise reject(file.path, key, msgspec.structs.asdict(tolerance), "does not rise; give inform <= warn <= stop")
    if (tables.match.region == "structures") != bool(tables.match.structures):
        raise reject(
            file.path,
            "match.structures",
            list(tables.match.structures),
            f'does not go with region = "{tables.match.region}"; give both or none',
        )
    evidence = tables.evidence
    if not evidence.region_residual_mm.stop <= evidence.region_residual_max_mm:
        raise reject(
            file.path,
            "evidence.region_residual_max_mm",
            evidence.region_residual_max_mm,
            f"lies below region_residual_mm.stop = {evidence.region_residual_mm.stop:g}; what refuses comes after what stops",
        )
    return Protocol(file, tables)


def _tolerances(tables: ProtocolTables) -> list[tuple[str, Tolerance]]:
    named = [(table, field) for table in ("setup", "axis", "residual", "evidence") for field in getattr(tables, table).__struct_fields__]
    found = [(f"{table}.{field}", getattr(getattr(tables, table), field)) for table, field in named]
    target = tables.match.target_position
    found += [("match.target_position.tolerance_mm", target.tolerance_mm)] if target else []
    markers = tables.markers
    found += [(f"markers.{key}", getattr(markers, key)) for key in ("migration_mm", "anatomy_mm")] if markers else []
    return [(key, value) for key, value in found if isinstance(value, Tolerance)]
