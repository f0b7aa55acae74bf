"""What a structure is for, read from its RT ROI Interpreted Type and, where that is silent, its name."""

from __future__ import annotations

import re

from igrt.images.records import StructureKind

_BY_TYPE = {
    "GTV": StructureKind.GTV,
    "CTV": StructureKind.CTV,
    "ITV": StructureKind.ITV,
    "PTV": StructureKind.PTV,
    "ORGAN": StructureKind.ORGAN,
    "AVOIDANCE": StructureKind.ORGAN,
    "EXTERNAL": StructureKind.EXTERNAL,
}
_TARGET = re.compile(r"igtv|ictv|gtv|ctv|itv|ptv")
# Rings, shells, differences and cropped volumes made for the optimiser carry a target's name and are none.
_HELPER = re.compile(r"ring\b|shell|minus|\bopt(?!ic)|crop|eval|\bnot\b|avoid|[gcip]tv\w* .*[gcip]tv")
_EXTERNAL = {"body", "external", "skin", "outline", "patient"}
_ORGAN = re.compile(
    r"(spinal ?cord|cord|brain|optic|chiasm|lens|eye|cochlea|parotid|submand|mandible|larynx|pharynx|thyroid|(o?e)sophagus|trachea|"
    r"heart|lung|breast|liver|kidney|spleen|stomach|duodenum|bowel|colon|sigmoid|rectum|bladder|urethra|penile ?bulb|fem(ur|oral))"
)


def structure_kind(interpreted_type: str, name: str) -> StructureKind:
    """The kind of structure; a type that is given decides, save that a GTV or CTV named ITV is an ITV (DICOM has no such term).

    Where the type is empty: target names as AAPM TG-263 begins them, the usual names of the outline, and organ names
    with or without a side ("Lt Lung", "Lung_L"). What says nothing is OTHER, and decides nothing.
    """
    words = re.sub(r"[\s_^.~-]+", " ", name.strip().lower())
    target = None if _HELPER.search(words) else _TARGET.match(words)
    internal = target is not None and target[0] in {"itv", "igtv", "ictv"}
    if interpreted_type.strip():
        kind = _BY_TYPE.get(interpreted_type.strip().upper(), StructureKind.OTHER)
        return StructureKind.ITV if internal and kind in {StructureKind.GTV, StructureKind.CTV} else kind
    if target is not None:
        return StructureKind.ITV if internal else StructureKind(target[0].upper())
    if words in _EXTERNAL:
        return StructureKind.EXTERNAL
    organ = _ORGAN.match(re.sub(r"^(left|right|lt|rt|l|r) ", "", words))
    return StructureKind.ORGAN if organ and not _HELPER.search(words) else StructureKind.OTHER
