"""A pose that someone set by hand, measured beside the automatic one. `igrt.bus.messages` hands these types on."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from igrt.bus.release_messages import Person
from igrt.bus.wire import Event, Identifier, Message, Reply, Sentence

_Row = tuple[float, float, float, float]
Pose = Annotated[tuple[_Row, _Row, _Row, _Row], Meta(description="rigid motion, p_plan = M p_daily, LPS mm, row by row")]
Asked = Annotated[Identifier, Meta(description="message id of the `evaluate_pose`")]


class EvaluatePose(Message, frozen=True, kw_only=True):
    """Measure all evidence at a pose of the image that was answered last, whether it was proposed or refused.

    It is one more answer beside the one that stands, and never takes its place: it can be neither approved nor claimed.
    """

    image_id: Annotated[Identifier, Meta(description="of the image that was answered last")]
    plan_from_daily: Pose
    by: Person


class EvaluatePoseReply(Reply, frozen=True, kw_only=True):
    """It is being measured: the event `pose_evaluated` or `pose_not_evaluated` comes."""

    image_id: Identifier


class PoseEvaluated(Event, frozen=True, kw_only=True):
    """What a pose set by hand shows. The proposal or refusal of the image stands as it stood."""

    image_id: Identifier
    evaluation_id: Asked
    by: Person
    answer: Annotated[
        dict[str, Any],
        Meta(
            description="the object of docs/json.md, at this pose; `match.automatic` is the match of the registration, and how far it lies"
        ),
    ]


class PoseNotEvaluated(Event, frozen=True, kw_only=True):
    """A pose set by hand was not measured."""

    image_id: Identifier
    evaluation_id: Asked
    code: Annotated[Identifier, Meta(description="from the table of errors")]
    sentence: Sentence
