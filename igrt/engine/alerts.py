"""Every alert there is: one table, from which events, docs and tests are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from igrt.bus.messages import AlertState
from igrt.bus.topics import SILENCE
from igrt.verification.findings import Priority, Verdict


class ClearedBy(StrEnum):
    """Who or what may clear an alert."""

    ITSELF = "itself, when the condition ends"
    NEXT = "the next image or plan"
    PLAN = "loading the plan again"
    PERSON = "a person, by clear_alert"


@dataclass(frozen=True, slots=True)
class Row:
    """`sentence` may have fields in braces, filled when the alert is raised."""

    code: str
    priority: Priority
    sentence: str
    remedy: str
    cleared_by: ClearedBy

    def state(self, **fields: object) -> AlertState:
        """As told on the bus."""
        return AlertState(
            code=self.code,
            priority=self.priority.value,
            sentence=self.sentence.format(**fields),
            remedy=self.remedy,
            cleared_by=self.cleared_by.value,
        )


def _verdict(verdict: Verdict, sentence: str, remedy: str) -> Row:
    return Row(f"verdict_{verdict}", verdict.priority, sentence, remedy, ClearedBy.NEXT)


_ROWS = (
    _verdict(Verdict.CAUTION, "Caution: {reason}", "look at the findings before the couch is moved"),
    _verdict(Verdict.STOP, "Stop: {reason}", "do not treat; set the patient up again or ask the physicist"),
    _verdict(Verdict.REFUSED, "No correction: {reason}", "do not use this match; look at the images, then image again"),
    Row(
        "worker_died",
        Priority.MEDIUM,
        "The worker that computes the answer died ({cause}); it is started again and told again.",
        "wait for the answer; if this repeats, call service",
        ClearedBy.ITSELF,
    ),
    Row(
        "device_failed",
        Priority.MEDIUM,
        "The GPU failed ({sentence}); the processor answers from now on.",
        "wait for the answer; have the GPU looked at before the engine is started again",
        ClearedBy.PERSON,
    ),
    Row(
        "worker_over_budget",
        Priority.MEDIUM,
        "The worker was not done with {task} after {budget_s:.0f} s; it was ended, is started again and told again.",
        "wait for the answer; if this repeats, call service",
        ClearedBy.ITSELF,
    ),
    Row(
        "answer_failed",
        Priority.HIGH,
        "No answer for image {image_id}: {sentence}",
        "put right what the sentence names, then image again",
        ClearedBy.NEXT,
    ),
    Row(
        "plan_changed",
        Priority.HIGH,
        "The plan on disk, or the machine profile or protocol that judges it, is no longer the one that was loaded; it is not in use now.",
        "find out who changed it, then load the plan again",
        ClearedBy.PLAN,
    ),
    Row(
        "plan_lost",
        Priority.HIGH,
        "The plan in use could not be prepared again: {sentence}",
        "put right what the sentence names, then load the plan again",
        ClearedBy.PLAN,
    ),
    Row(
        "image_stalled",
        Priority.MEDIUM,
        "Nothing of image {image_id} has come for {stall_s:.0f} s.",
        "look at the imaging system; go on with the same image, or begin another",
        ClearedBy.ITSELF,
    ),
    Row(
        "proposal_expired",
        Priority.LOW,
        "The image is more than {lifetime_s:.0f} s old; its correction can no longer be claimed.",
        "image again",
        ClearedBy.NEXT,
    ),
    Row(
        "correction_withdrawn",
        Priority.HIGH,
        "A released correction was withdrawn ({reason}); the linac was told to hold.",
        "see that couch and beam have stopped, then image again",
        ClearedBy.PERSON,
    ),
    Row(
        "second_solver_withdraws",
        Priority.HIGH,
        "{sentence} The correction is withdrawn.",
        "do not move or treat the patient by it; look at both images, then image again",
        ClearedBy.NEXT,
    ),
    Row(
        "second_solver_silent",
        Priority.INFORMATION,
        "{sentence}",
        "look at the match yourself: nothing beside igrt's own evidence has confirmed it",
        ClearedBy.NEXT,
    ),
    Row(
        "hold_unacknowledged",
        Priority.HIGH,
        "The linac was told to hold and has not answered.",
        "stop couch and beam at the console of the linac",
        ClearedBy.ITSELF,
    ),
    Row(
        "move_interrupted",
        Priority.MEDIUM,
        "The couch stopped before its target.",
        "image again; what was proposed is no longer valid",
        ClearedBy.NEXT,
    ),
    Row(
        "release_interrupted",
        Priority.HIGH,
        "The engine was started again while a correction was released; nothing goes on by itself.",
        "read the couch back and confirm it, or image again",
        ClearedBy.NEXT,
    ),
    Row(
        "images_differ",
        Priority.MEDIUM,
        "{sentences}",
        "look for motion of the patient between the images; only the later one counts",
        ClearedBy.NEXT,
    ),
    Row(
        "isocentre_other",
        Priority.MEDIUM,
        "{sentence}",
        "load the beam that the correction is for, or image again for the one that is loaded",
        ClearedBy.ITSELF,
    ),
    Row(
        "chain_broken",
        Priority.HIGH,
        "Stop: the couch is not where it was sent: {faults}",
        "do not treat; look at the couch and image again, call service where a sign, scale or axis is named",
        ClearedBy.PERSON,
    ),
    Row(
        "verification_rounds",
        Priority.HIGH,
        "{sentence}",
        "do not treat; set the patient up again, then load the plan again",
        ClearedBy.NEXT,
    ),
    Row(
        "beam_unexpected",
        Priority.HIGH,
        "The beam is on while the session is {state}; the linac was told to hold.",
        "stop the beam, then image again",
        ClearedBy.PERSON,
    ),
    Row(
        "verification_missing",
        Priority.HIGH,
        "The beam is on without the verification image that is needed; the linac was told to hold. {reasons}",
        "stop the beam and take the verification image",
        ClearedBy.NEXT,
    ),
    Row("heartbeat_lost", Priority.HIGH, SILENCE, "trust nothing shown on this screen; look at the engine", ClearedBy.ITSELF),
    Row(
        "clock_jumped",
        Priority.MEDIUM,
        "This machine's clock jumped by {jump_s:+.1f} s.",
        "have the time service looked at; times written since may be wrong",
        ClearedBy.PLAN,
    ),
    Row(
        "disk_low",
        Priority.MEDIUM,
        "The disk that images are kept on has {free_gib:.1f} GiB left.",
        "free space before the next image; a full disk refuses it",
        ClearedBy.ITSELF,
    ),
)
ALERTS: Mapping[str, Row] = {row.code: row for row in _ROWS}
VERDICT_ALERTS: Mapping[Verdict, str | None] = {v: None if v is Verdict.PROCEED else f"verdict_{v}" for v in Verdict}
