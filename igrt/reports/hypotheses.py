"""Which vertebra: what was compared as a table, and the two likeliest side by side as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from igrt.images.records import Daily, Plan
from igrt.reports.overlay import blend
from igrt.reports.pictures import Picture, Row, framed, sections
from igrt.reports.planes import planes_through
from igrt.reports.png import data_uri
from igrt.reports.spine import column_mm
from igrt.verification.compared import Compared

NAMES = {
    2: "Second vertebra above",
    1: "Vertebra above",
    0: "Planned vertebra",
    -1: "Vertebra below",
    -2: "Second vertebra below",
}
PLANES = ("Sagittal", "Coronal")


class Scored(NamedTuple):
    """A line of the table: what was compared, its score, and the share of its bar; `planned` for the answer itself."""

    name: str
    score: float
    share: float
    planned: bool


def score_rows(answer: Mapping[str, Any]) -> tuple[Scored, ...]:
    """The planned vertebra among those above and below, and the mirrored image (docs/json.md); empty where they were not compared."""
    evidence, tried = answer["evidence"], answer["match"].get("hypotheses") or ()
    own = None if evidence is None else evidence.get("vertebra_score")
    if own is None or not tried:
        return ()
    scores = {0: own} | {hypothesis["levels"]: hypothesis["score"] for hypothesis in tried if hypothesis["score"] is not None}
    rows = [(NAMES[levels], scores[levels], levels == 0) for levels in sorted(scores, reverse=True)]
    if (lead := evidence.get("mirror_margin")) is not None:
        rows.append(("Mirrored left to right", own - lead, False))
    most = max(max(score for _, score, _ in rows), 1e-6)
    return tuple(Scored(name, score, max(score / most, 0.0), planned) for name, score, planned in rows)


def side_by_side(plan: Plan, daily: Daily, compared: Compared) -> tuple[Row, ...]:
    """Sagittal and coronal planes through the spine: the image where the planned vertebra is, and where the other one is."""
    poses = [compared.planned, compared.rival]
    planes = [
        plane for plane in planes_through(column_mm(plan), plan=plan.ct.grid, daily=daily.volume.grid, poses=poses) if plane.name in PLANES
    ]
    seen = sections(plan, daily, planes, poses)
    named = ((NAMES[0], compared.planned_score), (NAMES[compared.levels], compared.rival_score))
    rows = []
    for plane, (plan_grey, greys) in sorted(zip(planes, seen.greys, strict=True), key=lambda pair: PLANES.index(pair[0].name)):
        pictures = [
            Picture(
                heading=f"{name} · score {score:.2f}",
                label=f"{plane.name} plane through the spine, laid on the plan as {name.lower()}: plan in magenta, daily in green",
                uri=data_uri(blend(plan_grey, grey)),
            )
            for (name, score), grey in zip(named, greys, strict=True)
        ]
        rows.append(framed(plan, plane, pictures))
    return tuple(rows)
