"""The findings about what follows a proposal: the couch's read-back, verification images, later images, several isocentres."""

from __future__ import annotations

from collections.abc import Mapping

from igrt.verification.codes import Code
from igrt.verification.findings import Finding, Level

CLOSING_CODES: Mapping[str, Code] = {
    # The couch's read-back against the target it was sent to.
    "chain_unreadable": Code("An axis of the couch reads back no number", "Read the couch back again; image again before treating"),
    "chain_sign": Code(
        "An axis of the couch went the wrong way", "Do not treat; call the physicist: a sign is wrong on the way to the couch"
    ),
    "chain_swapped": Code(
        "Two axes of the couch were taken for each other", "Do not treat; call the physicist: axes are exchanged on the way to the couch"
    ),
    "chain_scale": Code(
        "An axis of the couch went a multiple of what was asked", "Do not treat; call the physicist: a unit or scale is wrong"
    ),
    "chain_short": Code("An axis of the couch stopped short of the target", "Image again: the move broke off, or a scale is wrong"),
    "chain_stayed": Code("An axis of the couch did not move", "Look at the couch and at what was confirmed; image again"),
    "chain_stray": Code("An axis of the couch moved that was to stay", "Look at the couch; image again"),
    "chain_place": Code(
        "The couch stands so that the isocentre lies elsewhere in the patient than it should", "Image again before treating"
    ),
    # Whether an image has to show that the correction was right.
    "verification_image": Code("A verification image is required before the beam", "Image again where the patient now lies"),
    "verification_rounds": Code("Corrections and verification images do not come to an end", "Set the patient up again"),
    # An image that takes the place of an earlier one.
    "images_differ_shift": Code(
        "How far apart two images of one set-up place the patient", "The later image counts alone; look for motion where it is large"
    ),
    "images_differ_turn": Code(
        "How far two images of one set-up turn the patient against each other",
        "The later image counts alone; look for motion where it is large",
    ),
    "images_incomparable": Code("One of two images of a set-up has no whole pose to compare", "The later image counts alone"),
    # Several isocentres.
    "isocentre_other": Code(
        "The correction is one isocentre's, the beam another's", "Work out the correction for the isocentre of the beam"
    ),
}


def found_closing(
    code: str, sentence: str, *, level: Level, value: float | None = None, limit: float | None = None, unit: str = ""
) -> Finding:
    """A finding whose code is in the table; KeyError where it is not."""
    CLOSING_CODES[code]
    return Finding(code=code, sentence=sentence, value=value, limit=limit, unit=unit, level=level)
