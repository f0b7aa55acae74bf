"""What the guard is told of machine and site: its policy, and the dated records in the site folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from igrt.guard.policy import CALIBRATION, DAILY_QA, LIFETIME_S, Policy, RequiredRecord
from igrt.guard.request import Record
from igrt.verification.closing import ChainTolerance
from igrt.verification.machine import MachineProfile
from igrt.verification.protocol import Protocol
from igrt.verification.schema import Table, convert
from igrt.verification.site import read_toml, site_folder
from igrt.verification.verification_image import ImagePolicy

FOLDER = "records"
CALIBRATION_DAYS = 365.0
DAILY_QA_DAYS = 1.0
_REQUIRED = (RequiredRecord(name=CALIBRATION, valid_days=CALIBRATION_DAYS), RequiredRecord(name=DAILY_QA, valid_days=DAILY_QA_DAYS))


class RecordFile(Table, frozen=True):
    """A file of `records` in the site folder."""

    name: Annotated[str, Meta(description="`calibration` or `daily_qa`")]
    machine: Annotated[str, Meta(description="The machine's profile")]
    done_at: Annotated[datetime, Meta(tz=True, description="When it was done, such as 2026-03-02T07:15:00Z")]
    passed: Annotated[bool, Meta(description="Whether it passed")]


def policy_of(profile: MachineProfile, protocol: Protocol, *, most_lifetime_s: float = LIFETIME_S) -> Policy:
    """The guard's settings. A research profile is guarded as a simulated machine, so it releases to no other; a proven one needs records.

    An image is valid for as long as the protocol says; `most_lifetime_s` shortens it.
    """
    return Policy(
        machine=profile.name,
        simulated=profile.research,
        research=profile.research or protocol.research,
        couch=profile.couch,
        required=() if profile.research else _REQUIRED,
        lifetime_s=min(protocol.tables.release.lifetime_s, most_lifetime_s),
    )


def image_policy_of(protocol: Protocol) -> ImagePolicy:
    """When a verification image is required."""
    table = protocol.tables.verification_image
    return ImagePolicy(always=table.always, shift_mm=table.shift_mm, turn_deg=table.turn_deg, rounds=table.rounds)


def chain_tolerance_of(protocol: Protocol) -> ChainTolerance:
    """How far from its target the couch may be read back."""
    table = protocol.tables.chain
    return ChainTolerance(shift_mm=table.shift_mm, turn_deg=table.turn_deg, place_mm=table.place_mm)


def read_records(site: Path | None) -> tuple[Record, ...]:
    """Every record of the site, each a TOML file; InputError where one is wrong."""
    folder = site_folder(site) / FOLDER
    found = []
    for path in sorted(folder.glob("*.toml")):
        file = convert(read_toml(path)[0], RecordFile, path)
        found.append(Record(name=file.name, machine=file.machine, done_at=file.done_at, passed=file.passed))
    return tuple(found)
