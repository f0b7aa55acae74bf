"""A journal replayed: recorded messages and images through the same code, and what comes out compared with what came out.

Bit for bit on the build and instruction set that recorded it, within tolerance elsewhere (docs/decisions/replay.md). Nothing is
written: neither to the journal nor to the images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from igrt.engine.journal import JournalError, read_rows
from igrt.engine.journal_verify import verify
from igrt.engine.record import FILE, SPOOL
from igrt.engine.replay_answers import Answer, Answering, Collector, Recorded, require_image
from igrt.engine.replay_case import opened
from igrt.engine.replay_compare import Difference
from igrt.engine.replay_decisions import Decided, Decisions
from igrt.engine.replay_turns import turns
from igrt.errors import InputError

VERSION = "igrt-replay/1"
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of it.

    `decisions` counts the turns decided again by what brought them about; `removed` are images that a command took off the disk and
    `erased` rows of erased patients: what these held was not replayed.
    """

    journal: Path
    head: str
    answers: tuple[Answer, ...]
    decisions: Mapping[str, int]
    differing: tuple[Decided, ...]
    removed: tuple[str, ...]
    erased: int

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.differing and not any(answer.differences for answer in self.answers)

    @property
    def sentences(self) -> Iterator[str]:
        """Every difference, for a person."""
        for answer in self.answers:
            for found in answer.differences:
                yield f"row {answer.row}, image {answer.image_id}: {found}"
        for decided in self.differing:
            for found in decided.differences:
                yield f"row {decided.row}, {decided.what}: {found}"

    @property
    def summary(self) -> str:
        """One sentence on the whole."""
        exact = sum(answer.exact for answer in self.answers)
        parts = [
            f"images answered again {len(self.answers)}, of these compared bit for bit {exact}",
            f"decisions made again {sum(self.decisions.values())}",
        ]
        if self.removed:
            parts.append(f"images removed by command, not answered again {len(self.removed)}")
        if self.erased:
            parts.append(f"rows erased with their patient {self.erased}")
        return f"{self.journal}: {'; '.join(parts)}; {'the same' if self.same else 'it differs'}."

    def to_json(self) -> dict[str, Any]:
        """The object of `igrt replay --json`."""
        return {
            "version": VERSION,
            "journal": str(self.journal),
            "head": self.head,
            "same": self.same,
            "answers": [
                {
                    "row": a.row,
                    "image_id": a.image_id,
                    "device": a.device,
                    "bit_for_bit": a.exact,
                    "seconds": a.seconds,
                    "differences": _listed(a.differences),
                }
                for a in self.answers
            ],
            "decisions": dict(self.decisions),
            "differing_decisions": [{"row": d.row, "what": d.what, "differences": _listed(d.differences)} for d in self.differing],
            "removed_images": list(self.removed),
            "erased_rows": self.erased,
        }


def replay(
    journal: Path,
    *,
    images: Path | None = None,
    plans: Path | None = None,
    device: str | None = None,
    answers: bool = True,
    progress: Progress | None = None,
) -> Replay:
    """Replay a journal: its file, or the folder that holds it.

    `images` is where the images lie (by default the folder `spool` beside the journal), `plans` where plans are looked for by the name
    of their folder or file (by default where they were). `device` answers in place of the recorded one. Without `answers` the decisions
    alone. InputError where the journal does not hold, or an image or plan is missing or not the one recorded.
    """
    path = journal / FILE if journal.is_dir() else journal
    found = verify(path)
    if found.fault:
        raise JournalError(found.sentence)
    collector, decided, erased = _decide(path)
    given, removed = _answers(collector, images or path.parent / SPOOL, plans, device, progress) if answers else ((), ())
    return Replay(
        journal=path,
        head=str(found.head),
        answers=given,
        decisions=Counter(one.what for one in decided),
        differing=tuple(one for one in decided if one.differences),
        removed=removed,
        erased=erased,
    )


def _decide(path: Path) -> tuple[Collector, list[Decided], int]:
    collector, decided, erased = Collector(), [], 0
    with opened() as case_of:
        decisions = Decisions(case_of)
        for turn in turns(read_rows(path)):
            collector.take(turn)
            one = decisions.take(turn)
            decided += [one] if one else []
            erased += sum(row.payload is None for row in turn.rows)
    return collector, decided, erased


def _answers(
    collector: Collector, images: Path, plans: Path | None, device: str | None, progress: Progress | None
) -> tuple[tuple[Answer, ...], tuple[str, ...]]:
    """Every answer whose image is still to be had; each image is looked at before the first is answered."""
    if collector.without_basis:
        rows = ", ".join(map(str, collector.without_basis[:10]))
        raise InputError(f"the answers in rows {rows} were recorded without what they rest on; replay the decisions alone")
    wanted: list[tuple[Recorded, Path]] = []
    removed = []
    for recorded in collector.recorded:
        try:
            wanted.append((recorded, require_image(recorded, images)))
        except InputError:
            if recorded.row not in collector.gone:
                raise
            removed.append(recorded.image_id)
    answering = Answering(plans=plans, device=device, progress=progress or (lambda _stage, _share: None))
    return tuple(answering.again(*one) for one in wanted), tuple(removed)


def _listed(found: tuple[Difference, ...]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = msgspec.to_builtins([{"field": d.field, "recorded": d.recorded, "replayed": d.replayed} for d in found])
    return listed
