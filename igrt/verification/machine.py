"""Machine profiles: what a vendor chose and a file does not state. Absent, such a choice is an error, never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from igrt.errors import InputError
from igrt.geometry.couch_model import ANGLES, TRANSLATIONS, TURNED_ANGLES, AxisRange, CouchModel, YawAxis
from igrt.geometry.setup import ImageAxes
from igrt.verification.schema import Table, convert, reject
from igrt.verification.site import CalibrationFile, Kind, read_calibration, read_toml, site_folder

RESEARCH_DEFAULT = "research-default"
_FREE = AxisRange(minimum=-180.0, maximum=180.0, step=0.0)  # stands in for an angle that the couch cannot turn

Millimetres = Annotated[float, Meta(ge=-5000, le=5000)]


class ImagePose(StrEnum):
    """Whether the coordinates of an exported daily image already hold the shift that another system made from it."""

    BEFORE_CORRECTION = "before_correction"
    AFTER_CORRECTION = "after_correction"


class IsocentreKind(StrEnum):
    """Where the machine isocentre is in the coordinates of a daily image."""

    IMAGE_ORIGIN = "image-origin"
    PLAN_ISOCENTRE = "plan-isocentre"
    BY_FRAME_OF_REFERENCE = "by-frame-of-reference"
    POINT = "point"


class ProfileTable(Table, frozen=True):
    """What the profile is."""

    description: Annotated[str, Meta(description="One sentence for the output and the report")]
    research: Annotated[
        bool, Meta(description="True until a physicist has proven every value of this file on the machine; true marks every output")
    ]


class IsocentreTable(Table, frozen=True):
    """Where the machine isocentre is in a daily image."""

    kind: Annotated[
        IsocentreKind,
        Meta(
            description="Where the machine isocentre is in the coordinates of a daily image that does not state it: at 0 0 0, at the "
            "coordinates of the plan isocentre, at `point_mm`, or (research profiles only) at 0 0 0 where the image has a frame of "
            "reference of its own and at the plan isocentre's coordinates where it shares the plan's or states none; prove it with "
            "a marker set to the isocentre by the lasers"
        ),
    ]
    point_mm: Annotated[
        tuple[Millimetres, Millimetres, Millimetres] | None,
        Meta(description='Daily LPS coordinates (mm) of the machine isocentre; only with `kind = "point"`'),
    ] = None


class ImageTable(Table, frozen=True):
    """How the machine writes daily images."""

    pose: Annotated[
        ImagePose,
        Meta(
            description="Whether the image lies as the patient lay when it was taken, or was written after another system put its own "
            "shift into the coordinates; after a correction, what is found is what remains, and no couch target follows from it"
        ),
    ]
    axes_at_table_angle: Annotated[
        ImageAxes,
        Meta(description="Whether the axes of an image taken at a table angle other than 0 stay with the room or turn with the table"),
    ]
    isocentre: IsocentreTable


class LinearAxis(Table, frozen=True):
    """A couch axis in millimetres."""

    minimum_mm: Annotated[float, Meta(ge=-2500, le=2500, description="Lowest absolute position, IEC 61217 scale")]
    maximum_mm: Annotated[float, Meta(ge=-2500, le=2500, description="Highest absolute position, IEC 61217 scale")]
    step_mm: Annotated[float, Meta(gt=0, le=10, description="Smallest step that the couch can be sent to")]


class AngularAxis(Table, frozen=True):
    """A couch axis in degrees."""

    minimum_deg: Annotated[float, Meta(ge=-180, le=180, description="Lowest absolute angle, IEC 61217 scale")]
    maximum_deg: Annotated[float, Meta(ge=-180, le=180, description="Highest absolute angle, IEC 61217 scale")]
    step_deg: Annotated[float, Meta(gt=0, le=10, description="Smallest step that the couch can be sent to")]


class CouchTable(Table, frozen=True):
    """The couch that makes the correction."""

    model: Annotated[str, Meta(description="Name of the couch, for the output")]
    scale: Annotated[
        Literal["iec61217"],
        Meta(description="Scale in which couch positions are given and returned; convert a vendor's scale before, no other is implemented"),
    ]
    degrees_of_freedom: Annotated[
        Literal[3, 4, 6], Meta(description="3 moves along three axes, 4 turns about the vertical too, 6 also pitches and rolls")
    ]
    yaw_axis: Annotated[YawAxis, Meta(description="Whether a yaw is made by the turntable under the couch or by the table top itself")]
    turntable_axis_mm: Annotated[
        tuple[Millimetres, Millimetres, Millimetres],
        Meta(description="Where the axis of the turntable passes, fixed axes (mm) from the isocentre; 0 0 0 where it runs through it"),
    ]
    lateral: LinearAxis
    longitudinal: LinearAxis
    vertical: LinearAxis
    yaw: AngularAxis | None = None
    pitch: AngularAxis | None = None
    roll: AngularAxis | None = None


class KvTable(Table, frozen=True):
    """Conventions of the kV imager."""

    source_offset_deg: Annotated[
        Literal[0, 90, -90],
        Meta(description="Added to the gantry angle that a kV image states to give its source angle; prove it with an off-centre marker"),
    ]
    panel_offset_mm: Annotated[
        tuple[Millimetres, Millimetres],
        Meta(description="Shift of the panel along x and y of the receptor (mm) that the kV image does not state; 0 0 where it states all"),
    ]


class IsocentreCheckTable(Table, frozen=True):
    """How long a check that imaging and treatment share one isocentre is valid."""

    required: Annotated[bool, Meta(description="Whether a valid check is asked for; false only in a research profile")]
    file: Annotated[
        str, Meta(description="File of the last check, relative to the site folder: `checked_at` (date and time) and `offset_mm`")
    ] = ""
    valid_days: Annotated[float, Meta(gt=0, le=400, description="Days for which a check is valid")] = 1.0
    limit_mm: Annotated[float, Meta(gt=0, le=5, description="Largest distance between the two isocentres (mm)")] = 1.0


class MachineTables(Table, frozen=True):
    """A machine profile, as its file has it."""

    profile: ProfileTable
    image: ImageTable
    couch: CouchTable
    kv: KvTable
    isocentre_check: IsocentreCheckTable


class IsocentreCheck(Table, frozen=True):
    """The file of the last isocentre check."""

    checked_at: Annotated[datetime, Meta(tz=True, description="When the check was made, such as 2026-03-02T07:15:00Z")]
    offset_mm: Annotated[float, Meta(ge=0, le=100, description="Distance between imaging and treatment isocentre (mm)")]


@dataclass(frozen=True, slots=True)
class MachineProfile:
    """A valid machine profile; `last_check` is None where the file of the check does not exist."""

    file: CalibrationFile
    tables: MachineTables
    couch: CouchModel
    last_check: IsocentreCheck | None

    @property
    def name(self) -> str:
        """As asked for."""
        return self.file.name

    @property
    def research(self) -> bool:
        """Whether every output must say so."""
        return self.tables.profile.research


def load_machine(name: str | None = None, site: Path | None = None) -> MachineProfile:
    """The profile of that name (None: the research default), the site's before the shipped one; InputError where it is wrong."""
    file = read_calibration(Kind.MACHINE, name or RESEARCH_DEFAULT, site)
    return machine_of(file, _last_check(_tables(file).isocentre_check, file.path, site))


