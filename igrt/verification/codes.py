"""The table of findings: every code, of an answer or of what follows it, what it means and what to do.

docs/findings.md is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from igrt.verification.findings import Finding, Level


class Code(NamedTuple):
    """A row: what the finding means, and what the reader does about it."""

    meaning: str
    remedy: str


CODES: Mapping[str, Code] = {
    # Evidence: a match that lacks it is refused.
    "evidence_overlap": Code(
        "Too little of the daily anatomy lies inside the planning CT", "Check patient and site; image again at the planned height"
    ),
    "evidence_similarity": Code(
        "The two images do not look alike at the pose that was found", "Check that this is the patient and the site of the plan"
    ),
    "evidence_inliers": Code(
        "Too few samples agree with the pose that was found", "Look for a changed anatomy or an artefact; image again"
    ),
    "evidence_second_start_offset": Code(
        "The second start lay too close to the first to prove anything", "Report it: the registration did not do its part"
    ),
    "evidence_second_start": Code(
        "A registration from elsewhere ended at another pose", "Set the patient up closer to the plan and image again"
    ),
    "evidence_translation_sd": Code(
        "The position along an axis is not determined well enough", "Use a larger field of view or a better image"
    ),
    "evidence_rotation_sd": Code("The angle about an axis is not determined well enough", "Use a larger field of view or a better image"),
    "evidence_observability": Code("The images do not show one of the motions", "Use a larger field of view"),
    "evidence_samples": Code("The match rests on too few samples", "Use a larger field of view or a finer image"),
    "evidence_not_converged": Code("The registration did not settle", "Set the patient up closer to the plan and image again"),
    "evidence_not_finite": Code(
        "A measure of the match is not a number, or its covariance is not one", "Check the image for damage; image again"
    ),
    "evidence_whole": Code(
        "Outside the region that was matched the images do not look alike", "Check that this is the patient and the site of the plan"
    ),
    "evidence_leave_one_out": Code(
        "Without one of the radiographs the match would lie elsewhere", "Check that all radiographs are of one moment and of this patient"
    ),
    "evidence_identity": Code(
        "The image does not show the patient of the plan", "Check who lies on the couch and which plan is loaded; nobody can set this aside"
    ),
    "evidence_mirror": Code(
        "The image is as much or more like the plan when it is mirrored left to right",
        "Check the patient's position on the couch and in the image file; nobody can set this aside",
    ),
    "evidence_stretch": Code(
        "The image differs from the plan in size",
        "Check voxel spacing of the image file and who lies on the couch; nobody can set this aside",
    ),
    "evidence_vertebra": Code(
        "A vertebra above or below the planned one fits as well or better",
        "Count the vertebrae on the pictures side by side; set the patient up again or image a longer field",
    ),
    "evidence_regions": Code(
        "Parts of the anatomy disagree too much for one correction to fit", "Look at posture and immobilisation; set the patient up again"
    ),
    "evidence_target": Code(
        "What lies at the isocentre has moved against the rest of the anatomy",
        "Look at the target on the overlays; match on its region or set the pose by hand",
    ),
    "evidence_second_metric": Code(
        "Another way of comparing the images places the patient elsewhere", "Look at the overlays for artefacts; image again"
    ),
    "evidence_swap": Code("The match the other way round ends elsewhere", "Look at the overlays for artefacts; image again"),
    "evidence_rival": Code(
        "Another position of the patient fits the images almost as well",
        "Use a larger field of view, or set the patient up closer to the plan",
    ),
    # How it was matched.
    "anatomy_changed": Code(
        "A part of the anatomy lies elsewhere than the rest of it says",
        "Look at that part on the overlays; set the posture up again, or let the physician decide",
    ),
    "match_restricted": Code(
        "Only a part of the anatomy was matched, or not all motions were sought", "Know what the correction rests on; look at the rest"
    ),
    "match_unrestricted": Code(
        "The protocol restricts the match, but radiographs are matched whole",
        "Know that all of the anatomy holds the match; look at what the protocol names",
    ),
    "match_manual": Code("The pose was set by hand", "Look at the difference to the registration and at the evidence of the pose"),
    "target_position": Code(
        "How far the soft tissue of the target lies from where the correction puts it", "Look at the target; let the physician decide"
    ),
    "target_position_unknown": Code(
        "The soft tissue of the target could not be matched by itself, or radiographs do not show it",
        "Look at the target: the correction rests on the rest alone",
    ),
    # Implanted markers.
    "markers_planned": Code(
        "The planning CT does not show as many markers as the protocol says", "Correct `markers` of the protocol, or match the anatomy"
    ),
    "markers_too_few": Code("Fewer than three markers belong together: no pose follows", "Image again with all markers in view"),
    "markers_ambiguous": Code("Markers fit the plan's pattern in more than one way", "Set the patient up closer, or add an image"),
    "markers_fre": Code("The markers do not lie to each other as in the plan", "Look for deformation, migration or a wrong patient"),
    "markers_leave_one_out": Code("The pose rests on one marker that the others contradict", "Look for a marker that has migrated"),
    "markers_lacking": Code(
        "More markers are missing or migrated than the protocol allows", "Match the anatomy; consider a new planning CT"
    ),
    "marker_missing": Code("A planned marker is not seen", "Look for it in the image; it may be lost, or hidden"),
    "marker_migrated": Code("A marker lies off where the others put it", "Have a new planning CT considered; let the physician decide"),
    "marker_extra": Code("Something looks like a marker that the plan does not have", "Look at it: calcification, clip, wrong patient"),
    "markers_unknown": Code(
        "The markers give no pose beside the anatomy's", "Look at the markers: the correction rests on the anatomy alone"
    ),
    "markers_anatomy": Code(
        "How far apart markers and anatomy put the patient", "Look at target and bones; the organ may have moved in the body"
    ),
    "markers_anatomy_unknown": Code(
        "The anatomy gives no pose beside the markers'", "Make sure whose image it is: only the markers say so"
    ),
    # Identity and provenance.
    "note": Code("What reading the files passed over or took for granted", "Know it; correct the files where it matters"),
    "patient_mismatch": Code("The daily image names another patient than the plan", "Stop: load the right plan or image the right patient"),
    "patient_unknown": Code("The files do not say whose they are", "Make sure by other means that both belong to the patient"),
    "shared_frame_of_reference": Code(
        "The daily image claims the coordinates of the planning CT", "Make sure that `image.pose` of the machine profile is right"
    ),
    "after_correction": Code(
        "The image holds another system's shift: what is found is what remains", "Do not send it to the couch as a correction of the image"
    ),
    "research_profile": Code("Machine profile or protocol is a research one", "Not for treatment; have a physicist prove the values"),
    "isocentre_check_missing": Code(
        "No check that imaging and treatment share one isocentre is on file", "Make the check and file it before treating"
    ),
    "isocentre_check_expired": Code("The isocentre check is older than allowed", "Make the check again before treating"),
    "isocentre_check_future": Code("The isocentre check is dated in the future", "Correct the clock or the file of the check"),
    "isocentre_check_offset": Code("Imaging and treatment isocentre are too far apart", "Call the physicist; do not treat on this imaging"),
    # What is judged.
    "match_point_ptv": Code("There is no CTV, ITV or GTV: the PTV stands in", "Know that a PTV's centre is not the tumour's"),
    "match_point_isocentre": Code(
        "There is no target structure: the isocentre alone is judged", "Load the structure set to judge target and organs"
    ),
    "no_organs": Code("No organ is judged", "Load the structure set, or delineate the organs at risk"),
    "one_radiograph": Code(
        "A single radiograph does not show the position along its beam", "Take a second radiograph from another angle for a correction"
    ),
    "scan_offset": Code("An intended shift was taken out before the set-up was judged", "Make sure that the shift was intended"),
    # Tolerances.
    "resetup_translation": Code("The patient is too far away for a correction by couch", "Set the patient up again"),
    "resetup_rotation": Code("The patient is turned too far for a correction by couch", "Set the patient up again"),
    "setup_translation": Code("The set-up error is large", "Look at the set-up: marks, immobilisation, right isocentre"),
    "setup_axis": Code("The set-up error along one axis is large", "Look at the set-up: marks, immobilisation, right isocentre"),
    "setup_rotation": Code("The patient is turned", "Look at the set-up: marks, immobilisation"),
    "couch_limited": Code("The couch cannot make all of the correction", "Look at the residuals; they hold what remains"),
    "residual_target": Code(
        "After the couch's move the target would be off by more than tolerated", "Set the patient up again, or let the physician decide"
    ),
    "residual_organ": Code(
        "After the couch's move an organ would be off by more than tolerated", "Look at the organ; let the physician decide"
    ),
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


def found(code: str, sentence: str, *, level: Level, value: float | None = None, limit: float | None = None, unit: str = "") -> Finding:
    """A finding whose code is in the table; KeyError where it is not."""
    CODES[code]
    return Finding(code=code, sentence=sentence, value=value, limit=limit, unit=unit, level=level)
