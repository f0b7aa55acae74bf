"""docs/engine.md is what the tables say."""

from pathlib import Path

from igrt.engine.docs import markdown


def test_the_document_is_made_from_the_tables():
    document = Path(__file__).resolve().parents[3] / "docs" / "engine.md"
    assert document.read_text() == markdown(), "run: python -m igrt.engine.docs > docs/engine.md"