def machine_of(file: CalibrationFile, last_check: IsocentreCheck | None) -> MachineProfile:
    """The profile that a file describes; InputError where it is wrong."""
    tables = _tables(file)
    return MachineProfile(file, tables, _couch_model(tables.couch, file.path), last_check)


def _tables(file: CalibrationFile) -> MachineTables:
    tables = convert(file.tables, MachineTables, file.path)
    _require_point(tables.image.isocentre, file.path)
    if not tables.profile.research:
        _require_proven(tables, file.path)
    return tables


def _require_point(table: IsocentreTable, path: Path) -> None:
    if (table.kind is IsocentreKind.POINT) != (table.point_mm is not None):
        problem = f'does not fit image.isocentre.point_mm = {table.point_mm}; give point_mm exactly where kind is "point"'
        raise reject(path, "image.isocentre.kind", str(table.kind), problem)


def _require_proven(tables: MachineTables, path: Path) -> None:
    """A profile for treatment rests on no guess and on a check of the isocentre."""
    kind = tables.image.isocentre.kind
    if kind is IsocentreKind.BY_FRAME_OF_REFERENCE:
        raise reject(
            path, "image.isocentre.kind", str(kind), "is a guess for research; give where this machine has it, or profile.research = true"
        )
    table = tables.isocentre_check
    if not table.required:
        raise reject(
            path, "isocentre_check.required", table.required, "leaves treatment without a check; give true, or profile.research = true"
        )


def _couch_model(table: CouchTable, path: Path) -> CouchModel:
    turns = {axis: getattr(table, axis) for axis in ANGLES}
    needed = TURNED_ANGLES[table.degrees_of_freedom]
    for axis, limits in turns.items():
        if (limits is not None) != (axis in needed):
            what = "is missing" if limits is None else "is given"
            raise InputError(
                f"{path}: couch.{axis} {what} for couch.degrees_of_freedom = {table.degrees_of_freedom}; "
                f"give limits and step of exactly these turns: {', '.join(needed) or 'none'}"
            )
    linear = {
        axis: _range((limits := getattr(table, axis)).minimum_mm, limits.maximum_mm, limits.step_mm, f"couch.{axis}", "mm", path)
        for axis in TRANSLATIONS
    }
    angular = {
        axis: _range(limits.minimum_deg, limits.maximum_deg, limits.step_deg, f"couch.{axis}", "deg", path) if limits else _FREE
        for axis, limits in turns.items()
    }
    return CouchModel(
        name=table.model,
        degrees_of_freedom=table.degrees_of_freedom,
        yaw_axis=table.yaw_axis,
        turntable_axis_mm=table.turntable_axis_mm,
        **linear,
        **angular,
    )


def _range(minimum: float, maximum: float, step: float, key: str, unit: str, path: Path) -> AxisRange:
    if not minimum < maximum:
        raise reject(path, f"{key}.minimum_{unit}", minimum, f"is not below maximum_{unit} = {maximum}; exchange or correct them")
    if not step <= maximum - minimum:
        raise reject(path, f"{key}.step_{unit}", step, f"is larger than the range of {maximum - minimum}; give the step of the couch")
    return AxisRange(minimum=minimum, maximum=maximum, step=step)


def _last_check(table: IsocentreCheckTable, path: Path, site: Path | None) -> IsocentreCheck | None:
    if not table.required:
        return None
    if not table.file:
        raise reject(
            path, "isocentre_check.file", table.file, "names no file; give the file of the last check, relative to the site folder"
        )
    file = site_folder(site) / table.file
    if not file.is_file():
        return None
    return convert(read_toml(file)[0], IsocentreCheck, file)
