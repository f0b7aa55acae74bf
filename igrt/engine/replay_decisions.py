"""The engine's decisions made again: every turn of the journal through the desks, the guard and the table of states, by the recorded clock.

Each turn starts where the journal says that the last one ended. What it brings about now, and where it leaves the session, is
compared with the rows. What hangs on the disk and on the worker's process (stalls, deaths, a clock that jumped) is taken as told;
its transitions are still looked up in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine import states
from igrt.engine.basis import ClaimFacts, Used, this_build
from igrt.engine.chain import Kept
from igrt.engine.desk import WAITING, Desk
from igrt.engine.journal_redaction import redact
from igrt.engine.placing import loaded_isocentre_mm
from igrt.engine.record import ANSWER, CLAIM, PLAN, REPLY, RUN, SECOND, STATE, AnswerRow, PlanRow, RunRow
from igrt.engine.replay_case import ISSUED, ReplayCase, ReplaySpool, ReplayStream
from igrt.engine.replay_compare import Difference, differences
from igrt.engine.replay_turns import Turn, plain_rows
from igrt.engine.reports import on_report
from igrt.engine.requests import as_told
from igrt.engine.resume import kept, resume
from igrt.engine.second_case import second_reports
from igrt.engine.second_tasks import SecondReport
from igrt.engine.spool import Description
from igrt.engine.states import NotAllowedError, Session, State, Trigger
from igrt.engine.tasks import Answered, AnswerTask, Failed
from igrt.errors import InputError

NEW = frozenset({"message_id", "hold_id"})
"""Made anew for each message and hold."""
_ON_DISK = frozenset({"incomplete", "unknown_image", "disk_failed"})
"""Errors that tell of slices on disk, which the journal does not list."""
_IN_HAND = (State.ACQUIRING, State.REGISTERING)
_WATCHED = frozenset({"clock_jumped", "hold_unacknowledged", "disk_low"})


@dataclass(frozen=True, slots=True)
class Decided:
    """One turn decided again: by what, in the journal's words, and what differs."""

    row: int
    what: str
    differences: tuple[Difference, ...]


class Decisions:
    """Takes the turns of a journal one by one."""

    def __init__(self, case_of: Callable[[RunRow], ReplayCase]) -> None:
        self._case_of = case_of
        self._case: ReplayCase | None = None
        self._exact = False
        self._used: Used | None = None
        self._last: bytes | None = None
        self._images: dict[str, m.BeginImage] = {}
        self._descriptions: dict[str, Description] = {}
        self._known, self._gap = True, False

    def take(self, turn: Turn) -> Decided | None:
        """Decide it again; None where there is nothing to decide, or what it hangs on was erased."""
        run = turn.read(RUN, RunRow)
        if run is not None:
            self._case = self._case_of(run)
            self._case.used = self._used
            self._exact = run.build is not None and run.build.decides_as(this_build())
        case = self._case
        if case is None or turn.erased:
            self._skip(case, turn)
            return None
        if self._gap and turn.events:
            case.stream.number, self._gap = turn.events[0].number - 1, False
        plan = turn.read(PLAN, PlanRow)
        if plan is not None:
            case.used = self._used = plan.ready.used
        before = case.stream.number, dict(case.stream.alerts)
        decided = self._decide(case, turn, run) if self._known and turn.clock else None
        case.stream.number, case.stream.alerts = before
        self._stand(case, turn, differs=bool(decided and decided.differences))
        return decided

    def _skip(self, case: ReplayCase | None, turn: Turn) -> None:
        """What it brought about is not known any more; where it left the session may be."""
        kept = turn.read(STATE, Kept)
        if case is not None and kept is not None:
            case.keep(kept)
            self._last = turn.payload(STATE)
        self._known, self._gap = kept is not None, True

    def _stand(self, case: ReplayCase, turn: Turn, *, differs: bool) -> None:
        """Where the journal says, so that one difference brings no others."""
        if isinstance(turn.request, m.BeginImage):
            self._images[turn.request.image_id] = turn.request
        if differs and self._last is not None:
            case.keep(msgspec.msgpack.decode(self._last, type=Kept))
        case.stand(turn)
        state = turn.payload(STATE)
        if state is not None:
            self._last, self._known = state, True

    def _decide(self, case: ReplayCase, turn: Turn, run: RunRow | None) -> Decided | None:
        found = list(_by_the_table(case.session, turn)) if run is None else []
        assert isinstance(case.stream, ReplayStream)
        assert turn.clock is not None
        case.stream.clock, case.stream.written = turn.clock, []
        what, again = self._which(case, turn, run)
        if again is None:
            return Decided(turn.number, what, tuple(found)) if found else None
        try:
            with case.stream.together():
                again()
        except Exception as error:  # noqa: BLE001 - what was done then and cannot be done now is a difference, whatever the cause
            return Decided(turn.number, what, (*found, Difference("the whole", "done", f"{type(error).__name__}: {error}")))
        new = NEW | {"proposal_id"} if what == ANSWER else NEW
        told = _without_watched(turn.told) if what == "expiry" else [row for row in turn.told if row["row"] not in (RUN, PLAN)]
        found += differences(told, plain_rows(case.stream.written), exact=self._exact, new=new, field="told")
        recorded = turn.payload(STATE) or self._last
        if recorded is not None:
            plain = msgspec.msgpack.decode(recorded), msgspec.msgpack.decode(redact(kept(case)))
            found += differences(*plain, exact=self._exact, new=new, field="state")
        return Decided(turn.number, what, tuple(found))

    def _which(self, case: ReplayCase, turn: Turn, run: RunRow | None) -> tuple[str, Callable[[], None] | None]:
        """What brought the turn about, and how to do it again; None where it is taken as told."""
        if run is not None:
            return "start", self._start(case, turn)
        request, answer = turn.request, turn.read(ANSWER, AnswerRow)
        if request is not None:
            return request.wire_kind(), self._request(case, turn, request)
        if answer is not None:
            case.spool = ReplaySpool(answer.description, whole=True)
            return ANSWER, _answer(case, turn, answer)
        second = turn.read(SECOND, SecondReport)
        if second is not None:
            return SECOND, lambda: second_reports(case, second)
        if any(isinstance(e, m.StateChanged) and e.trigger == Trigger.IMAGE_BEGUN for e in turn.events):
            return "image", self._begin(case, turn)
        if turn.first(m.Expired):
            return "expiry", lambda: case.expire_if_old(now_s=case.stream.now_s)
        return "event", None

    def _start(self, case: ReplayCase, turn: Turn) -> Callable[[], None] | None:
        """Another run goes on with what the last one left; an image in hand, or a plan that is gone, is looked for on disk."""
        if self._last is None:
            return None
        last = msgspec.msgpack.decode(self._last, type=Kept)
        lost = any(isinstance(e, m.Alert) and e.alert.code in ("plan_lost", "plan_changed") for e in turn.events)
        if last.state in _IN_HAND or lost:
            return None
        if last.plan is not None:
            last = msgspec.structs.replace(last, plan=msgspec.structs.replace(last.plan, used=case.used))
        body = msgspec.msgpack.encode(last)
        return lambda: resume(case, body, journal=Path("journal"))

    def _request(self, case: ReplayCase, turn: Turn, request: m.Message) -> Callable[[], None] | None:
        if isinstance(request, WAITING):
            return None
        if isinstance(request, m.EndImage | m.EvaluatePose) and not self._in_hand(case, turn):
            return None
        facts = turn.read(CLAIM, ClaimFacts)
        if isinstance(request, m.Claim):
            case.facts = facts
            request = msgspec.structs.replace(request, token=_token(facts))
        return lambda: _carry_out(case, request)

    def _in_hand(self, case: ReplayCase, turn: Turn) -> bool:
        """Lay the image in hand out as whole; False where the reply hung on its slices, or it was begun before the journal."""
        reply = next(row for row in turn.told if row["row"] == REPLY)
        description = self._descriptions.get(case.session.image_id or "")
        if reply.get("code") in _ON_DISK or description is None:
            return False
        case.spool = ReplaySpool(description, whole=True)
        return True

    def _begin(self, case: ReplayCase, turn: Turn) -> Callable[[], None] | None:
        image_id = next(e.image_id for e in turn.events if isinstance(e, m.StateChanged) and e.trigger == Trigger.IMAGE_BEGUN)
        begun = self._images.get(image_id or "")
        if begun is None or case.plan is None:
            return None
        treated_mm = loaded_isocentre_mm(case.plan, case.chain.machine)
        description = Description.of(begun, plan_fingerprint=case.plan.fingerprint, plan_isocentre_mm=treated_mm)
        self._descriptions[description.image_id] = description
        return lambda: case.begin(ReplaySpool(description, whole=False))


