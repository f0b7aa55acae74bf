"""The one table of rules (docs/guard.md shows it): to add a rule is to add a row, its function, and its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from igrt.guard.facts import Breach, Case
from igrt.guard.rules import clock, couch, identity, motion, numbers, session


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, its function, and what it protects from."""

    name: str
    judge: Callable[[Case], Iterator[Breach]]
    protects_from: str


RULES = (
    Rule("units", numbers.units, "numbers in centimetres, radians or a vendor's couch scale"),
    Rule("frames", numbers.frames, "a motion inverted, or between other frames"),
    Rule("rigid", numbers.rigid, "a motion that is not finite, or stretches or mirrors the patient"),
    Rule("patient", identity.patient, "another patient's correction"),
    Rule("plan", identity.plan, "the correction of another plan, or of another revision of it"),
    Rule("plan_approval", identity.plan_approval, "treating a plan that nobody approved, or that was withdrawn"),
    Rule("fraction", identity.fraction, "the correction of another day"),
    Rule("isocentre", identity.isocentre, "the correction of another isocentre"),
    Rule("beam", identity.beam, "the correction of another beam"),
    Rule("machine", identity.machine, "a correction computed for another machine, or judged by another's policy"),
    Rule("patient_position", motion.patient_position, "a patient who lies otherwise than planned"),
    Rule("couch_model", couch.couch_model, "a target computed for another couch"),
    Rule("couch_unmoved", couch.couch_unmoved, "a couch, and so a patient, that moved since the image"),
    Rule("table_angle", couch.table_angle, "a correction for another table angle, or an angle in radians or on another scale"),
    Rule("travel", couch.travel, "a target that the couch cannot reach"),
    Rule("steps", couch.steps, "a target that the couch would round by itself"),
    Rule("held_axes", couch.held_axes, "a turn that the couch cannot make"),
    Rule("isocentre_height", numbers.isocentre_height, "couch positions in centimetres or from another zero"),
    Rule("size", numbers.size, "a correction larger than set-up errors are"),
    Rule(
        "correction_follows",
        motion.correction_follows,
        "a correction that does not follow from the match: a wrong axis, sign, unit or order",
    ),
    Rule("move_follows", motion.move_follows, "a target that is not start and correction put together: a wrong axis, sign or unit"),
    Rule("promise_kept", motion.promise_kept, "a residual promised that the move will not leave"),
    Rule("residual", motion.residual, "a move that leaves more than any couch needs to, though it says so"),
    Rule("one_clock", clock.one_clock, "times of another machine, or from before a restart"),
    Rule("in_order", clock.in_order, "a clock that ran backwards, or a report from before the approval"),
    Rule("expiry", clock.expiry, "a patient who has moved since the image"),
    Rule("fresh_report", clock.fresh_report, "what the linac said some time ago"),
    Rule("records", clock.records, "a machine whose calibration or daily QA is missing, failed or out of date"),
    Rule("state", session.state, "a proposal that is not approved, or no longer"),
    Rule("approval", session.approval, "an approval or a claim of another proposal, or by nobody"),
    Rule("approver_real", session.approver_real, "a simulated therapist who approves a real treatment"),
    Rule("outcome", session.outcome, "a match that was refused, or is partial"),
    Rule("verdict", session.verdict, "a stop that nobody set aside by name and reason, or a refusal"),
    Rule("newest_image", session.newest_image, "an older image's correction"),
    Rule("token", session.token, "a claim by anyone but the linac that the release was meant for"),
    Rule("token_unused", session.token_unused, "a correction released twice"),
    Rule("beam_off", session.beam_off, "a couch that moves in the beam"),
    Rule("same_reality", session.same_reality, "a real couch taken for a simulated one"),
    Rule("research", session.research, "a profile that nobody proved, on a real couch"),
)
