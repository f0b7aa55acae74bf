"""docs/bus.md is what the types say."""

from pathlib import Path

from igrt.bus.docs import markdown
from igrt.bus.topics import EVENTS, REPLIES, REQUESTS, SLAB_REPLIES, SLABS


def test_the_document_is_made_from_the_types():
    document = Path(__file__).resolve().parents[3] / "docs" / "bus.md"
    assert document.read_text() == markdown(), "run: python -m igrt.bus.docs > docs/bus.md"


def test_every_message_is_in_it():
    text = markdown()
    for kind in {**REQUESTS, **REPLIES, **EVENTS, **SLABS, **SLAB_REPLIES}:
        assert f"### `{kind}` (" in text
