"""Two JSON-like values against each other: bit for bit, or within what another build or processor may change."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "(absent)"
TIMED = frozenset({"seconds"})
"""How long something took is never the same."""
WORDS = frozenset({"reason", "sentence", "remedy", "words", "checked", "notice", "calibration"})
"""Texts for a person: another build may word them otherwise. What they tell stands in codes and numbers beside them."""
SENTENCES = frozenset({"faults", "verification"})
"""Lists of texts: another build may word them otherwise, but there must be as many."""
FREE = frozenset({"device", "iterations"})
"""What another device or processor may change."""
AS_RECORDED = ("limit", "_s")
"""Ends of names of what is handed through and not computed: a limit of the protocol, a reading of the clock."""
SHIFT_MM, TURN_DEG, RELATIVE = 0.01, 0.01, 0.01
MATRIX = 1e-4
"""An element of a rotation matrix; 0.01 mm at 100 mm is no more."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field whose value was `recorded` and is `replayed` now."""

    field: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        return f"{self.field}: recorded {_short(self.recorded)}, replayed {_short(self.replayed)}"


def differences(recorded: Any, replayed: Any, *, exact: bool, new: Collection[str] = (), field: str = "") -> Iterator[Difference]:
    """Every field that differs. Keys in `new` hold what is made anew each time (identifiers) and are not compared.

    Not `exact`: numbers within 0.01 mm, 0.01 degrees, 1e-4 of a rotation matrix or else 1 %; `WORDS` and `FREE` not compared, and fields
    that are new in this build passed over. A number that is none (NaN) differs from every other.
    """
    if isinstance(recorded, Mapping) and isinstance(replayed, Mapping):
        yield from _of_maps(recorded, replayed, exact=exact, new=new, field=field)
    elif _is_list(recorded) and _is_list(replayed) and len(recorded) == len(replayed):
        for index, (one, other) in enumerate(zip(recorded, replayed, strict=True)):
            yield from differences(one, other, exact=exact, new=new, field=f"{field}[{index}]")
    elif not (_same_bits(recorded, replayed) or (not exact and _close(field, recorded, replayed))):
        yield Difference(field or "the whole", recorded, replayed)


def _of_maps(
    recorded: Mapping[str, Any], replayed: Mapping[str, Any], *, exact: bool, new: Collection[str], field: str
) -> Iterator[Difference]:
    passed = TIMED if exact else TIMED | WORDS | FREE
    for key in (*recorded, *(k for k in replayed if k not in recorded)):
        if key in passed or key in new or (not exact and key not in recorded):
            continue
        name = f"{field}.{key}" if field else str(key)
        if not exact and key in SENTENCES and len(recorded[key]) == len(replayed.get(key, ())):
            continue
        yield from differences(recorded.get(key, ABSENT), replayed.get(key, ABSENT), exact=exact, new=new, field=name)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _same_bits(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    return type(one) is type(other) and bool(one == other)


def _close(field: str, one: Any, other: Any) -> bool:
    """Numbers near enough for another build."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other)):
        return False
    if isinstance(one, int) and isinstance(other, int) and not field.endswith("samples"):
        return False
    key = field.rsplit(".", 1)[-1].split("[")[0]
    if key.endswith(AS_RECORDED):
        return False
    return math.isfinite(one) and abs(one - other) <= _allowed(field, key, one)


def _allowed(field: str, key: str, value: float) -> float:
    if key.endswith("plan_from_daily"):
        return SHIFT_MM if field.endswith("[3]") else MATRIX
    if key.endswith("_mm"):
        return SHIFT_MM
    if key.endswith("_deg"):
        return TURN_DEG
    return max(RELATIVE * abs(value), MATRIX)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
