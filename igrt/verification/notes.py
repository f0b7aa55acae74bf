"""What reading the files passed over or took for granted, told with the answer."""

from __future__ import annotations

from collections.abc import Iterable

from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level


def told(notes: Iterable[str]) -> tuple[Finding, ...]:
    """One finding a sentence, to be known and no more."""
    return tuple(found("note", note, level=Level.INFORM) for note in notes)
