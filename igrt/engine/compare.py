"""A later image beside the earlier one of the same set-up: what it says alone counts, and how far the two differ is told. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.engine.chain import Reading, Seen
from igrt.engine.release import AXES, correction_of, known_position
from igrt.geometry.angles import wrap_deg
from igrt.geometry.couch import fixed_from_couch
from igrt.geometry.couch_model import CouchModel
from igrt.geometry.motion import RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_plan
from igrt.verification.findings import Finding
from igrt.verification.protocol import ImagesTable
from igrt.verification.superseding import LIMITS, ImagedSetup, incomparable, superseded
from igrt.verification.table_angle import SAME_ANGLE_DEG

Point = tuple[float, float, float]


def seen(answer: dict[str, Any], *, image_id: str, after: Seen | None, reading: Reading | None) -> Seen:
    """The image of this answer, after another or none."""
    correction = answer.get("correction")
    return Seen(
        number=after.number + after.since + 1 if after else 1,
        image_id=image_id,
        modality=str(answer.get("modality", "image")),
        correction=correction if correction and all(axis in correction for axis in AXES) else None,
        reading=reading,
        table_angle_deg=answer.get("table_angle_deg"),
        plan_isocentre_mm=answer.get("plan_isocentre_mm"),
    )


def to_compare_with(earlier: Seen | None, later: Seen) -> Seen:
    """Of two images of a set-up, what a third is held against: the later, but for one that shows no whole pose after one that does."""
    if earlier is None or earlier.correction is None or later.correction is not None:
        return later
    return msgspec.structs.replace(earlier, since=earlier.since + 1)


def compared(earlier: Seen, later: Seen, *, couch: CouchModel, reference_mm: Point, limits: ImagesTable = LIMITS) -> tuple[Finding, ...]:
    """The findings on the two, with the couch's motion between them taken out; `reference_mm` is the match point, fixed axes."""
    moved = _moved(earlier.reading, later.reading, couch)
    same_goal = earlier.plan_isocentre_mm == later.plan_isocentre_mm and _same_angle(earlier.table_angle_deg, later.table_angle_deg)
    setups = [_setup(image) for image in (earlier, later)]
    if moved is None or not same_goal:
        return (incomparable(setups[0], setups[1], moved=moved),)
    return superseded(setups[0], setups[1], moved=moved, reference_mm=reference_mm, limits=limits)


def match_point_mm(answer: dict[str, Any]) -> Point:
    """Where the match point belongs in the room, fixed axes; the isocentre where the answer names none."""
    point = answer.get("match_point")
    if not point:
        return 0.0, 0.0, 0.0
    goal = fixed_from_plan(
        isocentre_mm=answer["plan_isocentre_mm"],
        position=PatientPosition(answer["position"]),
        table_angle_deg=answer["table_angle_deg"],
    )
    x, y, z = goal.apply(point["position_mm"]).tolist()
    return x, y, z


def as_told(finding: Finding) -> m.ImageDifference:
    """A finding on two images, for the bus."""
    return m.ImageDifference(
        code=finding.code,
        sentence=finding.sentence,
        value=finding.value,
        limit=finding.limit,
        unit=finding.unit,
        level=finding.level.value,
    )


def _setup(image: Seen) -> ImagedSetup:
    motion = None if image.correction is None else correction_of(image.correction).motion
    return ImagedSetup(number=image.number, modality=image.modality, correction=motion)


def _moved(earlier: Reading | None, later: Reading | None, couch: CouchModel) -> RigidMotion | None:
    """The couch's motion between two readings; None where it was not read at both."""
    places = []
    for reading in (earlier, later):
        stood = known_position(reading.couch) if reading else None
        if reading is None or stood is None:
            return None
        places.append(fixed_from_couch(stood, couch, table_angle_deg=reading.table_angle_deg))
    return places[1] @ places[0].inverse()


def _same_angle(one_deg: float | None, other_deg: float | None) -> bool:
    if one_deg is None or other_deg is None:
        return one_deg is other_deg
    return abs(wrap_deg(one_deg - other_deg)) <= SAME_ANGLE_DEG
