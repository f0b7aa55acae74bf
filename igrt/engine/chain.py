"""What stands between an image and the couch's arrival, as the engine keeps it from one event to the next and over restarts."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from igrt.bus import messages as m
from igrt.engine.journal_schema import sync_folder
from igrt.engine.tasks import PlanReady

KEY_FILE = "release.key"


class Reading(Struct, frozen=True, kw_only=True):
    """A couch read back at `at_s` (monotonic); None where it was not told."""

    couch: m.CouchReadout | None
    table_angle_deg: float
    at_s: float


class Seen(Struct, frozen=True, kw_only=True):
    """What an image showed: its number among those of the set-up, its correction (None: no whole pose), and the couch at its scan.

    `since` counts the later images that showed no whole pose, so that this one is still what the next is held against.
    """

    number: int
    image_id: str
    modality: str
    correction: dict[str, Any] | None
    reading: Reading | None
    table_angle_deg: float | None
    plan_isocentre_mm: list[float] | None
    since: int = 0


class Chain(Struct, frozen=True, kw_only=True):
    """Replaced whole at every change.

    `approved` is without its token; `seen` is the set-up's last image that was not refused, `beam_held` that the beam was broken off and
    the couch has arrived nowhere since; `second` is the second solver's last word on the proposal. While no plan is in use, `owed_for`
    stands for the patient whose beam is held or waits for an image: it does so for them alone.
    """

    scan_start: Reading | None = None
    scan_end: Reading | None = None
    approved: m.Approved | None = None
    release: m.Release | None = None
    machine: m.MachineReported | None = None
    hold: m.Hold | None = None
    verification: list[str] = []
    rounds: int = 0
    seen: Seen | None = None
    beam_held: bool = False
    second: m.SecondSolver | None = None
    owed_for: str | None = None

    def next_image(self, *, rounds: int) -> Chain:
        """For another image: what belonged to the last one goes.

        The linac's word, a hold, a held beam, a verification image that is needed and what was seen stay.
        """
        return Chain(
            machine=self.machine,
            hold=self.hold,
            verification=self.verification,
            rounds=rounds,
            seen=self.seen,
            beam_held=self.beam_held,
            owed_for=self.owed_for,
        )

    def next_plan(self, *, owed_for: str) -> Chain:
        """Without a plan: of what the beam waits for nothing goes, else a plan that is loaded anew would let it go on."""
        owed = self.beam_held or self.verification
        return self.next_image(rounds=0).with_(machine=None, seen=None, owed_for=owed_for if owed else None)

    def of_patient(self, patient: str) -> Chain:
        """With a plan of this patient: for another one nothing is owed."""
        if self.owed_for in (None, patient):
            return self.with_(owed_for=None)
        return self.with_(owed_for=None, verification=[], beam_held=False)

    def with_(self, **changes: object) -> Chain:
        """With some of it changed."""
        return msgspec.structs.replace(self, **changes)


class Kept(Struct, frozen=True, kw_only=True):
    """All that another run of the engine needs to go on; `boot` names the boot whose monotonic clock the times are of."""

    boot: str
    state: str
    image_id: str | None
    plan_request: m.LoadPlan | None
    plan: PlanReady | None
    result: m.Proposal | m.Refusal | m.ImageFailed | None
    last_byte_s: float
    chain: Chain
    alerts: Mapping[str, m.AlertState]
    began: dict[str, float] = {}


class Tokens:
    """Single-use tokens of proposals: derived from a key beside the journal, so that no token is ever written down."""

    def __init__(self, folder: Path) -> None:
        path = folder / KEY_FILE
        if not path.exists():
            partial = path.with_suffix(".tmp")
            with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(os.urandom(32))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_folder(folder)
        self._key = path.read_bytes()

    def of(self, proposal_id: str) -> str:
        """The token that releases this proposal."""
        return hmac.new(self._key, proposal_id.encode(), hashlib.sha256).hexdigest()


def boot() -> str:
    """The name of this boot of the machine: monotonic times are comparable within it alone."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
