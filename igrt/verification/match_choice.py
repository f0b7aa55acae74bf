"""From what a protocol or a user says of the match to its options: names of structures become the structures of this plan."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.records import Plan
from igrt.images.volumes import read_volume
from igrt.registration.options import Around, Clipbox, Freedom, Mask, MatchOptions, Mode, Region
from igrt.verification.points import select_targets
from igrt.verification.protocol import Protocol, ProtocolTables

WHOLE, TARGET = "whole", "target"


def match_options(plan: Plan, tables: ProtocolTables) -> MatchOptions:
    """What the table `[match]` of the protocol asks for, for this plan; InputError where the plan lacks what it names."""
    table = tables.match
    region = None if table.region == WHOLE else _around(plan, tables, TARGET if table.region == TARGET else None, table.margin_mm)
    return MatchOptions(region=region, mode=Mode(table.mode), freedom=Freedom(table.freedom))


def target_options(plan: Plan, tables: ProtocolTables) -> MatchOptions | None:
    """How the soft tissue of the target is matched beside the bones; None where the protocol does not ask or the plan has no target."""
    table = tables.match.target_position
    targets, _ = select_targets(plan.structures, tables.target)
    if table is None or not targets:
        return None
    return MatchOptions(region=Around(targets, table.margin_mm), mode=Mode.SOFT, freedom=Freedom.TRANSLATIONS)


def region_of(plan: Plan, text: str, margin_mm: float, tables: ProtocolTables) -> Region | None:
    """The region that a user names: `whole`, `target`, a pattern of structure names, a box X0,Y0,Z0,X1,Y1,Z1, or a volume file above 0."""
    numbers = _numbers(text)
    file = None if numbers else read_volume_if_file(text)
    if margin_mm and (text == WHOLE or numbers or file):
        raise InputError(f"a margin is for structures; the region {text!r} has none: leave --margin out")
    if text == WHOLE:
        return None
    if numbers:
        if len(numbers) != 6:
            raise InputError(f"the box {text!r} has {len(numbers)} numbers; give six, X0,Y0,Z0,X1,Y1,Z1 in plan LPS mm")
        return Clipbox((numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5]))
    return file or _around(plan, tables, text, margin_mm)


def read_volume_if_file(text: str) -> Mask | None:
    """The voxels above 0 of a volume file in plan LPS; None where the text names no file."""
    path = Path(text).expanduser()
    if not path.is_file():
        return None
    volume = read_volume(path, Frame.PLAN)
    return Mask(volume.grid, np.asarray(volume.hu > 0), f"mask {path.name}")


def pose_of(path: Path) -> RigidMotion:
    """The pose in a JSON file under `plan_from_daily` (4x4, LPS mm), as an answer has it; InputError where there is none."""
    try:
        table = msgspec.json.decode(path.read_bytes())
        return RigidMotion.from_matrix(table["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError) as problem:
        raise InputError(f"{path} holds no pose ({problem}); give JSON with plan_from_daily, rows of a rigid 4x4 matrix") from problem


def resting_on(protocol: Protocol, decide: Literal["anatomy", "markers"]) -> Protocol:
    """The protocol with the correction resting on the anatomy or on implanted markers; InputError where it has no markers."""
    markers = protocol.tables.markers
    if markers is None:
        raise InputError(f"protocol {protocol.name} has no table [markers], so that the match rests on the anatomy; give one that has")
    changed = msgspec.structs.replace(protocol.tables, markers=msgspec.structs.replace(markers, decide=decide))
    return Protocol(protocol.file, changed)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        return ()


def _around(plan: Plan, tables: ProtocolTables, name: str | None, margin_mm: float) -> Around:
    """The structures of a name (None: those of the protocol's patterns)."""
    if name == TARGET:
        chosen, _ = select_targets(plan.structures, tables.target)
        wanted = "target"
    else:
        patterns = tables.match.structures if name is None else (name,)
        chosen = tuple(s for s in plan.structures if any(fnmatchcase(s.name.casefold(), p.casefold()) for p in patterns))
        wanted = " or ".join(patterns)
    if not chosen:
        have = ", ".join(structure.name for structure in plan.structures) or "none"
        raise InputError(f"{plan.source}: the region of the match needs a structure {wanted!r}; the plan has {have}; choose another region")
    return Around(chosen, margin_mm)
