"""A later image takes the place of an earlier one: its correction holds alone, never a sum, and how far the two differ is found. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from igrt.geometry.motion import RigidMotion, frozen_array
from igrt.geometry.setup import require_fixed
from igrt.verification.codes import found
from igrt.verification.correction import whole_angle_deg
from igrt.verification.findings import Finding, Level

# What two images of a patient who lies still may differ by before it is looked at: registration and imaging isocentre of both (TG-142).
DIFFER_WARN_MM = 2.0
DIFFER_WARN_DEG = 1.0


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
    earlier: ImagedSetup, later: ImagedSetup, *, moved: RigidMotion, reference_mm: ArrayLike = (0.0, 0.0, 0.0)
) -> tuple[Finding, ...]:
    """How far the later image, which alone counts, puts the patient from where the earlier one put them.

    `moved` is the couch's motion between the two images (`fixed_from_fixed`; the identity where it stood): a difference is what it does
    not explain. Compared are the tissue that belongs at `reference_mm` (3,) (fixed mm) by the earlier image, and the whole angle. The
    findings inform, and warn beyond 2 mm or 1 degree. ValueError unless the later image is the later.
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
        _difference("images_differ_shift", f"{pair} place the patient {shift_mm:.1f} mm apart.", shift_mm, DIFFER_WARN_MM, "mm"),
        _difference("images_differ_turn", f"{pair} turn the patient {turn_deg:.1f}° against each other.", turn_deg, DIFFER_WARN_DEG, "°"),
    )


def _difference(code: str, sentence: str, value: float, limit: float, unit: str) -> Finding:
    level = Level.INFORM if value <= limit else Level.WARN
    return found(code, sentence, level=level, value=value, limit=limit, unit=unit)
