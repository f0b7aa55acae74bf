"""Protocols: what is judged at a treatment site, and against which tolerances. Research values until a clinic has made them its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from igrt.verification.findings import Level
from igrt.verification.schema import Table, convert, reject
from igrt.verification.site import CalibrationFile, Kind, read_calibration

DEFAULT_PROTOCOL = "default"

Fraction = Annotated[float, Meta(ge=0, le=1)]
Millimetres = Annotated[float, Meta(ge=-1000, le=1000)]


class Tolerance(Table, frozen=True):
    """Three limits in one unit; a value at a limit is within it."""

    inform: Annotated[float, Meta(ge=0, le=1000, description="Above this the output says so")]
    warn: Annotated[float, Meta(ge=0, le=1000, description="Above this the verdict is caution at best")]
    stop: Annotated[float, Meta(ge=0, le=1000, description="Above this the verdict is stop")]

    def exceeded(self, value: float) -> tuple[Level, float] | None:
        """The highest level whose limit `value` exceeds, and that limit; None within all. NaN exceeds every limit."""
        for level, limit in ((Level.STOP, self.stop), (Level.WARN, self.warn), (Level.INFORM, self.inform)):
            if not value <= limit:
                return level, limit
        return None


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


class EvidenceTable(Table, frozen=True):
    """What a match must show before its numbers are looked at; a match that does not is refused."""

    overlap_min: Annotated[Fraction, Meta(description="Share of the anatomy in the daily image that lies inside the planning CT")]
    similarity_min: Annotated[
        float, Meta(ge=-1, le=1, description="Mean local correlation of the two images inside the body at the final pose")
    ]
    inliers_min: Annotated[Fraction, Meta(description="Share of the samples that the robust metric still trusts")]
    second_start_offset_min_mm: Annotated[
        float, Meta(ge=20, le=200, description="How far from the first the second start must lie (mm); at least 20")
    ]
    second_start_offset_min_deg: Annotated[
        float, Meta(ge=5, le=45, description="How far from the first the second start must be turned (degrees); at least 5")
    ]
    second_start_difference_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest distance between the two answers within 80 mm of the isocentre (mm)")
    ]
    translation_sd_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest standard deviation of the pose along any axis at the isocentre (mm)")
    ]
    rotation_sd_max_deg: Annotated[float, Meta(gt=0, le=10, description="Largest standard deviation of the pose about any axis (degrees)")]
    observability_min: Annotated[
        Fraction,
        Meta(description="Curvature of the cost at the pose, least motion over clearest, turns as mm at 80 mm: 0 where one is not seen"),
    ]
    samples_min: Annotated[int, Meta(ge=1, le=10_000_000, description="Least number of samples that the match rests on")]


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


class MarkerTable(Table, frozen=True):
    """Implanted markers: what they are, whether the correction rests on them, and what their match must show."""

    decide: Annotated[
        Literal["markers", "anatomy"],
        Meta(description="What the correction rests on; the other is matched beside it and the difference is a finding"),
    ]
    count: Annotated[int, Meta(ge=3, le=12, description="How many the patient has: the planning CT must show as many")]
    diameter_mm: Annotated[float, Meta(ge=0.5, le=5, description="Diameter of a marker (mm)")]
    length_mm: Annotated[float, Meta(ge=0.5, le=25, description="Length of a marker (mm); a ball's is its diameter")]
    reach_mm: Annotated[float, Meta(ge=10, le=150, description="They are sought in the planning CT this far from the isocentre (mm)")]
    missing_max: Annotated[int, Meta(ge=0, le=9, description="Most that may be missing or migrated; the rest, at least three, are matched")]
    shift_max_mm: Annotated[float, Meta(ge=5, le=60, description="Farthest that the patient is sought from the start (mm)")]
    turn_max_deg: Annotated[float, Meta(ge=1, le=15, description="Farthest turn from the start (degrees)")]
    apart_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="A marker farther than this from where the others put it has migrated and holds nothing (mm)")
    ]
    fre_max_mm: Annotated[float, Meta(gt=0, le=10, description="Largest fiducial registration error (mm)")]
    leave_one_out_max_mm: Annotated[float, Meta(gt=0, le=10, description="Largest distance of a marker from where the others put it (mm)")]
    translation_sd_max_mm: Annotated[
        float, Meta(gt=0, le=10, description="Largest standard deviation along any axis at the isocentre (mm)")
    ]
    rotation_sd_max_deg: Annotated[float, Meta(gt=0, le=10, description="Largest standard deviation about any axis (degrees)")]
    migration_mm: Tolerance
    anatomy_mm: Tolerance


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
    match: MatchTable = MatchTable()
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
    return Protocol(file, tables)


def _tolerances(tables: ProtocolTables) -> list[tuple[str, Tolerance]]:
    named = [(table, field) for table in ("setup", "axis", "residual") for field in getattr(tables, table).__struct_fields__]
    found = [(f"{table}.{field}", getattr(getattr(tables, table), field)) for table, field in named]
    target = tables.match.target_position
    found += [("match.target_position.tolerance_mm", target.tolerance_mm)] if target else []
    markers = tables.markers
    found += [(f"markers.{key}", getattr(markers, key)) for key in ("migration_mm", "anatomy_mm")] if markers else []
    return [(key, value) for key, value in found if isinstance(value, Tolerance)]
