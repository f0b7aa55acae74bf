"""What the page of an answer needs, taken from the answer's public JSON and the images it was given for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan
from igrt.reports.hypotheses import score_rows
from igrt.reports.pictures import Gallery
from igrt.reports.words import AXES, STILL, direction, evidence_heading, figure, in_plane_words, measures, remedy, verdict_words
from igrt.verification.findings import Level, Outcome, Verdict

Entry = tuple[str, str | None]
STAGES = ("read_plan", "read_daily", "prepare_plan", "prepare_daily", "register", "judge")
LEVELS = tuple(level.value for level in (Level.STOP, Level.WARN, Level.INFORM))


def context(answer: Mapping[str, Any], *, plan: Plan, daily: Daily | Radiographs, pictures: Gallery, created: datetime) -> dict[str, Any]:
    """The template's values; `answer` is the object of docs/json.md."""
    verdict = Verdict(answer["verdict"])
    partial = answer["outcome"] == Outcome.PARTIAL
    word, sentence = verdict_words(answer)
    return {
        "verdict": {"name": verdict.value, "word": word, "sentence": sentence},
        "reasons": _reasons(answer),
        "refusal": answer["reason"],
        "accepted": answer["plan_from_daily"] is not None,
        "partial": partial,
        "radiographs": isinstance(daily, Radiographs),
        "notice": answer["notice"],
        "created": created.strftime("%d %B %Y, %H:%M %Z").strip(),
        "created_iso": created.isoformat(timespec="seconds"),
        "who": {"name": readable_name(plan.identity.patient_name), "id": plan.identity.patient_id},
        "facts": _facts(answer, plan, daily),
        "axes": _axes(answer["correction"]),
        "in_plane": in_plane_words(answer.get("radiographs")),
        "couch": _couch(answer["couch"]),
        "findings": _findings(answer["findings"]),
        "gallery": pictures,
        "drawn": _drawn(pictures),
        "residuals": _residuals(answer["residuals_mm"]),
        "evidence": measures(answer) or None,
        "evidence_heading": evidence_heading(answer),
        "scores": score_rows(answer),
        "checked": answer["checked"],
        "second_solver": answer.get("second_solver"),
        "stages": _stages(answer["seconds"]),
        "provenance": _provenance(answer),
    }


def readable_name(name: str | None) -> str | None:
    """A DICOM person name "Family^Given^Middle" as "Family, Given Middle"; what is not one stays as it is."""
    if not name:
        return None
    family, *rest = [part.strip() for part in name.split("=")[0].split("^")]
    given = " ".join(part for part in rest if part)
    return f"{family}, {given}" if family and given else family or given or None


def _facts(answer: Mapping[str, Any], plan: Plan, daily: Daily | Radiographs) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    identity = plan.identity
    return (
        (
            "Patient",
            (("Name", readable_name(identity.patient_name)), ("Patient ID", identity.patient_id), ("Position", plan.position.value)),
        ),
        (
            "Plan",
            (
                ("Label", identity.plan_label),
                ("CT", _size(plan.ct.grid)),
                ("Isocentre", _point(plan.isocentre_mm)),
                ("Read from", plan.source),
            ),
        ),
        (
            "Daily image",
            (
                ("Patient ID", daily.patient_id),
                ("Image", _image(daily)),
                ("Isocentre", f"{_point(answer['daily_isocentre_mm'])}, {answer['daily_isocentre_from']}"),
                ("Read from", daily.source),
            ),
        ),
    )


def _image(daily: Daily | Radiographs) -> str:
    if isinstance(daily, Daily):
        return _size(daily.volume.grid)
    angles = ", ".join(f"{image.stated.gantry_angle_deg:g}°" for image in daily.images)
    return f"{len(daily.images)} radiograph{'s' if len(daily.images) > 1 else ''}, gantry angle {angles}"


def _size(grid: Any) -> str:
    counts = " × ".join(str(count) for count in grid.size_ijk)
    steps = " × ".join(f"{step:.4g}" for step in grid.spacing_mm)
    return f"{counts} voxels of {steps} mm"


def _point(point_mm: Any) -> str:
    return ", ".join(figure(value) for value in point_mm) + " mm (LPS)"


def _axes(correction: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if correction is None:
        return []
    return [
        {
            "name": name,
            "value": correction[key],
            "unit": unit,
            "still": abs(correction[key]) < STILL,
            "words": direction(axis, correction[key]),
        }
        for key, name, axis, unit in AXES
    ]


def _couch(couch: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if couch is None:
        return None
    known = [(label, couch[key]) for label, key in (("Change", "delta"), ("Go to", "target")) if couch[key] is not None]
    return {
        "model": couch["model"],
        "made": ", ".join(couch["words"]),
        "limited": couch["limited"],
        "lines": [(label, [position[key] for key, *_ in AXES]) for label, position in known],
    }


def _findings(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The gravest first, each with what its reader does about it."""
    known = [{**finding, "remedy": remedy(finding), "space": "" if finding["unit"] == "°" else " "} for finding in findings]
    return sorted(known, key=lambda finding: LEVELS.index(finding["level"]))


def _reasons(answer: Mapping[str, Any]) -> list[str]:
    """What stands under the verdict: why it is no better."""
    if answer["outcome"] == Outcome.REFUSED:
        return [answer["reason"]]
    grave = [finding for finding in _findings(answer["findings"]) if finding["level"] != Level.INFORM]
    return [finding["sentence"] for finding in grave]


def _residuals(residuals: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    points = [{**point, "together_mm": point["residual_mm"] + point["uncertainty95_mm"]} for point in (residuals or {}).values()]
    return sorted(points, key=lambda point: -point["together_mm"])


def _stages(seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """In the order of the work; what is not in the table of stages last."""
    longest = max(seconds.values(), default=0.0) or 1.0
    ordered = sorted(seconds.items(), key=lambda stage: STAGES.index(stage[0]) if stage[0] in STAGES else len(STAGES))
    return [{"name": name.replace("_", " "), "seconds": value, "share": value / longest} for name, value in ordered]


def _drawn(pictures: Gallery) -> list[tuple[str, str]]:
    return sorted({(outline.name, outline.kind) for row in pictures.rows for outline in row.outlines})


def _provenance(answer: Mapping[str, Any]) -> tuple[Entry, ...]:
    mark = " – research default, not a commissioned machine" if answer["research"] else ""
    return (
        ("Software", f"igrt {version('igrt')}, {answer['version']}"),
        ("Device", answer["device"]),
        ("Machine profile", answer["machine"] + mark),
        ("Protocol", answer["protocol"]),
        ("Plan fingerprint", answer["plan_fingerprint"][:16] + "…"),
    )
