"""What the worker reports, and what follows from it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from igrt.bus import messages as m
from igrt.bus.pose_messages import Pose
from igrt.bus.topics import WireError
from igrt.engine.alerts import VERDICT_ALERTS
from igrt.engine.basis import Basis
from igrt.engine.case import OF_AN_IMAGE, Case
from igrt.engine.chain import Seen
from igrt.engine.compare import as_told, compared, match_point_mm, seen, to_compare_with
from igrt.engine.pose_desk import evaluated
from igrt.engine.record import ANSWER, PLAN, AnswerRow, PlanRow, row_of
from igrt.engine.second_case import second_begins
from igrt.engine.states import State, Trigger
from igrt.engine.supervisor import Death
from igrt.engine.tasks import Advanced, Answered, AnswerTask, AnyReport, DeviceFailed, Failed, PlanReady, PlanTask, PoseTask, Started, Task
from igrt.errors import InputError
from igrt.verification.findings import Finding, Level, Outcome, Verdict
from igrt.verification.superseding import with_differences

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
        case Answered(answer=answer, basis=basis) if isinstance(task, PoseTask):
            _keep_basis(case, basis, pose=task.plan_from_daily)
            evaluated(case, answer)
        case Answered(answer=answer, basis=basis):
            if case.session.state is State.REGISTERING:
                _keep_basis(case, basis)
                _answered(case, answer)
        case DeviceFailed(sentence=sentence):
            case.stream.alert("device_failed", sentence=sentence)
        case Failed(code=code, sentence=sentence, basis=basis) if isinstance(task, PoseTask):
            _keep_basis(case, basis, failed=sentence, pose=task.plan_from_daily)
            case.pose_fails(code, sentence)
        case Failed(code=code, sentence=sentence, basis=basis):
            if case.session.state is State.REGISTERING:
                _keep_basis(case, basis, failed=sentence)
            _task_failed(case, task, code, sentence)
        case _:
            pass


def _keep_basis(case: Case, basis: Basis | None, *, failed: str | None = None, pose: Pose | None = None) -> None:
    """Write down what the answer rests on; None is a worker without one."""
    if basis and case.spool:
        row = AnswerRow(description=case.spool.description, basis=basis, failed=failed, pose=pose)
        case.stream.note(row_of(ANSWER, row, patient_id=case.stream.patient_id))


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
    if isinstance(task, PlanTask) and report.used:
        case.stream.note(row_of(PLAN, PlanRow(request=task.request, ready=report), patient_id=report.patient_id))
    if isinstance(task, PlanTask) and case.plan_asked and case.plan_asked[0] == report.number:
        try:
            case.plan_is_loaded(report, task.request)
        except InputError as error:
            case.plan_fails(WireError("bad_input", str(error)))
            return
        _, ready = case.plan_asked
        case.plan_asked = None
        ready.set_result(report)
    elif case.plan and not _same_plan(report, case.plan):
        case.drop_plan()
        case.stream.alert("plan_changed")


def _same_plan(report: PlanReady, plan: PlanReady) -> bool:
    """Whether what was prepared again is the plan in use, judged by the same machine profile and protocol."""
    return report.fingerprint == plan.fingerprint and plan.calibration_sha256 in (None, report.calibration_sha256)


def _task_failed(case: Case, task: Task | None, code: str, sentence: str) -> None:
    if not isinstance(task, PlanTask):
        case.pose_fails(code, sentence)
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
    comparison = _compared(case, answer, verdict)
    if comparison and comparison.earlier.modality != comparison.later.modality:
        answer = with_differences(answer, comparison.differences)
        verdict, reason = Verdict(answer["verdict"]), _why(answer)
    case.supervisor.forget(OF_AN_IMAGE)
    case.move(Trigger.ANSWER_ACCEPTED if accepted else Trigger.ANSWER_REFUSED)
    told: dict[str, Any] = {
        "image_id": image_id,
        "answer": answer,
        "last_byte_received_monotonic_s": case.last_byte_s,
        "published_monotonic_s": case.stream.now_s,
    }
    if accepted:
        case.chain = case.chain.with_(verification=[])  # the image that was needed is there
        case.result = case.stream.tell(m.Proposal, proposal_id=uuid.uuid4().hex, expires_monotonic_s=case.expires_s, **told)
    else:
        case.result = case.stream.tell(m.Refusal, **told)
    case.stream.tell(m.Verdict, image_id=image_id, verdict=verdict.value, reason=reason)
    code = VERDICT_ALERTS[verdict]
    if code:
        case.stream.alert(code, reason=reason)
    if comparison:
        _tell_of_two(case, comparison)
    if accepted:
        second_begins(case, answer)


@dataclass(frozen=True, slots=True)
class _Comparison:
    earlier: Seen
    later: Seen
    differences: tuple[Finding, ...]


def _compared(case: Case, answer: dict[str, Any], verdict: Verdict) -> _Comparison | None:
    """The image beside the earlier one of the set-up, whose place it takes; None where it is refused or the first."""
    if verdict is Verdict.REFUSED:
        return None
    assert case.profile is not None
    assert case.protocol is not None
    assert case.session.image_id is not None
    earlier = case.chain.seen
    later = seen(answer, image_id=case.session.image_id, after=earlier, reading=case.chain.scan_start)
    case.chain = case.chain.with_(seen=to_compare_with(earlier, later))
    if earlier is None:
        return None
    limits = case.protocol.tables.images
    differences = compared(earlier, later, couch=case.profile.couch, reference_mm=match_point_mm(answer), limits=limits)
    return _Comparison(earlier, later, differences)


def _tell_of_two(case: Case, comparison: _Comparison) -> None:
    """How far the two images differ is told, and looked at where it is much."""
    case.stream.tell(
        m.ImagesCompared,
        image_id=comparison.later.image_id,
        earlier_image_id=comparison.earlier.image_id,
        findings=[as_told(found) for found in comparison.differences],
    )
    large = [found.sentence for found in comparison.differences if found.level is not Level.INFORM]
    if large:
        case.stream.alert("images_differ", sentences=" ".join(large))


def _why(answer: dict[str, Any]) -> str:
    """The sentences of the findings that decided an accepted answer, else its reason."""
    level = _DECIDING.get(Verdict(answer["verdict"]))
    return " ".join(f["sentence"] for f in answer["findings"] if f["level"] == level) or str(answer["reason"])
