"""docs/asyncapi.json is what the types say, is AsyncAPI, and describes what the sockets take and give."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastjsonschema
import msgspec
import pytest

from igrt.bus.asyncapi import document, text
from igrt.bus.topics import ERRORS, EVENTS, REPLIES, REQUESTS, SLAB_REPLIES, SLABS, VERBS

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "asyncapi.json"
SPECIFICATION = Path(__file__).with_name("asyncapi-3.0.0.schema.json")


@pytest.fixture(scope="module")
def asyncapi():
    """A validator by AsyncAPI's own schema."""
    return fastjsonschema.compile(json.loads(SPECIFICATION.read_text()))


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(whole: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for name in reference[2:].split("/"):
        whole = whole[name]
    return whole


def test_the_document_is_made_from_the_types():
    assert COMMITTED.read_text() == text(), "run: python -m igrt.bus.asyncapi > docs/asyncapi.json"


def test_it_is_asyncapi(asyncapi):
    asyncapi(document())


@pytest.mark.parametrize(
    "path",
    [
        ("operations", "claim", "action"),
        ("channels", "events", "messages", "alert"),
        ("info",),
        ("components", "schemas", "Header", "type"),
    ],
)
def test_the_check_would_find_what_is_no_asyncapi(asyncapi, path):
    *parents, last = path
    spoilt = where = copy.deepcopy(document())
    for name in parents:
        where = where[name]
    where[last] = 7
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        asyncapi(spoilt)


def test_every_reference_leads_somewhere():
    whole = document()
    found = list(references(whole))
    assert len(found) > 100
    for reference in found:
        assert resolve(whole, reference)


@pytest.mark.parametrize(
    ("channel", "kinds"),
    [("commands", {**REQUESTS, **REPLIES}), ("images", {**SLABS, **SLAB_REPLIES}), ("events", EVENTS)],
)
def test_each_channel_carries_what_its_socket_does(channel, kinds):
    assert set(document()["channels"][channel]["messages"]) == set(kinds)


def test_each_verb_has_its_reply_or_an_error():
    operations = document()["operations"]
    assert set(operations) == {*VERBS, *SLABS, "tell"}
    for kind, verb in VERBS.items():
        replies = {reference["$ref"].rsplit("/", 1)[1] for reference in operations[kind]["reply"]["messages"]}
        assert replies == {verb.reply.wire_kind(), "error"}
        assert operations[kind]["x-names-plan"] is verb.names_plan


def test_every_field_of_every_message_is_there_with_its_unit():
    whole = document()
    for kinds in (REQUESTS, REPLIES, SLABS, SLAB_REPLIES, EVENTS):
        for kind, of in kinds.items():
            schema = resolve(whole, whole["components"]["messages"][kind]["payload"]["$ref"])
            fields = msgspec.structs.fields(of)
            assert {"kind", *(f.encode_name for f in fields)} == set(schema["properties"])
            assert {"kind", *(f.encode_name for f in fields if f.required)} == set(schema["required"])
            for f in fields:
                for ending in ("mm", "deg", "s", "bytes"):
                    if f.encode_name.endswith(f"_{ending}"):
                        assert schema["properties"][f.encode_name]["x-unit"] == ending


def test_every_error_is_in_it():
    assert document()["x-errors"] == dict(ERRORS)