def _by_the_table(session: Session, turn: Turn) -> Iterator[Difference]:
    """Transitions that the table of states does not have, or that start or end elsewhere."""
    for event in turn.events:
        if not isinstance(event, m.StateChanged):
            continue
        try:
            session = states.step(session, Trigger(event.trigger), now_s=event.header.monotonic_s, image_id=event.image_id)
        except (NotAllowedError, ValueError) as error:
            yield Difference(f"transition by {event.trigger}", f"{event.previous} to {event.state}", str(error))
            return
        if session.state != event.state:
            yield Difference(f"transition by {event.trigger}", event.state, session.state.value)
            session = replace(session, state=State(event.state))


def _token(facts: ClaimFacts | None) -> str:
    """One that is right or wrong as the one of the claim was."""
    return ISSUED if facts is None or facts.token_is_issued else "x" * facts.token_characters


def _answer(case: ReplayCase, turn: Turn, row: AnswerRow) -> Callable[[], None]:
    """What followed from the recorded answer."""
    told = turn.first(m.Proposal) or turn.first(m.Refusal) or turn.first(m.PoseEvaluated)
    failed = turn.first(m.ImageFailed) or turn.first(m.PoseNotEvaluated)
    report = (
        Failed(number=0, code=failed.code if failed else "defect", sentence=row.failed, basis=row.basis)
        if row.failed is not None
        else Answered(number=0, answer=told.answer if told else {}, basis=row.basis)
    )
    task = AnswerTask(number=0) if row.pose is None else case.posing
    return lambda: on_report(case, report, task)


def _carry_out(case: ReplayCase, request: m.Message) -> None:
    """As the engine's server does it, up to the reply."""
    try:
        reply = _done(Desk(case).carry_out(request))
    except Exception as error:  # noqa: BLE001 - told as the engine tells it
        known: WireError = as_told(error, request)
        reply = m.Error(header=case.stream.header(), request_id=request.header.message_id, code=known.code, sentence=known.sentence)
    assert isinstance(case.stream, ReplayStream)
    case.stream.written.append((REPLY, redact(m.encode(reply))))


def _done(work: Coroutine[Any, Any, m.Reply]) -> m.Reply:
    """What work gives that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        reply: m.Reply = done.value
        return reply
    work.close()
    raise InputError("a request waits for something that the journal does not hold; replay it with the igrt that wrote it")


def _without_watched(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a look at the clock brought about, without alerts on what the journal does not hold."""
    return [row for row in told if row.get("alert", {}).get("code") not in _WATCHED]
