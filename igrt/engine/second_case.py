"""The second solver beside a proposal: when it starts, what its word does to the session, and what ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from igrt.bus import messages as m
from igrt.engine.record import SECOND, row_of
from igrt.engine.second_tasks import SecondReport, SecondTask
from igrt.engine.states import LEAVING, STANDING, State, Trigger
from igrt.verification.record import CONE_BEAM
from igrt.verification.record_json import plain
from igrt.verification.second_solver import Opinion, SecondOpinion, judge_second, why_not_comparable, without_opinion

if TYPE_CHECKING:
    from igrt.engine.case import Case

RUNNING = "running"
_MOVES_NOBODY = (State.PROPOSED, State.APPROVED)


class Solver(Protocol):
    """Who runs it: at most one task at a time."""

    def begin(self, task: SecondTask) -> None:
        """Start on it; what comes of it is reported later."""

    def cancel(self) -> None:
        """End what runs, without a report; nothing where nothing runs."""


def second_begins(case: Case, answer: Mapping[str, Any]) -> None:
    """Have the proposal that was just told looked at, where machine, protocol and image have it so."""
    if case.second is None or case.protocol is None or case.plan_request is None or case.spool is None:
        return
    if not case.protocol.tables.second_solver.use or answer.get("modality", CONE_BEAM) != CONE_BEAM:
        return
    assert isinstance(case.result, m.Proposal)
    reason = why_not_comparable(answer)
    if reason:
        _say(case, case.result, without_opinion(reason))
        return
    _tell(case, case.result, RUNNING, "The second solver is at work.")
    case.second.begin(
        SecondTask(
            proposal_id=case.result.proposal_id,
            plan=case.plan_request,
            plan_fingerprint=case.stream.plan_fingerprint or "",
            image=case.spool.description,
            path=str(case.spool.path),
            answer={key: answer.get(key) for key in ("plan_from_daily", "start_plan_from_daily", "plan_isocentre_mm")},
        )
    )


def second_reports(case: Case, report: SecondReport) -> None:
    """It has finished, or cannot: its opinion is told, and where it withdraws, the proposal goes. Nothing of a proposal that is gone."""
    with case.stream.together():
        proposal = case.result
        if not is_running(case) or not isinstance(proposal, m.Proposal) or proposal.proposal_id != report.proposal_id:
            return
        assert case.protocol is not None
        case.stream.note(row_of(SECOND, report, patient_id=case.stream.patient_id))
        if report.figures is None:
            _say(case, proposal, without_opinion(report.failed))
        else:
            _say(case, proposal, judge_second(report.figures, case.protocol.tables.second_solver))


def second_ends(case: Case, why: str) -> None:
    """Whatever it is at work on is no longer asked for; nothing where it is not at work."""
    if not is_running(case):
        return
    if case.second is not None:
        case.second.cancel()
    assert isinstance(case.result, m.Proposal)
    _tell(case, case.result, Opinion.NO_OPINION, f"The second solver has no opinion: {why}.")


def is_running(case: Case) -> bool:
    """Whether its word is still to come."""
    return case.chain.second is not None and case.chain.second.opinion == RUNNING


def second_denies(case: Case) -> list[m.Denial]:
    """Why nothing can be claimed before it has confirmed; nothing where the protocol does not require that."""
    if case.protocol is None or not case.protocol.tables.second_solver.required:
        return []
    last, proposal = case.chain.second, case.result
    of_it = last is not None and isinstance(proposal, m.Proposal) and last.proposal_id == proposal.proposal_id
    if of_it and last is not None and last.opinion == Opinion.CONFIRMED.value:
        return []
    said = last.sentence if last else "It was not asked."
    return [m.Denial(rule="second_solver", sentence=f"the protocol requires that the second solver confirms the correction: {said}")]


def _say(case: Case, proposal: m.Proposal, opinion: SecondOpinion) -> None:
    """Tell it, and do what follows."""
    figures = plain(opinion.figures) or {}
    took_s = figures.pop("seconds", None)
    _tell(case, proposal, opinion.opinion, opinion.sentence, took_s=took_s, **figures)
    if opinion.opinion is Opinion.WITHDRAWN:
        _withdraw(case, opinion.sentence)
    elif opinion.opinion is Opinion.NO_OPINION:
        case.stream.alert("second_solver_silent", sentence=opinion.sentence)


def _tell(case: Case, proposal: m.Proposal, opinion: str, sentence: str, **figures: float | None) -> None:
    told = case.stream.tell(
        m.SecondSolver, image_id=proposal.image_id, proposal_id=proposal.proposal_id, opinion=str(opinion), sentence=sentence, **figures
    )
    case.chain = case.chain.with_(second=told)


def _withdraw(case: Case, sentence: str) -> None:
    """The proposal goes; where the couch may have moved by it, the linac holds, and the beam waits for a fresh release."""
    state = case.session.state
    if state not in STANDING:
        return
    case.stream.alert("second_solver_withdraws", sentence=sentence)
    reason = "the second solver contradicts it"
    if state not in _MOVES_NOBODY:
        case.chain = case.chain.with_(beam_held=True)
        case.withdraw(reason)
        case.hold(f"The released correction is withdrawn: {reason}.")
    case.move(LEAVING.get(state, (Trigger.PROPOSAL_WITHDRAWN,))[0])


def told_again(case: Case) -> None:
    """After a restart: the proposal that still stands has no second opinion any more, and the person at the screen is told."""
    if not is_running(case):
        return
    second_ends(case, "the engine was started again")
    if case.session.state in STANDING and case.chain.second is not None:
        case.stream.alert("second_solver_silent", sentence=case.chain.second.sentence)
