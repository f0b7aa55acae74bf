"""The couch stands where it stood, and can go where it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from igrt.geometry.couch_model import ANGLES, TRANSLATIONS, TURNED_ANGLES, AxisRange, YawAxis
from igrt.guard.facts import AXES, Breach, Case, couch_position, number, text

READINGS = ("couch_at_scan_start", "couch_at_scan_end", "couch_at_claim")
# The planned angle and the turntable's differ by the yaw of earlier corrections; more are two scales or two moments.
TABLE_ANGLE_AGREEMENT_DEG = 10.0
ROUNDING = 1e-6


def couch_model(case: Case) -> Iterator[Breach]:
    """The target was computed for the couch that is there."""
    name = text(case.request, "couch_model")
    if name != case.policy.couch.name:
        yield Breach(
            field="couch_model",
            value=repr(name),
            limit=f"the couch of this machine is {case.policy.couch.name!r}",
            remedy="choose the profile of the machine that treats, then image again",
        )


def couch_unmoved(case: Case) -> Iterator[Breach]:
    """Every axis reads the same for the proposal, at scan start, at scan end and at the claim; angles modulo 360."""
    for axis in TRANSLATIONS:
        values = _position_values(case, AXES[axis])
        yield from _spread(AXES[axis], values, values, case.policy.couch_shift_mm)
    for axis in ANGLES:
        yield from _same_angle(case, AXES[axis], _position_values(case, AXES[axis]))
    turntable = {name: number(case.request, f"{name}.table_angle_deg") for name in READINGS}
    yield from _same_angle(case, "table_angle_deg", turntable)


def table_angle(case: Case) -> Iterator[Breach]:
    """The turntable stands where it stood at the image, as its yaw says too; the planned angle is no further off than corrections yaw."""
    imaged, planned = number(case.request, "image_table_angle_deg"), number(case.request, "table_angle_deg")
    yaws = case.policy.couch.yaw_axis is YawAxis.TURNTABLE
    for name in READINGS:
        angle = number(case.request, f"{name}.table_angle_deg")
        if yaws:
            yaw = number(case.request, f"{name}.position.yaw_deg")
            yield from _near(f"{name}.table_angle_deg", angle, yaw, "the couch's yaw", case.policy.couch_turn_deg)
        yield from _near(f"{name}.table_angle_deg", angle, imaged, "the image's table angle", case.policy.couch_turn_deg)
    limit = TABLE_ANGLE_AGREEMENT_DEG if yaws else case.policy.couch_turn_deg
    yield from _near("image_table_angle_deg", imaged, planned, "the planned table angle", limit)


def travel(case: Case) -> Iterator[Breach]:
    """Every axis that the couch moves is sent to a place within its absolute travel."""
    for axis, (value, limits) in _moved_axes(case).items():
        if not limits.minimum - ROUNDING <= value <= limits.maximum + ROUNDING:
            yield Breach(
                field=f"target.{AXES[axis]}",
                value=f"{value:g}",
                limit=f"the couch goes from {limits.minimum:g} to {limits.maximum:g}",
                remedy="set the patient up again nearer to the middle of the couch's travel",
            )


def steps(case: Case) -> Iterator[Breach]:
    """Every axis that the couch moves is sent to a multiple of its step, a place that it can take."""
    for axis, (value, limits) in _moved_axes(case).items():
        if limits.step and not abs(math.remainder(value, limits.step)) <= ROUNDING:
            yield Breach(
                field=f"target.{AXES[axis]}",
                value=f"{value:.9g}",
                limit=f"the couch moves in steps of {limits.step:g}",
                remedy="choose the profile of the couch that is there, then image again",
            )


def held_axes(case: Case) -> Iterator[Breach]:
    """An angle that the couch cannot turn is sent where it is."""
    start, target = couch_position(case.request, "start"), couch_position(case.request, "target")
    for axis in ANGLES:
        turn = math.remainder(getattr(target, AXES[axis]) - getattr(start, AXES[axis]), 360.0)
        if axis not in TURNED_ANGLES[case.policy.couch.degrees_of_freedom] and not abs(turn) <= ROUNDING:
            yield Breach(
                field=f"target.{AXES[axis]}",
                value=f"{getattr(target, AXES[axis]):g}, {turn:g} from the start",
                limit=f"a couch of {case.policy.couch.degrees_of_freedom} degrees of freedom cannot turn it",
                remedy="choose the profile of the couch that is there, then image again",
            )


def _position_values(case: Case, field: str) -> dict[str, float]:
    paths = {"start": "start"} | {name: f"{name}.position" for name in READINGS}
    return {name: number(case.request, f"{path}.{field}") for name, path in paths.items()}


def _moved_axes(case: Case) -> dict[str, tuple[float, AxisRange]]:
    axes = TRANSLATIONS + TURNED_ANGLES[case.policy.couch.degrees_of_freedom]
    return {axis: (number(case.request, f"target.{AXES[axis]}"), getattr(case.policy.couch, axis)) for axis in axes}


def _same_angle(case: Case, field: str, values: Mapping[str, float]) -> Iterator[Breach]:
    first = next(iter(values.values()))
    turns = {name: math.remainder(value - first, 360.0) for name, value in values.items()}
    yield from _spread(field, values, turns, case.policy.couch_turn_deg)


def _spread(field: str, values: Mapping[str, float], compared: Mapping[str, float], limit: float) -> Iterator[Breach]:
    spread = max(compared.values()) - min(compared.values())
    if not spread <= limit:
        yield Breach(
            field=f"couch {field}",
            value=", ".join(f"{value:g} at {name}" for name, value in values.items()),
            limit=f"it may change by {limit:g} between scan and claim",
            remedy="image again, for the couch has moved since",
        )


def _near(field: str, value: float, other: float, what: str, limit: float) -> Iterator[Breach]:
    apart = abs(math.remainder(value - other, 360.0))
    if not apart <= limit:
        yield Breach(
            field=field,
            value=f"{value:g}, {apart:g} from {what} of {other:g}",
            limit=f"they may differ by {limit:g}",
            remedy="give both of one moment on the IEC 61217 scale, then image again",
        )
