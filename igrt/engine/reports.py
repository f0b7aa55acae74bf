"""What the worker reports, and what follows from it."""

from __future__ import annotations

import time
import uuid
from typing import Any

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.alerts import VERDICT_ALERTS
from igrt.engine.case import OF_AN_IMAGE, Case
from igrt.engine.states import State, Trigger
from igrt.engine.supervisor import Death
from igrt.engine.tasks import Advanced, Answered, AnswerTask, AnyReport, Failed, PlanReady, PlanTask, Started, Task
from igrt.errors import InputError
from igrt.verification.findings import Level, Outcome, Verdict

_DECIDING = {Verdict.CAUTION: Level.WARN, Verdict.STOP: Level.STOP}


def on_report(case: Case, report: AnyReport, task: Task | None) -> None:
    """The worker says something about `task`; what follows is told together."""
    with case.stream.together():
        _take(case, report, task)


def _take(case: Case, report: AnyReport, task: Task | None) -> None:
    match report:
        case Started():
            case.stream.clear("worker_over_budget")
            case.stream.clear("worker_died")
        case PlanReady():
            _plan_ready(case, report, task)
        case Advanced(stage=stage, fraction=fraction):
            if isinstance(task, AnswerTask | PlanTask):
                image_id = case.session.image_id if isinstance(task, AnswerTask) else None
                case.stream.tell(m.Progress, image_id=image_id, stage=stage, fraction=fraction)
        case Answered(answer=answer):
            if case.session.state is State.REGISTERING:
                _answered(case, answer)
        case Failed(code=code, sentence=sentence):
            _task_failed(case, task, code, sentence)
        case _:
            pass


def on_death(case: Case, death: Death) -> None:
    """The worker is gone; another is being started."""
    if death.over_budget_s is None:
        case.stream.alert("worker_died", cause=f"{death.cause}, during {death.doing}")
    else:
        case.stream.alert("worker_over_budget", task=death.doing, budget_s=death.over_budget_s)


def on_give_up(case: Case, task: Task) -> None:
    """The worker died too often on this."""
    with case.stream.together():
        _task_failed(case, task, "worker_failed", "the worker died every time that it was told; report it with the engine's log")


def _plan_ready(case: Case, report: PlanReady, task: Task | None) -> None:
    if isinstance(task, PlanTask) and case.plan_asked and case.plan_asked[0] == report.number:
        try:
            case.use_plan(report, task.request)
        except InputError as error:
            case.plan_fails(WireError("bad_input", str(error)))
            return
        case.move(Trigger.PLAN_LOADED)
        _, ready = case.plan_asked
        case.plan_asked = None
        ready.set_result(report)
    elif case.plan and report.fingerprint != case.plan.fingerprint:
        case.drop_plan()
        case.stream.alert("plan_changed")


def _task_failed(case: Case, task: Task | None, code: str, sentence: str) -> None:
    if not isinstance(task, PlanTask):
        if case.session.state in (State.ACQUIRING, State.REGISTERING):
            case.fail_image(code, sentence)
    elif case.plan_asked and case.plan_asked[0] == task.number:
        case.plan_fails(WireError(code, sentence))
    elif case.plan and case.plan.number == task.number:
        case.drop_plan()
        case.stream.alert("plan_lost", sentence=sentence)


def _answered(case: Case, answer: dict[str, Any]) -> None:
    image_id = case.session.image_id
    try:
        verdict, reason, accepted = Verdict(answer["verdict"]), _why(answer), Outcome(answer["outcome"]) is Outcome.ACCEPTED
    except (KeyError, TypeError, ValueError):
        case.fail_image("defect", "the worker gave no answer that can be read; report it with the engine's log")
        return
    case.supervisor.forget(OF_AN_IMAGE)
    case.move(Trigger.ANSWER_ACCEPTED if accepted else Trigger.ANSWER_REFUSED)
    told: dict[str, Any] = {
        "image_id": image_id,
        "answer": answer,
        "last_byte_received_monotonic_s": case.last_byte_s,
        "published_monotonic_s": time.monotonic(),
    }
    if accepted:
        case.result = case.stream.tell(m.Proposal, proposal_id=uuid.uuid4().hex, expires_monotonic_s=case.expires_s, **told)
    else:
        case.result = case.stream.tell(m.Refusal, **told)
    case.stream.tell(m.Verdict, image_id=image_id, verdict=verdict.value, reason=reason)
    code = VERDICT_ALERTS[verdict]
    if code:
        case.stream.alert(code, reason=reason)


def _why(answer: dict[str, Any]) -> str:
    """The sentences of the findings that decided an accepted answer, else its reason."""
    level = _DECIDING.get(Verdict(answer["verdict"]))
    return " ".join(f["sentence"] for f in answer["findings"] if f["level"] == level) or str(answer["reason"])
