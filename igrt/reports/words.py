"""How an answer is said: verdicts, numbers and evidence in words, one table each, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from igrt.geometry.words import AXES as DIRECTIONS
from igrt.geometry.words import axis_words
from igrt.verification.codes import CODES
from igrt.verification.findings import Level, Outcome, Verdict

VERDICTS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.PROCEED: ("Proceed", "The match is accepted and everything that was judged is within tolerance."),
    Verdict.CAUTION: ("Caution", "The match is accepted; look at the findings before going on."),
    Verdict.STOP: ("Stop", "The match is accepted, but a tolerance that stops treatment is exceeded."),
    Verdict.REFUSED: ("Refused", "The match cannot be believed, so there is no correction."),
}

ONE_RADIOGRAPH = "One radiograph does not show the depth, so there is no correction."
NOT_MATCHED = "The images were not matched, so there is no correction."
REFUSED_OTHERWISE = "Nothing speaks against the match itself, but there is no correction."
NOT_BORNE_OUT = "There is a correction, but the evidence does not bear it out; the findings say what it lacks."

# Key of `correction`, heading, axis in geometry's table of words, unit.
AXES = (
    ("lateral_mm", "Lateral", "lateral", " mm"),
    ("longitudinal_mm", "Longitudinal", "longitudinal", " mm"),
    ("vertical_mm", "Vertical", "vertical", " mm"),
    ("pitch_deg", "Pitch", "pitch", "°"),
    ("roll_deg", "Roll", "roll", "°"),
    ("yaw_deg", "Yaw", "yaw", "°"),
)
STILL = 0.05


def figure(value: float, digits: int = 1, sign: bool = False) -> str:
    """A number for reading: fixed decimals, a true minus sign, never a negative zero."""
    rounded = round(float(value), digits)
    text = f"{abs(rounded):.{digits}f}"
    if rounded < 0:
        return "−" + text
    return "+" + text if sign and rounded > 0 else text


def borne_out(answer: Mapping[str, Any]) -> bool:
    """Whether no finding stops for what the match itself lacks, of the images or of implanted markers."""
    grave = [finding["code"] for finding in answer["findings"] if finding["level"] == Level.STOP]
    return not any(code.startswith(("evidence_", "markers_")) for code in grave)


def verdict_words(answer: Mapping[str, Any]) -> tuple[str, str]:
    """The verdict of an answer and what it means there."""
    verdict = Verdict(answer["verdict"])
    word, sentence = VERDICTS[verdict]
    if answer["outcome"] == Outcome.PARTIAL:
        return word, ONE_RADIOGRAPH
    if verdict is Verdict.REFUSED and borne_out(answer):
        return word, NOT_MATCHED if answer["evidence"] is None else REFUSED_OTHERWISE
    return word, NOT_BORNE_OUT if verdict is Verdict.STOP and not borne_out(answer) else sentence


def evidence_heading(answer: Mapping[str, Any]) -> str:
    """What the measures of an answer are evidence of."""
    if borne_out(answer):
        return "Evidence that the match is right"
    return f"Evidence that the {'match is not to be believed' if answer['outcome'] == Outcome.REFUSED else 'pose is not borne out'}"


def remedy(finding: Mapping[str, Any]) -> str:
    """What the reader of a finding does about it; empty for one that only informs, or of a later version's table."""
    row = CODES.get(finding["code"])
    return "" if row is None or finding["level"] == Level.INFORM else row.remedy + "."


def direction(axis: str, value: float) -> str:
    """Which way `value` goes along or about a row of geometry's table, such as "toward gantry"; "stays" where it rounds to nothing."""
    if abs(value) < STILL:
        return "stays"
    return DIRECTIONS[axis].positive if value > 0 else DIRECTIONS[axis].negative


def correction_words(correction: Mapping[str, Any]) -> tuple[str, ...]:
    """The axes that move, such as "couch 5.0 mm toward gantry"; one phrase that says so where none does."""
    moving = tuple(axis_words(axis, correction[key]) for key, _, axis, _ in AXES if abs(correction[key]) >= STILL)
    return moving or ("no motion of 0.1 mm or 0.1° or more",)


