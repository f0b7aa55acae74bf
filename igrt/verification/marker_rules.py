"""Whether a match of implanted markers can be believed, and what they tell beside the anatomy. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from igrt.registration.markers import MarkerMatch, MarkerSight, MarkerState, Problem, State
from igrt.registration.match import Match
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level
from igrt.verification.marker_table import MarkerTable
from igrt.verification.protocol import MatchTable

Findings = tuple[Finding, ...]
Point = tuple[float, float, float]

PROBLEMS = {
    Problem.TOO_FEW: (
        "markers_too_few",
        "Fewer than three markers of the plan's pattern are seen in enough of the images: the pose is not determined.",
    ),
    Problem.AMBIGUOUS: ("markers_ambiguous", "The markers fit the plan's pattern in two ways that lie apart: which is right is not known."),
    Problem.CLUTTERED: ("markers_ambiguous", "Too much looks like a marker to say which are the plan's."),
}


@dataclass(frozen=True, slots=True)
class MarkerRule:
    """A row: `value` must be at most the limit; NaN never is."""

    code: str
    what: str
    value: Callable[[MarkerMatch], float]
    limit: Callable[[MarkerTable], float]
    unit: str

    def words(self, match: MarkerMatch, table: MarkerTable) -> str:
        """With what was measured and its limit."""
        return f"{self.what} {_figure(self.value(match))} {self.unit} (at most {self.limit(table):g} {self.unit})"


RULES = (
    MarkerRule("markers_fre", "fiducial registration error", lambda m: m.fre_mm, lambda t: t.fre_max_mm, "mm"),
    MarkerRule(
        "markers_leave_one_out", "distance of a marker from where the others put it", lambda m: m.leave_one_out_mm,
        lambda t: t.leave_one_out_max_mm, "mm",
    ),
    MarkerRule(
        "evidence_translation_sd", "standard deviation of the position along the worst axis",
        lambda m: _largest(m.evidence.translation_sd_mm), lambda t: t.translation_sd_max_mm, "mm",
    ),
    MarkerRule(
        "evidence_rotation_sd", "standard deviation of the angle about the worst axis", lambda m: _largest(m.evidence.rotation_sd_deg),
        lambda t: t.rotation_sd_max_deg, "°",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MarkerAnswer:
    """One planned marker (plan LPS mm): what became of it, and how far (x, y, z) off it lies by a match of the others."""

    planned_mm: Point
    state: State
    off_mm: Point | None
    distance_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkersAnswer:
    """What an answer says of implanted markers; without a pose by markers, `reason` says why and the measures are None.

    `decides` says whether the correction rests on them; `anatomy_difference_mm` how far apart both put the markers' centre.
    """

    decides: bool
    reason: str
    planned: int
    matched: int
    candidates: int
    fre_mm: float | None
    leave_one_out_mm: float | None
    markers: tuple[MarkerAnswer, ...]
    extra_mm: tuple[Point, ...]
    anatomy_difference_mm: float | None


@dataclass(frozen=True, slots=True)
class MarkersJudged:
    """Findings about the markers, those that refuse a match by them, the rules in words, and the record."""

    findings: Findings
    refusing: Findings
    words: tuple[str, ...]
    answer: MarkersAnswer


def judge_markers(sight: MarkerSight, table: MarkerTable, *, decides: bool, anatomy: Match | None, anatomy_lacks: str) -> MarkersJudged:
    """Evidence first: what it lacks refuses where the markers decide, and is one warning where they lie beside the anatomy.

    `anatomy` is the match of images where it ran and is believed; else `anatomy_lacks` says why not.
    """
    refusing = (*_planned(sight, table), *_problem(sight))
    words: tuple[str, ...] = (f"markers in the planning CT {len(sight.planned.positions_mm)} (exactly {table.count})",)
    seen: Findings = ()
    if sight.match is not None:
        if not (unbelievable := tuple(_unbelievable(sight.match, table))):  # what does not hold tells nothing of single markers
            seen = (*_lost(sight.match), *_off(sight.match, table), *_extra(sight.match))
        refusing += (*unbelievable, *_lacking(sight.match, table))
        words += tuple(rule.words(sight.match, table) for rule in RULES)
        words += (f"markers matched {sight.match.matched} of {table.count} (at most {table.missing_max} may lack)",)
    difference = None if sight.match is None or refusing or anatomy is None else _difference_mm(sight.match, anatomy)
    answer = _answer(sight, decides, " ".join(finding.sentence for finding in refusing), difference)
    if refusing and not decides:
        sentence = f"The markers give no pose to hold against the anatomy: {answer.reason}"
        refusing, seen = (), (*seen, found("markers_unknown", sentence, level=Level.WARN))
    elif not refusing:
        seen += _beside(difference, table, anatomy_lacks)
    return MarkersJudged(refusing + seen, refusing, words, answer)


def target_unsought(table: MatchTable) -> Findings:
    """Warn where the protocol asks where the soft tissue of the target lies, which is sought beside an anatomical match alone."""
    if table.target_position is None:
        return ()
    sentence = "The correction rests on the markers; the soft tissue of the target was not matched beside them."
    return (found("target_position_unknown", sentence, level=Level.WARN),)


def _planned(sight: MarkerSight, table: MarkerTable) -> Iterator[Finding]:
    count = len(sight.planned.positions_mm)
    if count != table.count:
        sentence = f"The planning CT shows {count} markers within {table.reach_mm:g} mm of the isocentre; the protocol says {table.count}."
        yield found("markers_planned", sentence, level=Level.STOP, value=float(count), limit=float(table.count))


def _problem(sight: MarkerSight) -> Iterator[Finding]:
    if sight.problem is not None:
        code, sentence = PROBLEMS[sight.problem]
        yield found(code, sentence, level=Level.STOP, value=sight.rival_mm, unit="" if sight.rival_mm is None else "mm")


def _unbelievable(match: MarkerMatch, table: MarkerTable) -> Iterator[Finding]:
    for rule in RULES:
        value, limit = rule.value(match), rule.limit(table)
        if not value <= limit:
            shown = value if math.isfinite(value) else None
            sentence = f"The match of the markers cannot be believed: {rule.words(match, table)}."
            yield found(rule.code, sentence, level=Level.STOP, value=shown, limit=limit, unit=rule.unit)


def _lacking(match: MarkerMatch, table: MarkerTable) -> Iterator[Finding]:
    lacking = len(match.markers) - match.matched
    if lacking > table.missing_max:
        sentence = f"Of {len(match.markers)} markers {lacking} are not where the others put them; at most {table.missing_max} may be."
        yield found("markers_lacking", sentence, level=Level.STOP, value=float(lacking), limit=float(table.missing_max))


def _lost(match: MarkerMatch) -> Iterator[Finding]:
    for number, marker in enumerate(match.markers, 1):
        if marker.state is State.MISSING:
            yield found("marker_missing", f"Marker {number} {_at(marker)} is not seen.", level=Level.WARN)


def _off(match: MarkerMatch, table: MarkerTable) -> Iterator[Finding]:
    for number, marker in enumerate(match.markers, 1):
        distance = marker.distance_mm
        if distance is None:
            continue
        exceeded = table.migration_mm.exceeded(distance)
        if marker.state is State.MIGRATED:  # never better than a warning: it was left out of the match for it
            level, limit = exceeded if exceeded and exceeded[0] is Level.STOP else (Level.WARN, table.migration_mm.warn)
        elif exceeded:
            level, limit = exceeded
        else:
            continue
        sentence = f"Marker {number} {_at(marker)} lies {distance:.1f} mm from where the others put it."
        if marker.state is State.MIGRATED:  # among much clutter it may as well be lost
            sentence = f"Marker {number} {_at(marker)} is not where the others put it; what looks like it lies {distance:.1f} mm off."
        yield found("marker_migrated", sentence, level=level, value=distance, limit=limit, unit="mm")


def _extra(match: MarkerMatch) -> Iterator[Finding]:
    if match.extra_mm:
        sentence = f"{len(match.extra_mm)} more than the plan's markers look like one, at {', '.join(map(_place, match.extra_mm))}."
        yield found("marker_extra", sentence, level=Level.INFORM, value=float(len(match.extra_mm)))


def _beside(difference_mm: float | None, table: MarkerTable, anatomy_lacks: str) -> Findings:
    if difference_mm is None:
        # Seeds of another patient may lie much like these: without the anatomy nothing else says whose they are.
        sentence = f"The anatomy gives no pose to hold against the markers: {anatomy_lacks}"
        return (found("markers_anatomy_unknown", sentence, level=Level.STOP),)
    level, limit = table.anatomy_mm.exceeded(difference_mm) or (Level.INFORM, table.anatomy_mm.inform)
    sentence = f"Markers and anatomy put the markers' centre {difference_mm:.1f} mm apart."
    return (found("markers_anatomy", sentence, level=level, value=difference_mm, limit=limit, unit="mm"),)


def _difference_mm(match: MarkerMatch, anatomy: Match) -> float:
    centre = np.mean([m.planned_mm for m in match.markers if m.state is State.MATCHED], axis=0)
    here = match.plan_from_daily.inverse().apply(centre)
    return float(np.linalg.norm(anatomy.plan_from_daily.apply(here) - centre))


def _answer(sight: MarkerSight, decides: bool, reason: str, difference_mm: float | None) -> MarkersAnswer:
    match = sight.match
    empty = MarkersAnswer(
        decides=decides,
        reason=reason,
        planned=len(sight.planned.positions_mm),
        matched=0,
        candidates=sight.candidates,
        fre_mm=None,
        leave_one_out_mm=None,
        markers=(),
        extra_mm=(),
        anatomy_difference_mm=difference_mm,
    )
    if match is None:
        return empty
    shown = tuple(MarkerAnswer(m.planned_mm, m.state, m.off_mm, m.distance_mm) for m in match.markers)
    left_out = match.leave_one_out_mm if math.isfinite(match.leave_one_out_mm) else None
    return replace(empty, matched=match.matched, fre_mm=match.fre_mm, leave_one_out_mm=left_out, markers=shown, extra_mm=match.extra_mm)


def _at(marker: MarkerState) -> str:
    return f"(planned at {_place(marker.planned_mm)})"


def _place(point_mm: Point) -> str:
    return " ".join(f"{value:.0f}" for value in point_mm) + " mm"


def _largest(values: tuple[float, ...]) -> float:
    return max(values) if all(value >= 0 for value in values) else math.nan


def _figure(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "not a number"
