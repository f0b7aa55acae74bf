"""What the image and the files behind the answer are: coordinates, earlier corrections, research profiles."""

from __future__ import annotations

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level
from igrt.verification.machine import ImagePose


def find_frame_of_reference(facts: Facts) -> tuple[Finding, ...]:
    """Inform where the daily image claims the planning CT's coordinates: such an image may hold a correction already."""
    daily = facts.daily_frame_of_reference_uid
    if daily is None or daily != facts.plan.frame_of_reference_uid:
        return ()
    pose = facts.machine.tables.image.pose.replace("_", " ")
    sentence = f"The daily image claims the coordinates of the planning CT; the machine profile says that it lies as it was {pose}."
    return (found("shared_frame_of_reference", sentence, level=Level.INFORM),)


def find_image_pose(facts: Facts) -> tuple[Finding, ...]:
    """Warn where the image was written after another system's shift: the numbers are what that shift left over."""
    if facts.machine.tables.image.pose is not ImagePose.AFTER_CORRECTION:
        return ()
    sentence = "The image was written after another system's correction: the numbers are what remained after it, not a move from the image."
    return (found("after_correction", sentence, level=Level.WARN),)


def find_research(facts: Facts) -> tuple[Finding, ...]:
    """Inform where machine profile or protocol is a research one, or both."""
    files = [source.file.words for source in (facts.machine, facts.protocol) if source.research]
    if not files:
        return ()
    return (
        found("research_profile", f"For research only: {' and '.join(files)} hold values that no clinic has proven.", level=Level.INFORM),
    )


def find_scan_offset(facts: Facts) -> tuple[Finding, ...]:
    """Inform where an intended shift is taken out before the set-up is judged."""
    if not any(facts.scan_offset_mm):
        return ()
    shift = ", ".join(f"{value:g}" for value in facts.scan_offset_mm)
    sentence = f"An intended shift of lateral, longitudinal, vertical {shift} mm was taken out before the set-up was judged."
    return (found("scan_offset", sentence, level=Level.INFORM),)