def in_plane_words(radiographs: Mapping[str, Any] | None) -> str:
    """What a single radiograph measures, each with twice its deviation; empty where there is none (docs/json.md, `radiographs`)."""
    seen = (radiographs or {}).get("in_plane")
    if seen is None:
        return ""
    across, along = (f"{figure(seen[f'{key}_mm'], sign=True)} ± {figure(2 * seen[f'{key}_sd_mm'], 2)} mm" for key in ("across", "along"))
    turn = f"{figure(seen['turn_deg'], sign=True)} ± {figure(2 * seen['turn_sd_deg'], 2)}°"
    return f"across {across}, along {along}, turn {turn} (motion to make, receptor axes, ± two standard deviations); depth N/A"


def evidence_rows(evidence: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Name, value and meaning of each measure of the match (docs/json.md, `evidence`); a dash where a measure is null."""
    offset = f"{_said(evidence['second_start_offset_mm'], 0)} mm and {_said(evidence['second_start_offset_deg'], 0)}°"
    ended = "converged" if evidence["converged"] else "did not converge"
    return (
        ("Overlap", f"{_said(evidence['overlap'], 0, scale=100)} %", "of the imaged anatomy lies inside the planning CT"),
        ("Similarity", _said(evidence["similarity"], 2), "local correlation of the two images; 1 is perfect"),
        ("Second start", f"{_said(evidence['second_start_difference_mm'], 2)} mm", f"from the answer reached from {offset} away"),
        ("Inliers", f"{_said(evidence['inliers'], 0, scale=100)} %", "of the samples agree with the pose"),
        ("Translation", f"± {_said(_largest(evidence['translation_sd_mm']), 3)} mm", "standard deviation, largest axis"),
        ("Rotation", f"± {_said(_largest(evidence['rotation_sd_deg']), 3)}°", "standard deviation, largest axis"),
        ("Observability", _said(evidence["observability"], 3), "weakest direction over strongest; 0 cannot be seen"),
        ("Solution", f"{evidence['iterations']} steps", f"{evidence['samples']:,} samples; {ended}"),
        *(
            (term, f"{_said(evidence[key], digits, scale=scale)}{unit}", meaning)
            for key, term, digits, scale, unit, meaning in _OTHER_ANSWERS
            if any(evidence.get(other) is not None for other, *_ in _OTHER_ANSWERS)
        ),
    )


# Whether another answer would do as well: key, term, digits, scale, unit, meaning. Left out where none was measured, as of radiographs.
_OTHER_ANSWERS = (
    ("identity", "Identity", 2, 1.0, "", "how surely this is the patient of the plan"),
    ("vertebra_margin", "Vertebra", 2, 1.0, "", "lead of the planned vertebra over those above and below"),
    ("mirror_margin", "Mirror", 2, 1.0, "", "lead over the image mirrored left to right"),
    ("rival_margin", "Rival", 0, 100.0, " %", "by which the best other position fits worse"),
    ("swap_difference_mm", "Exchanged", 2, 1.0, " mm", "from the answer with plan and image exchanged"),
    ("second_metric_offset_mm", "Second measure", 2, 1.0, " mm", "to where another measure of likeness sees the patient"),
    ("region_residual_mm", "Parts", 1, 1.0, " mm", "by which parts of the anatomy disagree with one pose"),
    ("target_residual_mm", "Target", 1, 1.0, " mm", "from where the rest of the anatomy has what lies at the isocentre"),
    ("stretch", "Size", 1, 100.0, " %", "largest stretch of the image against the plan"),
)


def measures(answer: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The rows of what an answer rests on: of the images (`evidence_rows`), or of implanted markers; none where there is no evidence."""
    evidence, markers = answer["evidence"], answer.get("markers")
    if evidence is None:
        return ()
    if markers is None or not markers["decides"]:
        return evidence_rows(evidence) + (marker_rows(markers) if markers else ())
    return (*marker_rows(markers), *(row for row in evidence_rows(evidence) if row[0] in ("Translation", "Rotation")))


def marker_rows(markers: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Name, value and meaning of each measure of implanted markers (docs/json.md, `markers`)."""
    return (
        ("Markers", f"{markers['matched']} of {markers['planned']}", "of the planning CT are matched"),
        ("Registration error", f"{_said(markers['fre_mm'], 2)} mm", "root mean square of what remains at the markers"),
        ("Leave one out", f"{_said(markers['leave_one_out_mm'], 2)} mm", "largest distance of a marker from where the others put it"),
        ("Anatomy", f"{_said(markers['anatomy_difference_mm'], 1)} mm", "between markers and anatomy at the markers' centre"),
    )


def _said(value: float | None, digits: int, *, scale: float = 1.0) -> str:
    return "–" if value is None else figure(scale * value, digits)


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None
