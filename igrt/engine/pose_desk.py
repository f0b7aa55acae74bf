"""A pose that someone set by hand: asked of the worker, told to everyone, and never the answer that stands."""

from __future__ import annotations

from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.case import Case
from igrt.engine.requests import deny, plan_in_use, reply_to
from igrt.engine.tasks import PoseTask
from igrt.geometry.motion import Frame, RigidMotion


def evaluate(case: Case, request: m.EvaluatePose) -> m.Reply:
    """Have the worker measure it: one at a time, of the image that was answered last."""
    plan_in_use(case, request.header)
    deny("another pose is being measured; wait for its event" if case.posing else None)
    result = case.result
    if not isinstance(result, m.Proposal | m.Refusal):
        deny("no image has been answered; a pose is measured beside an answer")
    elif result.image_id != request.image_id:
        raise WireError("unknown_image", f"{request.image_id} is not the image that was answered last; ask for the snapshot")
    _on_disk(case, request.image_id)
    try:
        RigidMotion.from_matrix(request.plan_from_daily, target=Frame.PLAN, source=Frame.DAILY)
    except ValueError as error:
        raise WireError("bad_input", f"plan_from_daily is no rigid motion: {error}; give a rotation and a shift") from error
    case.tell_image()  # again: the worker may be another since
    case.posing = pose_task(case, request)
    case.supervisor.tell(case.posing)
    return m.EvaluatePoseReply(**reply_to(case, request), image_id=request.image_id)


def _on_disk(case: Case, image_id: str) -> None:
    """The image's file is open, which an earlier run of the engine may have had open."""
    if case.spool is None:
        try:
            case.spool = case.spool_again(image_id, whole=True)
        except (OSError, msgspec.MsgspecError, WireError) as error:
            raise WireError("disk_failed", f"image {image_id} is no longer on disk as it was kept ({error}); image again") from error


def pose_task(case: Case, request: m.EvaluatePose) -> PoseTask:
    """For the worker."""
    return PoseTask(
        number=case.supervisor.next_number(),
        image_id=request.image_id,
        evaluation_id=request.header.message_id,
        by=request.by,
        plan_from_daily=request.plan_from_daily,
    )


def evaluated(case: Case, answer: dict[str, Any]) -> None:
    """The worker has measured it."""
    asked = case.pose_done()
    if asked:
        case.stream.tell(m.PoseEvaluated, image_id=asked.image_id, evaluation_id=asked.evaluation_id, by=asked.by, answer=answer)
