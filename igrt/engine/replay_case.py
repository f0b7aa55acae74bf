"""The engine's case without an engine: it stands where the journal says, hears what the journal recorded, and what it tells is kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from igrt.bus import messages as m
from igrt.engine.basis import ClaimFacts, Used
from igrt.engine.case import Case, Limits
from igrt.engine.chain import Kept
from igrt.engine.journal import Entry
from igrt.engine.journal_redaction import redact
from igrt.engine.pose_desk import pose_task
from igrt.engine.record import STATE, RunRow
from igrt.engine.replay_turns import Turn
from igrt.engine.second_tasks import SecondTask
from igrt.engine.spool import Description, Spool
from igrt.engine.states import Session, State
from igrt.engine.stream import Stream
from igrt.engine.supervisor import Budgets, Supervisor
from igrt.errors import InputError
from igrt.guard.policy import LIFETIME_S

ISSUED = "i" * 64
"""Stands for the token that was issued."""


class ReplayStream(Stream):
    """Publishes to nobody; `written` is what a journal would have been given, as it would be kept."""

    def __init__(self, session: str) -> None:
        self.written: list[tuple[str, bytes]] = []
        self.clock = (0.0, 0.0)
        super().__init__(lambda _frame: None, session=session, clock=lambda: self.clock)

    def note(self, entry: Entry) -> None:
        """Keep it."""
        self._frames.clear()
        self.written.append((entry.kind, redact(entry.payload)))


class ReplayTokens:
    """Tokens are not in the journal: whether the right one was given is."""

    def of(self, _proposal_id: str) -> str:
        """The one that was issued."""
        return ISSUED


class NoSolver:
    """What the second solver measured is in the journal: nothing runs."""

    def begin(self, _task: SecondTask) -> None:
        """Its report follows in the journal."""

    def cancel(self) -> None:
        """Nothing to end."""


class ReplaySpool(Spool):
    """An image of which only the description is needed; `whole` where every slice is on disk. Touches no file."""

    def __init__(self, description: Description, *, whole: bool) -> None:
        self.description, self.path = description, Path(os.devnull)
        self._slabs: dict[int, tuple[int, int]] = {}
        self._have = bytearray(bytes([whole]) * description.slices)
        self._handle = -1


class ReplayCase(Case):
    """Decides as the engine did; what the engine read from the site folder comes from the journal."""

    facts: ClaimFacts | None = None
    used: Used | None = None

    def claim_facts(self, token: str, issued: str) -> ClaimFacts:
        """The records as they were."""
        assert self.facts is not None
        return msgspec.structs.replace(self.facts, token_is_issued=token == issued)

    def stand(self, turn: Turn) -> None:
        """Stand where the journal says after `turn`."""
        for event in turn.events:
            self.stream.number = event.number
            if isinstance(event, m.Alert):
                self.stream.alerts[event.alert.code] = event.alert
            elif isinstance(event, m.AlertCleared):
                self.stream.alerts.pop(event.code, None)
        if isinstance(turn.request, m.EvaluatePose) and any(row.get("kind") == m.EvaluatePoseReply.wire_kind() for row in turn.told):
            self.posing = pose_task(self, turn.request)
        elif turn.first(m.PoseEvaluated) or turn.first(m.PoseNotEvaluated):
            self.posing = None
        kept = turn.read(STATE, Kept)
        if kept is not None:
            self.keep(kept)

    def keep(self, kept: Kept) -> None:
        """Stand where a row of state says."""
        if kept.plan is None or kept.plan_request is None:
            self.plan = self.plan_request = self.profile = self.policy = self.protocol = None
            self.stream.patient_id = self.stream.plan_fingerprint = None
        elif self.used is None:
            raise InputError("the journal does not say what the plan in use was judged by; replay it with the igrt that wrote it")
        elif (kept.plan, kept.plan_request) != (self.plan, self.plan_request):
            self.use_plan(msgspec.structs.replace(kept.plan, used=self.used), kept.plan_request)
        now_s = self.stream.now_s
        self.session = Session(State(kept.state), now_s, kept.image_id, now_s)
        self.result, self.last_byte_s, self.chain = kept.result, kept.last_byte_s, kept.chain
        self.began = kept.began
        self.stream.alerts.update(kept.alerts)


@contextmanager
def opened() -> Iterator[Callable[[RunRow], ReplayCase]]:
    """Makes a case for each run of the engine."""
    with ThreadPoolExecutor(1, "replay") as disk, tempfile.TemporaryDirectory(prefix="igrt-replay-") as folder:
        spool = Path(folder) / "spool"

        def case_of(run: RunRow) -> ReplayCase:
            nobody = Supervisor((), Budgets(), on_report=lambda *_: None, on_death=lambda _: None, on_give_up=lambda _: None)
            limits = Limits(lifetime_s=LIFETIME_S if run.lifetime_s is None else run.lifetime_s)
            case = ReplayCase(ReplayStream(run.session), nobody, folder=spool, limits=limits, disk=disk)
            case.second = NoSolver() if run.second_solver else None
            case.boot, case.tokens = run.boot, ReplayTokens()  # type: ignore[assignment]
            return case

        yield case_of
