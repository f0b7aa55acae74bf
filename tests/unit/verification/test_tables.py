from pathlib import Path

import msgspec
import pytest

from igrt import verification
from igrt.verification.codes import CODES
from igrt.verification.machine import MachineTables
from igrt.verification.protocol import ProtocolTables
from igrt.verification.schema import keys
from igrt.verification.tables import TABLES, filled, main

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", sorted({page for page, _ in TABLES.values()}))
def test_the_page_holds_the_tables_of_the_code(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert filled(page, text) == text, "run: python -m igrt.verification.tables docs"


@pytest.mark.parametrize("schema", [MachineTables, ProtocolTables])
def test_every_key_is_explained_to_the_physicist(schema):
    text = (DOCS / "physicist.md").read_text(encoding="utf-8")
    for key in keys(schema):
        assert f"| `{key.name}` |" in text


def test_every_finding_is_explained():
    text = (DOCS / "findings.md").read_text(encoding="utf-8")
    for code in CODES:
        assert f"| `{code}` |" in text


def test_a_page_without_its_markers_is_an_error():
    with pytest.raises(ValueError, match="no place for the table findings"):
        filled("findings.md", "# Findings\n")


def test_the_tables_are_written_between_their_markers(tmp_path):
    for page in {page for page, _ in TABLES.values()}:
        stale = [f"<!-- table: {n} -->\nstale\n<!-- end of table: {n} -->" for n, (home, _) in TABLES.items() if home == page]
        (tmp_path / page).write_text("\n".join(["# Before", *stale, "after"]))
    main(tmp_path)
    text = (tmp_path / "findings.md").read_text()
    assert "| `evidence_overlap` |" in text
    assert "stale" not in text
    assert text.startswith("# Before")
    assert text.endswith("after")


def test_a_key_without_a_meaning_is_a_defect():
    class Bare(msgspec.Struct):
        length_mm: float

    with pytest.raises(TypeError, match=r"Bare\.length_mm has no description"):
        list(keys(Bare))


def test_every_finding_of_the_table_can_be_found():
    room = Path(verification.__file__).parent
    source = "\n".join(file.read_text() for file in room.rglob("*.py") if file.name != "codes.py")
    assert [code for code in CODES if f'"{code}"' not in source] == []
