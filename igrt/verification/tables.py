"""The tables of the documentation that follow from the code: findings, and the keys of machine profiles and protocols.

`python -m igrt.verification.tables docs` writes them into docs/findings.md and docs/physicist.md, between the markers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from igrt.verification.codes import CODES
from igrt.verification.machine import IsocentreCheck, MachineTables
from igrt.verification.protocol import ProtocolTables
from igrt.verification.schema import keys


def findings_table() -> str:
    """Every finding: code, meaning, what to do."""
    return _table(("code", "meaning", "what to do"), [(f"`{code}`", row.meaning, row.remedy) for code, row in CODES.items()])


def keys_table(schema: type[msgspec.Struct]) -> str:
    """Every key of a schema: name, what it accepts, whether it may be left out, meaning."""
    rows = [(f"`{key.name}`", key.accepts, "optional" if key.optional else "required", key.meaning) for key in keys(schema)]
    return _table(("key", "value", "", "meaning"), rows)


# Marker in the page, page, and what stands there.
TABLES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "findings": ("findings.md", findings_table),
    "machine": ("physicist.md", partial(keys_table, MachineTables)),
    "isocentre-check": ("physicist.md", partial(keys_table, IsocentreCheck)),
    "protocol": ("physicist.md", partial(keys_table, ProtocolTables)),
}


def filled(page: str, text: str) -> str:
    """The page's text with every table between its markers as the code has it; ValueError where a marker is missing."""
    for name, (home, table) in TABLES.items():
        if home != page:
            continue
        begin, end = f"<!-- table: {name} -->", f"<!-- end of table: {name} -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise ValueError(f"{page} has no place for the table {name}; put the lines {begin} and {end} where it belongs")
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


def main(folder: Path) -> None:
    """Writes the tables into the pages of the folder."""
    for page in sorted({page for page, _ in TABLES.values()}):
        file = folder / page
        file.write_text(filled(page, file.read_text(encoding="utf-8")), encoding="utf-8")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
