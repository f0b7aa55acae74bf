"""A later image takes the place of an earlier one: its correction holds alone, never a sum, and how far the two differ is found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from igrt.geometry.motion import RigidMotion, frozen_array
from igrt.geometry.setup import fixed_from_plan, require_fixed
from igrt.verification.codes import found
from igrt.verification.correction import whole_angle_deg
from igrt.verification.findings import Finding, Level, Outcome
from igrt.verification.protocol import ImagesTable
from igrt.verification.record import Answer
from igrt.verification.record_json import plain
from igrt.verification.verdict import verdict

# What two images of a patient who lies still may differ by before it is looked at: registration and imaging isocentre of both (TG-142).
LIMITS = ImagesTable()
OF_TWO_IMAGES = ("images_differ_shift", "images_differ_turn", "images_incomparable")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImagedSetup:
    """A set-up as one image shows it: `correction` is `fixed_from_fixed` from where the tissue lay at the image to its planned place.

    `number` counts the images of a session. `modality` is said in sentences, such as "cone-beam CT" or "kV pair". The correction is None
    where the image shows no whole pose, as a single radiograph.
    """

    number: int
    modality: str
    correction: RigidMotion | None

    def __post_init__(self) -> None:
        if self.correction is not None:
            require_fixed(self.correction, f"correction of image {self.number}")

    @property
    def words(self) -> str:
        """Which image this is."""
        return f"{self.modality} {self.number}"


def newest(images: Iterable[ImagedSetup]) -> ImagedSetup:
    """The one image whose correction may be offered; ValueError where there is none, or two of one number."""
    ordered = sorted(images, key=lambda image: image.number)
    if not ordered:
        raise ValueError("no image to choose from; take one")
    if len({image.number for image in ordered}) != len(ordered):
        raise ValueError("two images have one number; number the images of a session one after the other")
    return ordered[-1]


def superseded(
    earlier: ImagedSetup,
    later: ImagedSetup,
    *,
    moved: RigidMotion,
    reference_mm: ArrayLike = (0.0, 0.0, 0.0),
    limits: ImagesTable = LIMITS,
) -> tuple[Finding, ...]:
    """How far the later image, which alone counts, puts the patient from where the earlier one put them.

    `moved` is the couch's motion between the two images (`fixed_from_fixed`; the identity where it stood): a difference is what it does
    not explain. Compared are the tissue that belongs at `reference_mm` (3,) (fixed mm) by the earlier image, and the whole angle. The
    findings inform, and warn beyond `limits`. ValueError unless the later image is the later.
    """
    require_fixed(moved, "moved")
    if not later.number > earlier.number:
        raise ValueError(f"{later.words} is not later than {earlier.words}; exchange them")
    if earlier.correction is None or later.correction is None:
        part = earlier if earlier.correction is None else later
        sentence = f"The {part.words} shows no whole pose to compare; the {later.words} alone counts."
        return (found("images_incomparable", sentence, level=Level.INFORM),)
    # Tissue that the earlier image says belongs here, moved by the couch, and put by the later image where it belongs.
    difference = later.correction @ moved @ earlier.correction.inverse()
    reference = frozen_array(reference_mm, (3,), "reference_mm")
    shift_mm = float(np.linalg.norm(difference.apply(reference) - reference))
    turn_deg = whole_angle_deg(difference.rotation)
    pair = f"The {later.words}, which alone counts, and the {earlier.words}"
    return (
        _difference("images_differ_shift", f"{pair} place the patient {shift_mm:.1f} mm apart.", shift_mm, limits.shift_mm, "mm"),
        _difference("images_differ_turn", f"{pair} turn the patient {turn_deg:.1f}° against each other.", turn_deg, limits.turn_deg, "°"),
    )


def held_against(earlier: Answer, later: Answer, *, moved: RigidMotion | None, limits: ImagesTable = LIMITS) -> Answer:
    """The later of two answers of one fraction, such as of radiographs and then of a cone-beam CT, with how far they differ as findings.

    `moved` is the couch's motion between the images (`fixed_from_fixed`, the identity where it stood); None where it is not known, and
    then the two are not compared, which is said. Compared is the tissue at the later answer's match point. A refused answer stays as it
    is, and none is held against one.
    """
    if Outcome.REFUSED in (earlier.outcome, later.outcome):
        return later
    first, second = (
        ImagedSetup(number=number, modality=one.modality, correction=one.correction.motion if one.correction else None)
        for number, one in enumerate((earlier, later), start=1)
    )
    other_goal = earlier.plan_isocentre_mm != later.plan_isocentre_mm or earlier.table_angle_deg != later.table_angle_deg
    if moved is None or other_goal:
        found_here: tuple[Finding, ...] = (incomparable(first, second, moved=moved),)
    else:
        found_here = superseded(first, second, moved=moved, reference_mm=_match_point_fixed(later), limits=limits)
    findings = tuple(f for f in later.findings if f.code not in OF_TWO_IMAGES) + found_here
    return replace(later, findings=findings, verdict=verdict(later.outcome, findings))


def incomparable(earlier: ImagedSetup, later: ImagedSetup, *, moved: RigidMotion | None) -> Finding:
    """Why the two cannot be held against each other: the couch's motion is not known, or they are for different goals."""
    why = "another isocentre or table angle is meant" if moved is not None else "where the couch stood is not known"
    sentence = f"The {later.words} alone counts; it cannot be held against the {earlier.words}: {why}."
    return found("images_incomparable", sentence, level=Level.INFORM)


def with_differences(answer: Mapping[str, Any], differences: Iterable[Finding]) -> dict[str, Any]:
    """The JSON object of an answer with these findings on two images in place of any that it has, and the verdict that follows."""
    findings = [finding for finding in answer["findings"] if finding["code"] not in OF_TWO_IMAGES]
    findings += [plain(difference) for difference in differences]
    if findings == answer["findings"]:
        return dict(answer)
    levels = [found(f["code"], f["sentence"], level=Level(f["level"])) for f in findings]
    return {**answer, "findings": findings, "verdict": verdict(Outcome(answer["outcome"]), levels).value}


def _match_point_fixed(answer: Answer) -> ArrayLike:
    if answer.match_point is None:
        return (0.0, 0.0, 0.0)
    goal = fixed_from_plan(isocentre_mm=answer.plan_isocentre_mm, position=answer.position, table_angle_deg=answer.table_angle_deg)
    return goal.apply(answer.match_point.position_mm)


def _difference(code: str, sentence: str, value: float, limit: float, unit: str) -> Finding:
    level = Level.INFORM if value <= limit else Level.WARN
    return found(code, sentence, level=level, value=value, limit=limit, unit=unit)
